"""`training.compile`: compiled blocks compute what the others do, and the speed knows nothing of the compiler."""

import pytest
import torch
from torch._inductor import cpp_builder, exc

from bench.configuration.schema import Precision
from bench.errors import UnsupportedError, UserError
from bench.metering.time import StepClock
from bench.planning.plan import plan
from bench.running.runner import run_cell
from bench.training import compiling
from bench.training.compiling import Compilation, check_compiling
from tests.cells import MODELS, TASKS
from tests.tiny import Adapted, logits_of, settings_of, tiny_batch

CPU = torch.device("cpu")


def cell_of(compose, *more, compiled=True):
    return compose(f"training.compile={str(compiled).lower()}", "device=cpu", *more)


def test_blocks_are_compiled_in_place_while_they_are_trained(monkeypatch):
    """By torch's tracer alone, which takes seconds; the tests that compile all the way are slow."""
    monkeypatch.setattr(compiling, "BACKEND", "eager")
    adapted, clock = Adapted(settings_of("bitfit"), "encoder"), StepClock(CPU)
    model, names, seen = adapted.model.train(), dict(adapted.model.named_parameters()), []
    expected = [model(**tiny_batch("encoder", size=size)).loss.item() for size in (4, 3)]
    compilation = Compilation(model, adapted.setting.structure, clock)
    losses = []
    with compilation.at_work():
        for size in (4, 3, 4, 3):
            batch = tiny_batch("encoder", size=size)
            with clock.step(1):
                loss = model(**batch).loss
                loss.backward()
            losses.append(loss.item())
        compiled = clock.with_compiling().count
        compilation.resting(lambda step: seen.append((step, logits_of(model, tiny_batch("encoder")))))(7)
        assert clock.with_compiling().count == compiled, "evaluation compiles nothing"
    assert losses == pytest.approx(expected * 2, rel=1e-6)
    assert compiled == 1, "the first step; another number of rows is no reason"
    assert 0 < clock.compiling < clock.with_compiling().seconds
    assert clock.undisturbed().count == 1
    assert max(clock.percentiles()) < clock.with_compiling().seconds
    assert torch.equal(seen[0][1], logits_of(model, tiny_batch("encoder")))
    assert dict(model.named_parameters()) == names
    assert all(module._compiled_call_impl is None for module in model.modules())


def test_steps_with_compiling_are_no_speed_and_come_back_from_a_checkpoint():
    clock = StepClock(CPU)
    with clock.step(5):
        clock.compiled(0.25)
    assert (clock.undisturbed().count, clock.percentiles()) == (0, (None, None))
    other = StepClock(CPU)
    other.load_state(clock.state())
    assert (other.compiling, other.with_compiling().count, other.with_compiling().tokens) == (0.25, 1, 5)


def test_what_cannot_be_compiled_is_refused_in_one_line(compose, monkeypatch):
    structure = Adapted(settings_of("bitfit"), "encoder").setting.structure
    check_compiling(structure, CPU, 1)
    with pytest.raises(UserError, match="one process"):
        check_compiling(structure, CPU, 2)

    def search():
        raise exc.InvalidCxxCompiler

    monkeypatch.setattr(cpp_builder, "get_cpp_compiler", search)
    monkeypatch.setattr("bench.running.preparation.load_model", None)
    with pytest.raises(UserError, match=r"C\+\+ compiler, and there is none"):
        run_cell(cell_of(compose, "model=miniature/roberta"))


def test_a_plan_says_that_it_is_the_uncompiled_cell(compose):
    first, second = plan([cell_of(compose, "model=miniature/roberta", compiled=compiled) for compiled in (True, False)])
    assert first.prediction is second.prediction
    assert "uncompiled" in first.note
    assert second.note is None


def test_blocks_that_are_compiled_without_end_are_given_up(monkeypatch):
    from torch._dynamo.exc import FailOnRecompileLimitHit

    adapted = Adapted(settings_of("bitfit"), "encoder")
    compilation = Compilation(adapted.model, adapted.setting.structure, StepClock(CPU))
    with pytest.raises(UnsupportedError, match=r"training\.compile=false"), compilation.at_work():
        raise FailOnRecompileLimitHit("")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("family", "method", "more"),
    [
        ("encoder", "lora", ()),
        ("encoder", "full", ("training.gradient_checkpointing=true",)),
        ("decoder", "lora", ("training.gradient_checkpointing=true",)),
        ("decoder", "full", ()),
        ("encoder_decoder", "propelt_adapter", ()),
        ("decoder", "lora", (f"training.precision={Precision.bf16}",)),
    ],
)
def test_a_cell_learns_the_same(compose, family, method, more):
    settings = (
        f"model={MODELS[family]}", f"task={TASKS[family]}", f"method={method}", "training.max_steps=12",
        "training.log_every=1", "training.evaluations=2", "data.limit_train=64", "data.limit_evaluation=8",
        "training.batch_size=4", "force=true", *more,
    )  # fmt: skip
    compiled, own = (run_cell(cell_of(compose, *settings, compiled=value))[0] for value in (True, False))
    assert compiled.error is None, compiled.error
    rounding = 5e-2 if more and "bf16" in more[0] else 1e-3
    losses, expected = ([entry["loss"] for entry in record.metrics.losses] for record in (compiled, own))
    assert losses[0] == pytest.approx(expected[0], rel=rounding / 100)
    assert losses == pytest.approx(expected, rel=rounding)
    time = compiled.time
    assert 1 <= time.steps_compiling < time.steps == 12
    assert 0 < time.compiling < time.train_compiling < time.train
    assert time.step_p95 < 1
    assert (own.time.steps_compiling, own.time.compiling) == (None, None)
    assert compiled.memory.train_peak_split is None


@pytest.mark.parametrize("method", ["full", "lora", "adalora", "compose"])
def test_the_blocks_are_found_below_whatever_the_library_has_wrapped_around_them(method):
    adapted = Adapted(settings_of(method), "decoder")
    assert Compilation(adapted.model, adapted.setting.structure, StepClock(CPU))
