"""The training loop against transformers' Trainer, and its promises."""

import pytest
import torch
from transformers import Trainer, TrainingArguments

from bench.configuration.compose import build
from bench.configuration.schema import Family, Precision
from bench.data.example import Padding
from bench.errors import UnsupportedError
from bench.metering.time import StepClock
from bench.methods.base import Method, Setting
from bench.models.families import structure_of
from bench.models.head import Head, head_parameters, train_head
from bench.models.load import load_architecture, load_model
from bench.models.tokenizer import load_tokenizer
from bench.tasks.build import task_from
from bench.training.arithmetic import Arithmetic
from bench.training.loop import batches_of, train
from bench.training.losses import Losses, TrainingDivergedError
from bench.training.optimiser import make_optimiser, make_schedule

STEPS = 12


def adapted(cell):
    """A model with its method applied, ready to train, and its structure."""
    torch.manual_seed(cell.seed)
    model = load_model(cell.base, load_architecture(cell.base, Head(2)))
    structure = structure_of(model, Family.encoder)
    method = build(cell.config["method"], Method)
    model = method.apply(model, Setting(Family.encoder, structure, STEPS, 64))
    train_head(model, structure)
    return model, structure, method


def examples(cell, count=96):
    task = task_from(cell.config["task"])
    return task.load(load_tokenizer(cell.base), 64, cell.data).train[:count]


def our_losses(cell, rows, evaluate=lambda step: None, after=lambda model: None, before=lambda model: None):
    model, structure, method = adapted(cell)
    before(model)
    training = cell.training
    head = {name for name, _ in head_parameters(model, structure)}
    optimiser = make_optimiser(model, method, head, training)
    arithmetic = Arithmetic(Precision.fp32, torch.device("cpu"))
    torch.manual_seed(0)
    losses = Losses()
    train(
        model, method, batches_of(rows, Padding(1), training, 0, pin=False), optimiser=optimiser,
        schedule=make_schedule(optimiser, training, STEPS), training=training, total_steps=STEPS,
        family=Family.encoder, arithmetic=arithmetic, clock=StepClock(arithmetic.device), losses=losses,
        evaluate=evaluate, progress=lambda *_: None, checkpoint=lambda step: None,
    )  # fmt: skip
    after(model)
    return [entry["loss"] for entry in losses.means]


def trainer_losses(cell, rows, folder):
    """The same through the Trainer, fed with the same batches in the same order."""
    model, _, _ = adapted(cell)
    training = cell.training
    steps = batches_of(rows, Padding(1), training, 0, pin=False)
    batches = [batch for _ in range(STEPS) for batch in next(steps)]

    class Ordered(Trainer):
        def get_train_dataloader(self):
            return torch.utils.data.DataLoader(batches, batch_size=None)

    arguments = TrainingArguments(
        output_dir=str(folder), max_steps=STEPS, learning_rate=training.learning_rate, logging_steps=1, use_cpu=True,
        lr_scheduler_type="linear", warmup_steps=round(training.warmup * STEPS), weight_decay=training.weight_decay,
        adam_beta2=training.beta2, max_grad_norm=training.max_grad_norm, report_to=[], save_strategy="no", seed=0,
        disable_tqdm=True, per_device_train_batch_size=training.batch_size,
    )  # fmt: skip
    trainer = Ordered(model=model, args=arguments, train_dataset=batches)
    torch.manual_seed(0)
    trainer.train()
    return [entry["loss"] for entry in trainer.state.log_history if "loss" in entry], model


SETTINGS = ("training.log_every=1", "training.learning_rate=2e-3", "training.warmup=0.25", "training.weight_decay=0.1",
            "training.batch_size=8", "training.schedule=linear")  # fmt: skip


def labels(model, rows):
    """What a trained model says to each row, and its logits."""
    model.eval()
    with torch.no_grad():
        logits = torch.cat([model(**Padding(1)([row])).logits for row in rows])
    return logits.argmax(dim=1).tolist(), logits


@pytest.mark.parametrize("method", ["full", "lora"])
def test_losses_and_scores_agree_with_the_trainer(compose, tmp_path, method, monkeypatch):
    cell = compose(f"method={method}", *SETTINGS)
    rows, held_out = examples(cell)[:96], examples(cell, 200)[96:]
    # The Trainer rounds what it logs; the losses themselves are wanted here.
    monkeypatch.setattr("builtins.round", lambda number, digits=None: number if digits else int(number + 0.5))
    trained = []
    theirs, their_model = trainer_losses(cell, rows, tmp_path)
    ours = our_losses(cell, rows, after=trained.append)
    assert len(ours) == len(theirs) == STEPS
    for our, their in zip(ours, theirs, strict=True):
        assert abs(our - their) / abs(their) < 1e-4
    (our_labels, our_logits), (their_labels, their_logits) = labels(trained[0], held_out), labels(their_model, held_out)
    assert our_labels == their_labels
    assert torch.allclose(our_logits, their_logits, atol=1e-3)


def test_two_runs_are_bit_identical(compose):
    cell = compose("method=lora", *SETTINGS)
    rows = examples(cell)
    assert our_losses(cell, rows) == our_losses(cell, rows)


def test_frozen_parameters_are_bit_identical_after_training(compose):
    cell = compose("method=lora", *SETTINGS)
    frozen = {n: p.detach().clone() for n, p in adapted(cell)[0].named_parameters() if not p.requires_grad}
    assert frozen

    def check(model):
        parameters = dict(model.named_parameters())
        assert all(torch.equal(parameters[name], value) for name, value in frozen.items())

    our_losses(cell, examples(cell), after=check)


def test_accumulation_gives_the_whole_batch_loss(compose):
    # Without dropout, the only difference left is the order of sums.
    whole = compose("method=bitfit", *SETTINGS)
    parts = compose("method=bitfit", *SETTINGS, "training.micro_batch_size=2")
    rows = examples(whole)
    with no_dropout():
        first, second = our_losses(whole, rows), our_losses(parts, rows)
    assert first == pytest.approx(second, rel=1e-4)


def test_evaluations_are_spread_evenly_and_end_with_the_last_step(compose):
    seen = []
    cell = compose("method=bitfit", *SETTINGS, "training.evaluations=3")
    our_losses(cell, examples(cell), evaluate=seen.append)
    assert seen == [4, 8, 12]


def test_a_loss_that_is_not_a_number_stops_the_cell(compose):
    cell = compose("method=full", *SETTINGS, "training.learning_rate=1e30", "training.max_grad_norm=null")
    with pytest.raises(TrainingDivergedError, match=r"the loss became (nan|inf) at step \d"):
        our_losses(cell, examples(cell))


class no_dropout:  # noqa: N801  # reads as a phrase where it is used
    def __enter__(self):
        self.original = torch.nn.Dropout.forward
        torch.nn.Dropout.forward = lambda module, x: x

    def __exit__(self, *_):
        torch.nn.Dropout.forward = self.original


def test_a_tensor_that_is_counted_but_never_used_ends_the_training_with_its_name(compose):
    cell = compose("method=lora", "training.batch_size=8")
    rows = examples(cell, 16)

    def unused(model):
        model.register_parameter("spare", torch.nn.Parameter(torch.zeros(3)))

    with pytest.raises(UnsupportedError, match=r"LoRA.*does not depend on 1 .*spare") as caught:
        our_losses(cell, rows, before=unused)
    assert "\n" not in str(caught.value)


def test_after_a_step_that_was_left_out_nothing_is_done(compose, monkeypatch):
    """Its gradients overflowed: a method that reads them would remember infinities, and the rate would fall."""
    cell, acted, numbers, step = compose("method=lora", *SETTINGS), [], iter(range(1, STEPS + 1)), Arithmetic.step
    monkeypatch.setattr(Arithmetic, "step", lambda *given: next(numbers) != 3 and step(*given))
    monkeypatch.setattr("bench.methods.base.Method.after_step", lambda self, model, step: acted.append(step))
    our_losses(cell, examples(cell))
    assert acted == [step for step in range(1, STEPS + 1) if step != 3]
