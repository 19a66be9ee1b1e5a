"""What the library offers and the harness does not: types, settings and values, each with its reason.

Most of it would pass in silence: the library takes the setting and leaves what it needs to a training loop of the
user's own.
"""

from dataclasses import dataclass
from typing import Any

from bench.configuration.schema import Family
from bench.configuration.without_row import TYPES as WITHOUT_ROW
from bench.errors import UnsupportedError, UserError
from bench.methods.base import Setting
from bench.methods.shared.peft_library import IN_THE_CACHE

# Types that cannot run at all.
TYPES = {kind: absent.why for kind, absent in WITHOUT_ROW.items() if not absent.instead}

ITSELF = "the harness says that to the library itself; leave it out"
FROM_MODEL = "that is read from the model; leave it out"
NO_DATA = "it is found in training data by a call that the library leaves to its user, and nobody makes it here"
NO_LOSS = "the library leaves the loss that belongs to it to a training loop of one's own"

ONLY_SAVING = "it only says what the library's own files hold"
NO_REALLOTMENT = "the library leaves that reallotment to a training loop of one's own"

# By setting, for every type that has it; a value that is the library's default anyway is let through.
SETTINGS = {
    "alora_invocation_tokens": "it acts behind these tokens alone, which no task's prompt has",
    "arrow_config": "it routes between adapters that were trained before, and a cell has none",
    "asa_importance_beta": NO_REALLOTMENT,
    "asa_schedule_exponent": NO_REALLOTMENT,
    "asa_target_subspaces": NO_REALLOTMENT,
    "asa_uncertainty_beta": NO_REALLOTMENT,
    "auto_mapping": ITSELF,
    "base_model_name_or_path": "model=… and model.path=… say which base it is",
    "boft_n_butterfly_factor": "the library takes 1 where its own CUDA extension is not built",
    "corda_config": f"CorDA is not offered: {NO_DATA}",
    "ensure_weight_tying": "nothing is adapted that is tied, unless it is named by itself",
    "eva_config": f"EVA is not offered: {NO_DATA}",
    "fan_in_fan_out": "the models here have torch's linear layers, for which the library ignores it",
    "final_warmup": NO_REALLOTMENT,
    "inference_mode": "nothing would be trained",
    "init_warmup": NO_REALLOTMENT,
    "kasa_config": f"KaSA is not offered: {NO_LOSS}",
    "layer_replication": "the model would no longer be the one that model=… names",
    "lora_ga_config": f"LoRA-GA is not offered: {NO_DATA}",
    "mask_interval": NO_REALLOTMENT,
    "megatron_config": "the models here are not Megatron's",
    "megatron_core": "the models here are not Megatron's",
    "monteclora_config": f"MonteCLoRA is not offered: {NO_LOSS}",
    "num_attention_heads": FROM_MODEL,
    "num_layers": FROM_MODEL,
    "num_transformer_submodules": "the prompt stands before the encoder's text alone, as in method=prompt_tuning: the "
    "library would leave a decoder's out when it generates",
    "peft_version": ITSELF,
    "progressbar": "it changes nothing but what is printed",
    "psoft_alpha": "the library divides by it and multiplies with it again",
    "qalora_group_size": "it needs a base quantised by GPTQ",
    "revision": "model.revision=… says which base it is",
    "runtime_config": "it only moves work between devices",
    "runtime_offload_base_weight": "it only moves work between devices",
    "save_indices": ONLY_SAVING,
    "save_only_topk_weights": ONLY_SAVING,
    "save_precomputed_indices": ONLY_SAVING,
    "save_projection": ONLY_SAVING,
    "task_type": ITSELF,
    "token_dim": FROM_MODEL,
    "total_step": "the cell's number of steps is filled in; training.max_steps=… or training.epochs=… sets it",
    "use_asa": NO_REALLOTMENT,
    "use_effective_conv2d": "the models here have no convolutions",
    "use_qalora": "it needs a base quantised by GPTQ",
}

# By type and setting, where other types have the same setting and heed it.
SETTINGS_OF_TYPES = {
    ("HIRA", "rank_pattern"): "the library (peft 0.21) reads it and goes on with peft.r",
    ("OFT", "module_dropout"): "the library (peft 0.21) makes the layer that drops blocks and never calls it",
}

# Beginnings that the library draws at random unless it is called with data.
DATA_DRIVEN = ("corda", "eva", "lora_ga")

# Values that leave memory as it was found.
UNSET = {("TINYLORA", "init_weights", False), ("ADAMSS", "init_weights", None)}

# LoRA's settings that AdaLoRA's class inherits and never looks at.
NOT_OF_ADALORA = ("alpha_pattern", "loftq_config", "lora_bias", "use_bdlora", "use_rslora", "velora_config")


@dataclass(frozen=True)
class Needs:
    """A setting that acts only where another one has one of these values, or differs from its default.

    Attributes:
        setting: the one that acts.
        other: the one that it needs.
        values: none: any but the default.
        kind: the type; none: all that have both.
    """

    setting: str
    other: str
    values: tuple[Any, ...] = ()
    kind: str = ""


CONDITIONS = (
    Needs("cayley_neumann_eps", "use_cayley_neumann", (True,)),
    Needs("encoder_dropout", "encoder_reparameterization_type", ("LSTM",)),
    Needs("encoder_hidden_size", "prefix_projection", (True,), kind="PREFIX_TUNING"),
    Needs("encoder_num_layers", "encoder_reparameterization_type", ("LSTM",)),
    Needs("eps", "coft", (True,), kind="OFT"),
    Needs("init_v_bound", "init_weights", ("uniform",), kind="TINYLORA"),
    Needs("init_scale", "init_weights", (False,), kind="DEFT"),
    Needs("loftq_config", "init_lora_weights", ("loftq",)),
    Needs("lora_dropout", "r", kind="SUPERTUNING"),
    Needs("mini_r", "init_weights", ("mini",), kind="MISS"),
    Needs("num_cayley_neumann_terms", "use_cayley_neumann", (True,)),
    Needs("prompt_tuning_init_text", "prompt_tuning_init", ("TEXT",)),
    Needs("psoft_svd_lowrank_niter", "psoft_svd", ("lowrank",)),
    Needs("random_seed", "psoft_svd", ("lowrank",), kind="PSOFT"),
    Needs("rank_dropout_scale", "rank_dropout"),
    Needs("svd_threshold", "use_dynamic_rank", (True,)),
    Needs("tokenizer_kwargs", "prompt_tuning_init", ("TEXT",)),
    Needs("tokenizer_name_or_path", "prompt_tuning_init", ("TEXT",)),
)


def refuse(kind: str, given: dict[str, Any], defaults: dict[str, Any], setting: Setting) -> None:
    """Refuse what cannot be had of a type, or with this model.

    Args:
        kind: the library's name of the type.
        given: the settings that differ from the library's defaults.
        defaults: these, of every setting of the type.
        setting: the cell's.

    Raises:
        UserError: a setting, or one of its values.
        UnsupportedError: the type, here or with this model.
    """
    if kind in TYPES:
        raise UnsupportedError(f"peft.type={kind} is not offered: {TYPES[kind]}")
    _refuse_prefix(kind, setting)
    for key, value in given.items():
        if reason := SETTINGS.get(key) or SETTINGS_OF_TYPES.get((kind, key)):
            raise UserError(f"peft.{key}={value} cannot be had with peft.type={kind}: {reason}")
        if key.startswith("init_") and str(value).lower().startswith(DATA_DRIVEN):
            raise UserError(f"peft.{key}={value} is not offered: {NO_DATA}")
        if isinstance(value, bool | None) and (kind, key, value) in UNSET:
            raise UserError(f"peft.{key}={value} leaves what peft.type={kind} trains without a beginning")
    if kind == "ADALORA":
        _refuse_adalora(given)
    for needs in CONDITIONS:
        if needs.setting in given and needs.other in defaults and needs.kind in ("", kind):
            _check_needs(needs, given, defaults)


def _check_needs(needs: Needs, given: dict[str, Any], defaults: dict[str, Any]) -> None:
    if needs.values and (defaults | given)[needs.other] not in needs.values:
        wanted = f"peft.{needs.other}={' or '.join(map(str, needs.values))}"
    elif not needs.values and needs.other not in given:
        wanted = f"peft.{needs.other}=…"
    else:
        return
    raise UserError(f"peft.{needs.setting}={given[needs.setting]} has no effect without {wanted}")


def _refuse_prefix(kind: str, setting: Setting) -> None:
    if kind not in IN_THE_CACHE:
        return
    if setting.family == Family.encoder_decoder:
        raise UnsupportedError(
            f"peft.type={kind} on an encoder-decoder: the library shares a prefix out as if each layer attended twice, "
            f"and a part of it is never used; see method=prefix_tuning"
        )
    if setting.gradient_checkpointing:
        raise UnsupportedError(
            f"peft.type={kind} keeps its prefix in the cache of keys and values, which gradient checkpointing turns "
            f"off; use training.gradient_checkpointing=false"
        )


def _refuse_adalora(given: dict[str, Any]) -> None:
    for key in ("r", "rank_pattern"):
        if key in given:
            raise UserError(
                f"peft.{key} has no effect with peft.type=ADALORA, whose ranks are peft.init_r and peft.target_r"
            )
    for key in NOT_OF_ADALORA:
        if key in given:
            raise UserError(f"peft.{key} has no effect with peft.type=ADALORA, whose layers are not LoRA's")
    if not isinstance(value := given.get("init_lora_weights", True), bool):
        raise UserError(f"peft.init_lora_weights={value} has no effect with peft.type=ADALORA, which has one beginning")
