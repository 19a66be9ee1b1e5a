"""Every tuner of the installed peft library trains what it counts, or ends in the library's reason or in ours."""

import re

import pytest
import torch
from torch import nn

from bench.errors import UnsupportedError, UserError
from bench.methods.library.refusals import TYPES as NOT_OFFERED
from bench.methods.peft_any import TYPES
from bench.models.head import head_parameters
from tests.methods.peft_settings import FITTING
from tests.tiny import Adapted, settings_of, tiny_batch, tiny_model

MODELS = {
    "roberta": ("encoder", {}),
    "electra": ("encoder", {"model_type": "electra", "embedding_size": 16}),  # as the published small one: narrower
    "t5": ("encoder_decoder", {}),
    "llama": ("decoder", {}),
}


def adapted(model, total_steps=20, **settings):
    family, changes = MODELS[model]
    base = tiny_model(family, **changes)
    return Adapted(settings_of("peft/any") | {"settings": settings}, family, base=base, total_steps=total_steps)


def of_method(method):
    """What is trained besides the head."""
    head = {name for name, _ in head_parameters(method.model, method.setting.structure)}
    return {key: p for key, p in method.model.named_parameters() if p.requires_grad and key not in head}


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("kind", sorted(TYPES))
def test_all_that_is_counted_gets_a_gradient_in_two_steps_and_the_rest_stays(kind, model):
    try:
        method = adapted(model, type=kind, **FITTING.get(kind, {}))
        method.train(1)  # prepares, and moves what starts at zero
    except UserError as error:
        assert kind in str(error)  # noqa: PT017
        assert "\n" not in str(error)  # noqa: PT017
        return
    frozen = {key: p.detach().clone() for key, p in method.model.named_parameters() if not p.requires_grad}
    method.model(**tiny_batch(method.family)).loss.backward()
    assert of_method(method)
    for key, parameter in method.model.named_parameters():
        if parameter.requires_grad:
            assert parameter.grad is not None, key
            assert parameter.grad.any(), key
            # A few entries may stand behind units that are off.
            assert (parameter.grad != 0).float().mean() > 0.9 or method.method.without_gradient, key
    method.model.zero_grad()
    method.train(1)
    assert all(torch.equal(p, frozen[key]) for key, p in method.model.named_parameters() if key in frozen)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize(
    "kind",
    ["ADALORA", "BEFT", "IA3", "LN_TUNING", "LOHA", "LOKR", "LORA", "OFT", "PROMPT_TUNING", "P_TUNING", "VERA"],
)
def test_well_known_ones_work_everywhere(kind, model):
    losses = adapted(model, type=kind, **FITTING.get(kind, {})).train(10)
    assert min(losses) < losses[0]


@pytest.mark.parametrize("kind", sorted(NOT_OFFERED))
def test_what_a_cell_cannot_give_it_is_said(kind):
    with pytest.raises(UnsupportedError, match=f"peft.type={kind} is not offered: .*(cell|method|loss)"):
        adapted("llama", type=kind)


class TestAdaLora:
    """The same life as `method=adalora`."""

    SCHEDULE = {"init_r": 4, "target_r": 1, "tinit": 1, "tfinal": 1}  # noqa: RUF012

    def test_ranks_fall_to_the_target(self):
        method = adapted("roberta", total_steps=8, type="ADALORA", **self.SCHEDULE)
        method.train(8)
        values = torch.cat([p.flatten() for key, p in of_method(method).items() if "lora_E" in key])
        assert len(values) == 4 * 4
        assert values.count_nonzero() == 4 * 1

    def test_the_loss_has_the_orthogonality_in_it(self):
        first, second = (
            adapted("roberta", type="ADALORA", orth_reg_weight=weight, **self.SCHEDULE).train(1)[0] for weight in (0, 1)
        )
        assert second > first + 0.1

    def test_a_checkpoint_has_what_the_next_pruning_goes_by(self):
        whole = adapted("roberta", total_steps=8, type="ADALORA", **self.SCHEDULE)
        whole.train(4)
        state = {key: value.clone() for key, value in whole.method.checkpoint_state(whole.model).items()}
        fresh = adapted("roberta", total_steps=8, type="ADALORA", **self.SCHEDULE)
        fresh.method.load_checkpoint_state(fresh.model, state)
        again = fresh.method.checkpoint_state(fresh.model)
        assert again.keys() == state.keys()
        assert all(torch.equal(again[key], state[key]) for key in state)

    @pytest.mark.parametrize(
        ("settings", "words"),
        [
            ({"r": 4}, "peft.r has no effect"),
            ({"use_rslora": True}, "peft.use_rslora has no effect"),
            ({"init_lora_weights": "pissa"}, "init_lora_weights=pissa has no effect"),
            ({"total_step": 1000}, "number of steps is filled in"),
            ({"target_r": 20}, "target_r=20 exceeds peft.init_r=4"),
            ({"tinit": 19}, "budgeting phase"),
            ({"tfinal": 19}, "2 steps before its last"),
        ],
    )
    def test_what_it_would_pass_over_is_refused(self, settings, words):
        with pytest.raises(UserError, match=words):
            adapted("roberta", type="ADALORA", **(self.SCHEDULE | settings))


@pytest.mark.parametrize("model", MODELS)
def test_norm_tuning_trains_every_norm_and_nothing_else(model):
    method = adapted(model, type="LN_TUNING")
    bare = tiny_model(MODELS[model][0], **MODELS[model][1])
    norms = [module for module in bare.modules() if "Norm" in type(module).__name__]
    assert sum(p.numel() for p in of_method(method).values()) == sum(
        p.numel() for norm in norms for p in norm.parameters()
    )
    assert all(p.dim() == 1 for p in of_method(method).values())


@pytest.mark.parametrize("model", MODELS)
def test_all_linear_means_the_blocks(model):
    method = adapted(model, type="LORA", r=2, target_modules="all-linear")
    inside = method.model.get_base_model()
    found = {key for key, module in inside.named_modules() if hasattr(module, "lora_A")}
    assert found == set(method.setting.structure.linears)


@pytest.mark.parametrize("targets", [["dense"], ".*dense", ["dense", "query"]])
def test_names_that_the_head_shares_choose_the_base_alone(targets):
    method = adapted("roberta", type="LORA", r=2, target_modules=targets)
    assert not [key for key in of_method(method) if "classifier" in key]
    assert len([key for key in of_method(method) if ".intermediate.dense.lora_A" in key]) == 2
    assert not any("lora" in key for key, _ in head_parameters(method.model, method.setting.structure))


@pytest.mark.parametrize(("model", "base"), [("electra", 16), ("roberta", 64)])
@pytest.mark.parametrize("method", ["prompt_tuning", "PROMPT_TUNING", "P_TUNING"])
def test_a_prompt_is_as_wide_as_the_embeddings(method, model, base):
    family, changes = MODELS[model]
    if method == "prompt_tuning":
        method = Adapted(settings_of(method), family, base=tiny_model(family, **changes))
    else:
        method = adapted(model, type=method, num_virtual_tokens=4)
    losses = method.train(10)
    assert min(losses) < losses[0]
    embeddings = [m for m in method.model.prompt_encoder.modules() if isinstance(m, nn.Embedding)]
    assert [embedding.weight.shape for embedding in embeddings] == [(4, base)]


def test_a_prompt_takes_positions():
    with pytest.raises(UserError, match=r"60 virtual tokens .* exceed the model's 65 positions"):
        adapted("roberta", type="PROMPT_TUNING", num_virtual_tokens=60)


def test_a_t5_has_one_prompt_which_generation_uses_too():
    method = adapted("t5", type="PROMPT_TUNING", num_virtual_tokens=4)
    assert [p.shape for p in of_method(method).values()] == [(4, 64)]


@pytest.mark.parametrize("kind", ["PREFIX_TUNING", "CARTRIDGE"])
def test_prefixes_in_the_cache_are_refused_where_the_library_loses_them(kind):
    with pytest.raises(UnsupportedError, match="a part of it is never used"):
        adapted("t5", type=kind)
    with pytest.raises(UnsupportedError, match="gradient checkpointing"):
        Adapted(settings_of("peft/any") | {"settings": {"type": kind}}, "decoder", gradient_checkpointing=True)


def test_lily_shares_its_matrices_among_layers():
    """It groups targets by the ends of their names, which are lost where each is given by its whole path."""
    method = adapted("roberta", type="LILY", r=4, stride_A=2)
    layers = [module for module in method.model.modules() if hasattr(module, "lily_A")]
    assert len({id(layer.lily_A["default"]) for layer in layers}) == 2  # of the queries and of the values
    assert len(layers) == 4


def test_a_module_that_is_dropped_in_the_first_batch_is_no_fault():
    adapted("roberta", type="LOHA", module_dropout=0.5).train(2)


def test_settings_reach_the_library():
    first, second = (adapted("roberta", type="LOHA", r=r) for r in (2, 4))
    assert 2 * sum(p.numel() for p in of_method(first).values()) == sum(p.numel() for p in of_method(second).values())


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"type": "LOHAA"}, "did you mean LOHA"),
        ({"type": "LOHA", "rank": 4}, "unknown setting of peft.type=LOHA 'rank'"),
        ({"r": 4}, "needs peft.type"),
        ({"type": "ADAPTION_PROMPT"}, "needs peft.adapter_len"),
        ({"type": "TRAINABLE_TOKENS"}, "needs peft.token_indices"),
        ({"type": "CARTRIDGE", "num_virtual_tokens": 2, "num_frozen_tokens": 2}, "trains nothing"),
    ],
)
def test_mistakes_are_one_clear_line(settings, words):
    with pytest.raises(UserError, match=words) as caught:
        adapted("roberta", **settings)
    assert "\n" not in str(caught.value)


def test_the_librarys_reason_is_one_line_of_bounded_length():
    with pytest.raises(UnsupportedError, match=re.escape("LORA on RobertaForSequenceClassification")) as caught:
        adapted("roberta", type="LORA", target_modules=["attention"])
    assert "following modules are supported" in str(caught.value)
    assert len(str(caught.value)) < 500


def test_the_command_lines_own_words(compose):
    cell = compose("method=peft/any", "peft.type=LOHA", "peft.r=8")
    assert cell.config["method"]["settings"] == {"type": "LOHA", "r": 8}
    other = compose("method=peft/any", "peft.type=LOHA", "peft.r=4")
    assert cell.id != other.id
    with pytest.raises(UserError, match="belongs to method=peft/any"):
        compose("method=lora", "peft.r=8")


def test_an_unsupported_pair_is_a_record(compose):
    from bench.records.schema import Status
    from bench.running.runner import run_cell

    settings = ("peft.type=ADAPTION_PROMPT", "peft.adapter_len=4", "peft.adapter_layers=1", "data.limit_train=32")
    record, path = run_cell(compose("method=peft/any", *settings))
    assert record.status == Status.unsupported
    assert "ADAPTION_PROMPT on RobertaForSequenceClassification" in record.error.message
    assert path.is_file()
