"""Load a pretrained model: from the hub, a local folder, the package, or a random initialiser.

One road for all sources: transformers' Auto classes on a folder or a repository id. No remote code is executed, and
only safetensors are read unless the configuration insists on pickle.
"""

import copy
from typing import Any

import torch
from safetensors import SafetensorError
from torch import nn
from transformers import AutoConfig, PretrainedConfig

from bench.configuration.schema import AttentionKind, Dtype, HeadWeights, ModelConfig, Quantisation, Weights
from bench.errors import UserError
from bench.models.already_quantised import refuse_packed, refuse_quantised
from bench.models.attention import buildable, implementation
from bench.models.auto_classes import auto_class
from bench.models.checkpoint import read_checkpoint
from bench.models.families import structure_of
from bench.models.head import Head, renew, with_pooler
from bench.models.last_token import read_last_token
from bench.models.number_types import TORCH, lower
from bench.models.quantisation import Packing, check_packed, quantise, reading_options, settle
from bench.models.report import Read, check_base, check_head, check_values
from bench.models.source import is_local, not_loaded, source_of, weights_folder
from bench.models.text_part import reading_names, text_part
from bench.system.hub import offline_if_unreachable
from bench.system.quiet import quiet_transformers

HOST = torch.device("cpu")

# A subfolder that no folder has. transformers looks for an adapter there, instead of beside the base, into which it
# would put it without a word.
NOWHERE = "\0"

quiet_transformers()


def load_architecture(config: ModelConfig, head: Head | None) -> PretrainedConfig:
    """The model's transformers configuration, with the head's labels set; its `problem_type` says there is a head.

    Random weights need no files where the configuration spells the architecture out.
    """
    labels: dict[str, Any] = {"problem_type": None}  # a checkpoint may have been saved with a head
    if head is not None:
        kind = "regression" if head.regression else "single_label_classification"
        labels = {"num_labels": head.labels, "problem_type": kind}
    if config.weights == Weights.random and config.architecture:
        return published_architecture(config, labels)
    try:
        read: PretrainedConfig = from_hub(config, AutoConfig, **labels)
    except UserError:
        raise
    except Exception as error:  # whatever the library makes of it, the file is the user's to mend
        raise _broken(config, error) from error
    if config.weights == Weights.pretrained:
        refuse_quantised(read, source_of(config))
    return text_part(read, config.family, labels)


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
        return text_part(built, config.family, labels)
    except (ValueError, TypeError) as error:
        raise UserError(f"model.architecture of '{config.name}': {_first_line(error)}") from error


def build_empty(config: ModelConfig, architecture: PretrainedConfig) -> nn.Module:
    """Build the model on the meta device: every module and shape, no values, no memory.

    Where the configured attention needs a GPU, it has another; see `bench.models.attention.buildable`.

    Raises:
        UserError: no model can be built of this architecture.
    """
    try:
        with torch.device("meta"):
            empty: nn.Module = _from_config(config, architecture, buildable(config, architecture))
    except UserError:
        raise
    except Exception as error:  # sizes of zero, or of text: the library has words of its own for each
        raise _broken(config, error) from error
    return empty


def load_model(
    config: ModelConfig,
    architecture: PretrainedConfig,
    quantisation: Quantisation = Quantisation.none,
    device: torch.device = HOST,
    dtype: Dtype = Dtype.float32,
) -> nn.Module:
    """Load the model in training mode and with every parameter trainable; a task head is in fp32.

    A fresh task head is drawn from torch's generator as it is at the call, whatever the checkpoint holds.

    Args:
        config: which model, and where from; attention as `bench.models.attention.settle` found it, `auto` is sdpa or
            eager here.
        architecture: as `load_architecture` returns it; its labels decide the head.
        quantisation: how the base's linear layers are stored.
        device: where a checkpoint's weights are put as they are read, so that a large model never fills the host's
            memory; random ones are drawn on the host in fp32, and are the same everywhere.
        dtype: of the base's values, those of linear layers that are not quantised.

    Raises:
        UserError: the files are missing, unreachable, or pickle without `allow_pickle`; their tensors are not those of
            this model, or no numbers.
    """
    model: nn.Module
    if config.weights == Weights.random:
        model = _from_config(config, architecture, _settled(config, architecture))
        structure = structure_of(model, config.family, config.structure)
        if quantisation != Quantisation.none:
            quantise(model, structure.linears, Packing.of(config, quantisation))
        lower(model, structure, dtype)
    else:
        model = _from_checkpoint(config, architecture, quantisation, device, dtype)
    if quantisation != Quantisation.none:
        settle(model)
    model.train()
    return model


def _from_checkpoint(
    config: ModelConfig,
    architecture: PretrainedConfig,
    quantisation: Quantisation,
    device: torch.device,
    dtype: Dtype,
) -> nn.Module:
    source, random_state = source_of(config), torch.get_rng_state()
    read = read_weights(config, architecture, quantisation, device, dtype)
    model: nn.Module = read.model
    report, structure = read.report, read.structure
    check_base(model, report, structure, source)
    if quantisation != Quantisation.none:
        check_packed(model, structure, source, quantisation)
    for path in structure.head:
        model.get_submodule(path).float()
    if structure.head and config.head == HeadWeights.checkpoint:
        check_head(report, structure, source)
    else:
        renew(model, structure, random_state)
    check_values(model, source)
    return model


def read_weights(
    config: ModelConfig,
    architecture: PretrainedConfig,
    quantisation: Quantisation = Quantisation.none,
    device: torch.device = HOST,
    dtype: Dtype = Dtype.float32,
) -> Read:
    """Read a checkpoint, and judge nothing but whether it can be read; arguments as of `load_model`.

    Raises:
        UserError: files are missing or damaged, the base is stored quantised, or the files make no model of the family.
    """
    checkpoint = read_checkpoint(weights_folder(config), config.allow_pickle)
    refuse_packed(checkpoint.tensors, source_of(config))
    options: dict[str, Any] = {} if device == HOST else {"device_map": {"": device}}
    if quantisation != Quantisation.none:
        empty, packing = build_empty(config, architecture), Packing.of(config, quantisation)
        options |= reading_options(empty, structure_of(empty, config.family, config.structure), packing)
    try:
        model, report = auto_class(config.family, architecture).from_pretrained(
            checkpoint.folder,
            config=architecture,
            attn_implementation=implementation(_settled(config, architecture)),
            dtype=TORCH[dtype],
            trust_remote_code=False,
            local_files_only=True,
            use_safetensors=None if config.allow_pickle else True,
            adapter_kwargs={"subfolder": NOWHERE},
            ignore_mismatched_sizes=True,  # they are in the report
            output_loading_info=True,
            **reading_names(architecture),
            **options,
        )
    except (OSError, ValueError, SafetensorError) as error:
        raise _not_built(config, error) from error
    if reading_names(architecture):
        model._weight_conversions = None  # else it would be saved under the names of the whole
    model = read_last_token(model, config.family)
    structure = with_pooler(structure_of(model, config.family, config.structure), model, checkpoint)
    return Read(model, report, structure, checkpoint)


def _settled(config: ModelConfig, architecture: PretrainedConfig) -> AttentionKind:
    return buildable(config, architecture) if config.attention == AttentionKind.auto else config.attention


def _from_config(config: ModelConfig, architecture: PretrainedConfig, attention: AttentionKind) -> Any:
    try:
        # A copy, as `from_pretrained` makes one: methods change the attention of their own model only.
        model = auto_class(config.family, architecture).from_config(
            copy.deepcopy(architecture), attn_implementation=implementation(attention), dtype=torch.float32
        )
    except ValueError as error:
        raise _not_built(config, error) from error
    return read_last_token(model, config.family)


def _not_built(config: ModelConfig, error: Exception) -> UserError:
    if config.attention == AttentionKind.sdpa and "attn_implementation" in str(error):
        return UserError(f"{config.name} has no fused attention; say model.attention=eager")
    return UserError(f"{source_of(config)} is no {config.family} model: {_first_line(error)}")


def _broken(config: ModelConfig, error: Exception) -> UserError:
    spelt_out = config.weights == Weights.random and bool(config.architecture)
    where = f"model.architecture of '{config.name}'" if spelt_out else f"config.json of {source_of(config)}"
    return UserError(f"{where} describes no model that can be built: {type(error).__name__}: {_first_line(error)}")


def from_hub(model: ModelConfig, auto_class: Any, **options: Any) -> Any:
    """What `auto_class` makes of the model's files.

    Raises:
        UserError: they are missing, unreachable, or pickle without `allow_pickle`.
    """
    source = source_of(model)
    local = is_local(model)
    offline = not local and offline_if_unreachable()
    try:
        return auto_class.from_pretrained(
            source, revision=model.revision or "main", trust_remote_code=False, local_files_only=local, **options
        )
    except (OSError, ValueError) as error:
        raise not_loaded(source, error, offline) from error


def _first_line(error: Exception) -> str:
    """What it says; a validation of one field says in its last line what is wrong with it."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return " ".join(line.strip() for line in lines[:2]).rstrip(".") if lines[0].endswith(":") else lines[0].rstrip(".")
