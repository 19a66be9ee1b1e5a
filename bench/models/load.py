"""Load a pretrained model: from the hub, a local folder, the package, or a random initialiser.

One road for all sources: transformers' Auto classes on a folder or a repository id. No remote code is executed, and
only safetensors are read unless the configuration insists on pickle.
"""

import copy
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoModelForSeq2SeqLM,
    AutoModelForSequenceClassification,
    PretrainedConfig,
)

from bench.configuration.cell import AttentionKind, Family, ModelConfig, Quantisation, Weights
from bench.errors import UserError
from bench.models.families import structure_of
from bench.models.head import Head
from bench.models.quantisation import nf4_options, quantise, settle
from bench.system.hub import offline_if_unreachable
from bench.system.quiet import quiet_transformers

AUTO_CLASSES: dict[Family, Any] = {
    Family.encoder: AutoModelForSequenceClassification,
    Family.encoder_decoder: AutoModelForSeq2SeqLM,
    Family.decoder: AutoModelForCausalLM,
}

quiet_transformers()


def source_of(config: ModelConfig) -> str:
    """The folder or hub repository that the configuration names.

    Raises:
        UserError: it names none, or a folder that is not a model's.
    """
    if config.path is not None:
        folder = Path(config.path).expanduser()
        if not (folder / "config.json").is_file():
            raise UserError(f"model.path={config.path}: no model there (config.json is missing)")
        return str(folder)
    if config.shipped is not None:
        from bench.miniature.backbones import backbone_path

        return str(backbone_path(config.shipped))
    if config.hub is None:
        raise UserError(f"model '{config.name}' has no files; add model.path=FOLDER or model.hub=OWNER/NAME")
    return config.hub


def load_architecture(config: ModelConfig, head: Head | None) -> PretrainedConfig:
    """The model's transformers configuration, with the head's labels set.

    Random weights need no files where the configuration spells the architecture out.
    """
    labels: dict[str, Any] = {}
    if head is not None:
        kind = "regression" if head.regression else "single_label_classification"
        labels = {"num_labels": head.labels, "problem_type": kind}
    if config.weights == Weights.random and config.architecture:
        return published_architecture(config, labels)
    read: PretrainedConfig = from_hub(config, AutoConfig, **labels)
    return read


def published_architecture(config: ModelConfig, labels: dict[str, Any]) -> PretrainedConfig:
    """Build the configuration that `model.architecture` spells out, for random weights and for counting.

    Raises:
        UserError: there is none, or transformers does not know it.
    """
    if not config.architecture:
        raise UserError(f"model '{config.name}' spells out no architecture; add model.path=FOLDER or a network")
    if "attn_implementation" in config.architecture:
        raise UserError("model.architecture.attn_implementation is no part of an architecture; say model.attention=…")
    try:
        built: PretrainedConfig = AutoConfig.for_model(**config.architecture, **labels)
        return built
    except (ValueError, TypeError) as error:
        raise UserError(f"model.architecture of '{config.name}': {_first_line(error)}") from error


def build_empty(config: ModelConfig, architecture: PretrainedConfig) -> nn.Module:
    """Build the model on the meta device: every module and shape, no values, no memory."""
    with torch.device("meta"):
        empty: nn.Module = _from_config(config, architecture)
    return empty


def load_model(
    config: ModelConfig, architecture: PretrainedConfig, quantisation: Quantisation = Quantisation.none
) -> nn.Module:
    """Load the model with its weights in fp32, in training mode and with every parameter trainable.

    Args:
        config: which model, and where from.
        architecture: as `load_architecture` returns it; its labels decide the head.
        quantisation: how the base's linear layers are stored.

    Raises:
        UserError: the files are missing, unreachable, or pickle without `allow_pickle`.
    """
    model: nn.Module
    if config.weights == Weights.random:
        model = _from_config(config, architecture)
        if quantisation == Quantisation.nf4:
            quantise(model, structure_of(model, config.family).linears)
    else:
        model = from_hub(
            config,
            AUTO_CLASSES[config.family],
            config=architecture,
            attn_implementation=config.attention.value,
            dtype=torch.float32,
            use_safetensors=None if config.allow_pickle else True,
            **(nf4_options() if quantisation == Quantisation.nf4 else {}),
        )
    if quantisation == Quantisation.nf4:
        settle(model)
    model.train()
    return model


def _from_config(config: ModelConfig, architecture: PretrainedConfig) -> Any:
    try:
        # A copy, as `from_pretrained` makes one: methods change the attention of their own model only.
        return AUTO_CLASSES[config.family].from_config(
            copy.deepcopy(architecture), attn_implementation=config.attention.value, dtype=torch.float32
        )
    except ValueError as error:
        if config.attention == AttentionKind.sdpa and "attn_implementation" in str(error):
            raise UserError(f"{config.name} has no fused attention; say model.attention=eager") from error
        raise UserError(f"{source_of(config)} is no {config.family} model: {_first_line(error)}") from error


def from_hub(model: ModelConfig, auto_class: Any, **options: Any) -> Any:
    """What `auto_class` makes of the model's files.

    Raises:
        UserError: they are missing, unreachable, or pickle without `allow_pickle`.
    """
    source = source_of(model)
    local = model.path is not None or model.shipped is not None
    offline = not local and offline_if_unreachable()
    try:
        return auto_class.from_pretrained(
            source, revision=model.revision or "main", trust_remote_code=False, local_files_only=local, **options
        )
    except (OSError, ValueError) as error:
        if "safetensors" in str(error) and not model.allow_pickle:
            raise UserError(
                f"{source} has no safetensors; a pickle checkpoint can run code when read, "
                f"add model.allow_pickle=true if you trust it"
            ) from error
        if offline:
            raise UserError(
                f"the model {source} is not on this machine, and the hub cannot be reached; run `bench fetch` with the "
                f"same settings where there is a network, or give model.path=FOLDER"
            ) from error
        raise UserError(f"cannot load {source}: {_first_line(error)}") from error


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0].rstrip(".")
