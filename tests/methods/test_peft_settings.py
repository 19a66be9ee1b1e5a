"""Every setting of every type of the peft library changes something in the trained model, or is refused by its name."""

import dataclasses
from typing import Any, Literal, get_args, get_origin, get_type_hints

import pytest
import torch

from bench.errors import UserError
from bench.methods.library.refusals import TYPES as NOT_OFFERED
from bench.methods.library.values import kinds_of
from bench.methods.peft_any import TYPES
from tests.methods.peft_settings import FITTING
from tests.tiny import Adapted, logits_of, settings_of, tiny_batch

# Settings whose other values an annotation does not tell.
VALUES: dict[str, list[Any]] = {
    "alpha_pattern": [{"query": 64}],
    "bias": ["all"],
    "block_size_pattern": [{"query": 8}],
    "effective_rank": [4],
    "exclude_modules": [["value", "output.dense", "embeddings.LayerNorm"]],
    "feedforward_modules": [["key"]],
    "init_lora_weights": [False, "gaussian", "olora", "pissa", "pissa_niter_4", "orthogonal", "mica"],
    "lambda_pattern": [{"query": 3.0}],
    "layers_to_transform": [[0]],
    "module_dropout": [0.5],
    "modules_to_save": [["attention.output.LayerNorm"]],
    "n_frequency_pattern": [{"query": 8}],
    "rank_pattern": [{"query": 2}],
    "target_modules": [["key"], ["attention.output.LayerNorm"]],
    "trainable_token_indices": [[3, 4]],
}
# Of configurations within configurations, which are refused or need what this machine may lack; and names alone.
NOT_WALKED = ("layers_pattern", "loftq_config", "prompt_tuning_init_text", "target_parameters", "token_indices",
    "tokenizer_kwargs", "tokenizer_name_or_path", "use_bdlora", "velora_config")  # fmt: skip
# What only a longer training or other shapes would show.
NOT_SEEN_HERE = {
    ("ADALORA", "beta1"): "the same singular values are the least important ones",
    ("ADALORA", "beta2"): "as beta1",
    ("ADALORA", "deltaT"): "few steps",
    ("C3A", "init_weights", False): "another name of the default",
    ("WAVEFT", "proportional_parameters"): "all targets are of one size",
}


def others(key: str, hint: Any, default: Any) -> list[Any]:
    """Values of a setting besides its default."""
    if key in VALUES:
        return [value for value in VALUES[key] if value != default]
    found: list[Any] = []
    for kind in kinds_of(hint):
        if kind is bool:
            found.append(not default)
        elif kind is int:
            found.append(2 * default if isinstance(default, int) and default else 2)
        elif kind is float:
            found.append(0.5 * default if isinstance(default, int | float) and default else 0.3)
        elif get_origin(kind) is Literal:
            found += [word for word in get_args(kind) if word != default]
    return found


def trained(kind: str, settings: dict[str, Any]) -> tuple[Any, ...]:
    method = Adapted(settings_of("peft/any") | {"settings": {"type": kind} | settings}, "encoder", total_steps=4)
    torch.manual_seed(5)
    losses = method.train(4)
    shapes = [(key, p.shape) for key, p in method.model.named_parameters() if p.requires_grad]
    return losses, shapes, logits_of(method.model, tiny_batch("encoder", 3)).tolist()


def fields(kind: str) -> dict[str, Any]:
    """The settings of a type, at the values that fit the tiny model."""
    return {
        field.name: FITTING.get(kind, {}).get(
            field.name,
            field.default if field.default_factory is dataclasses.MISSING else field.default_factory(),
        )
        for field in dataclasses.fields(TYPES[kind])
        if field.init and field.name not in ("peft_type", *NOT_WALKED)
    }


@pytest.mark.parametrize("kind", sorted(TYPES.keys() - NOT_OFFERED.keys() - {"ADAPTION_PROMPT"}))
def test_a_setting_changes_something_or_is_refused(kind):
    base = FITTING.get(kind, {})
    hints, before, idle = get_type_hints(TYPES[kind]), trained(kind, base), []
    for key, default in fields(kind).items():
        for value in others(key, hints[key], default):
            try:
                same = trained(kind, base | {key: value}) == before
            except UserError as error:
                assert kind in str(error) or key in str(error)  # noqa: PT017
                assert "\n" not in str(error)  # noqa: PT017
                continue
            if (
                same
                and not {(kind, key), (kind, key, value if isinstance(value, bool) else None)} & NOT_SEEN_HERE.keys()
            ):
                idle.append(f"{key}={value}")
    assert not idle


def lora(**settings: Any) -> Adapted:
    return Adapted(settings_of("peft/any") | {"settings": {"type": "LORA"} | settings}, "encoder")


@pytest.mark.parametrize("layers", [[0], 0])
def test_layers_are_chosen_among_the_default_targets(layers):
    method = lora(layers_to_transform=layers)
    adapted = [key for key, module in method.model.named_modules() if hasattr(module, "lora_A")]
    assert len(adapted) == 2
    assert all(".layer.0." in key for key in adapted)


@pytest.mark.parametrize(
    "settings",
    [
        {"layers_to_transform": [1], "target_modules": "all-linear"},
        {"layers_to_transform": [1], "target_modules": [f"roberta.encoder.layer.{i}.output.dense" for i in (0, 1)]},
        {"layers_to_transform": [1], "layers_pattern": "layer", "target_modules": ["dense"]},
    ],
)
def test_layers_are_chosen_among_any_targets(settings):
    method = lora(**settings)
    adapted = [key for key, module in method.model.named_modules() if hasattr(module, "lora_A")]
    assert adapted
    assert all(".layer.1." in key for key in adapted)


@pytest.mark.parametrize("where", ["eva", "corda", "lora_ga"])
def test_beginnings_found_in_data_are_refused(where):
    with pytest.raises(UserError, match=f"init_lora_weights={where} is not offered: it is found in training data"):
        lora(init_lora_weights=where)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"layers_to_transform": [0, 7]}, "layers_to_transform: 7 changes nothing"),
        ({"layers_to_transform": 7}, "no module is left to adapt with peft.layers_to_transform=7"),
        ({"layers_to_transform": "0"}, "must be a layer's number"),
        ({"layers_to_transform": [0], "layers_pattern": "blocks"}, "no module is left"),
        ({"target_modules": ["query", "qeury"]}, "target_modules: qeury names no module"),
        ({"target_modules": ["classifier.dense"]}, "classifier.dense names no module outside the task head"),
        ({"target_modules": "query"}, r"a list has ends of paths: peft.target_modules=\[query\]"),
        ({"target_modules": []}, "names nothing to adapt"),
        ({"exclude_modules": ["lm_head"]}, "exclude_modules: lm_head changes nothing"),
        ({"exclude_modules": "("}, "no regular expression"),
        ({"rank_pattern": {"qu": 2}}, "rank_pattern: qu names none"),
        ({"rank_pattern": "query"}, "must map names to numbers"),
        ({"alpha_pattern": {"query": "x"}}, "must map names to numbers"),
        ({"modules_to_save": ["classifier"]}, "outside the task head, which every method trains"),
        ({"modules_to_save": "LayerNorm"}, r"must be a list: peft.modules_to_save=\[LayerNorm\]"),
        ({"target_parameters": ["experts.gate"]}, "names no parameter"),
        ({"velora_config": {"groups": 4}}, "unknown key of peft.velora_config 'groups'"),
        ({"loftq_config": {"loftq_bits": 2}}, "no effect without peft.init_lora_weights=loftq"),
        ({"init_lora_weights": "gausian"}, "must be one of true, false, gaussian"),
        ({"use_dora": "maybe"}, "must be true or false"),
        ({"r": 4.5}, "must be a whole number"),
        ({"r": 0}, "must be greater than 0"),
        ({"lora_alpha": float("inf")}, "must be a finite number"),
        ({"lora_alpha": 1e300}, "must be a finite number, as float32 has them"),
        ({"lora_dropout": 1.0}, "at least 0 and below 1"),
        ({"task_type": "SEQ_CLS"}, "the harness says that to the library itself"),
        ({"inference_mode": True}, "nothing would be trained"),
        ({"fan_in_fan_out": True}, "the library ignores it"),
    ],
)
def test_what_would_pass_in_silence_is_one_line(settings, words):
    with pytest.raises(UserError, match=words) as caught:
        lora(**settings)
    assert "\n" not in str(caught.value)


def test_biases_where_there_are_none():
    with pytest.raises(UserError, match="bias=all changes nothing in this model"):
        Adapted(settings_of("peft/any") | {"settings": {"type": "LORA", "bias": "all"}}, "decoder")


def test_a_value_that_is_the_default_anyway_is_let_through():
    lora(task_type=None, inference_mode=False, fan_in_fan_out=False, target_modules=None)
