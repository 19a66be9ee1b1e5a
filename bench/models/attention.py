"""Which kind of attention a cell computes with: `model.attention`, and what `auto` takes.

`auto` takes the first of flash_attention_2, sdpa and eager that machine, model, method and arithmetic allow. It never
takes flex (torch's flex_attention): that is made for masks and scores that no other kernel has (Dong et al. 2024,
https://arxiv.org/abs/2412.05496), compiles itself while it trains, and for the masks of text alone is no faster than
what torch's sdpa chooses. Whoever asks for it gets it, on a GPU; torch differentiates it nowhere else.
"""

from dataclasses import dataclass, replace
from typing import Any

import torch
from transformers import PretrainedConfig
from transformers.models.auto.auto_factory import _get_model_class
from transformers.utils.import_utils import is_flash_attn_greater_or_equal

from bench.configuration.schema import AttentionKind, ModelConfig, Precision
from bench.errors import UnsupportedError, UserError
from bench.models.auto_classes import auto_class

PACKAGE, OLDEST = "flash-attn", "2.3.3"  # transformers refuses older ones
FLASH_FROM, FLASH_HEAD = (8, 0), 256  # compute capability: Ampere; the widest head, from flash-attn's README
WRITTEN_OUT = (AttentionKind.sdpa, AttentionKind.eager)  # whose masks and functions are ours to exchange
BEST_FIRST = (AttentionKind.flash_attention_2, *WRITTEN_OUT)
# Where transformers' configurations keep the dropout of attention; T5 has one rate for everything.
DROPOUTS = ("attention_probs_dropout_prob", "attention_dropout", "attn_pdrop", "attn_dropout", "dropout_rate")


@dataclass(frozen=True)
class Circumstances:
    """What decides, beside the model, which attention can be had.

    Attributes:
        device: where the cell computes.
        precision: in which arithmetic; not auto.
        limit: why the method needs one of sdpa and eager, `Method.attention_limit`; empty: it does not.
        planned: the cell is not run here: where a kind is named, neither the package nor the GPU is looked for, and
            `auto` takes a GPU that is not here for one that is new enough.
    """

    device: torch.device
    precision: Precision
    limit: str = ""
    planned: bool = False


def settle(config: ModelConfig, architecture: PretrainedConfig, given: Circumstances) -> ModelConfig:
    """The configuration with the kind of attention that the cell computes with; never `auto`.

    Args:
        config: as asked for.
        architecture: the model's transformers configuration.
        given: device, arithmetic and method.

    Raises:
        UserError: the machine, its device or the arithmetic has no such attention.
        UnsupportedError: the model's class or the method has no such attention.
    """
    wanted = config.attention
    if wanted == AttentionKind.auto:
        kind = next((kind for kind in BEST_FIRST if _obstacle(kind, config, architecture, given) is None), None)
        return replace(config, attention=kind or AttentionKind.eager)
    obstacle = _obstacle(wanted, config, architecture, given)
    if obstacle is not None and wanted not in WRITTEN_OUT:  # of these two, building the model says it
        raise type(obstacle)(f"model.attention={wanted}: {obstacle}; say model.attention=auto")
    return config


def buildable(config: ModelConfig, architecture: PretrainedConfig) -> AttentionKind:
    """With which kind a model can be built on any machine, to look at its structure or to run it without values.

    sdpa in place of kinds that need a GPU: sites and shapes are the same, and a fused kernel keeps what theirs keep.
    """
    if config.attention in WRITTEN_OUT:
        return config.attention
    return AttentionKind.sdpa if supports(AttentionKind.sdpa, config, architecture) else AttentionKind.eager


def implementation(kind: AttentionKind) -> str:
    """What transformers calls it."""
    return "flex_attention" if kind == AttentionKind.flex else kind.value


def supports(kind: AttentionKind, config: ModelConfig, architecture: PretrainedConfig) -> bool:
    """Whether transformers' class of the model says that it can be computed with this kind."""
    names = {
        AttentionKind.sdpa: "_supports_sdpa",
        AttentionKind.flash_attention_2: "_supports_flash_attn",
        AttentionKind.flex: "_supports_flex_attn",
    }
    mapping = auto_class(config.family, architecture)._model_mapping
    if kind not in names or type(architecture) not in mapping:  # of another family: building the model says it
        return True
    return bool(getattr(_get_model_class(architecture, mapping), names[kind], False))


def _obstacle(
    kind: AttentionKind, config: ModelConfig, architecture: PretrainedConfig, given: Circumstances
) -> UserError | None:
    """Why a kind cannot be had; None: it can."""
    if not supports(kind, config, architecture):
        return UnsupportedError(f"transformers' class of {config.name} does not have it")
    if kind in WRITTEN_OUT:
        return None
    if given.limit:
        return UnsupportedError(given.limit)
    if kind == AttentionKind.flex:
        return _flex_obstacle(architecture, given)
    elsewhere = given.planned and config.attention == kind
    return _flash_obstacle(architecture, given) or (None if elsewhere else lack_of_flash_attention())


def _flash_obstacle(architecture: PretrainedConfig, given: Circumstances) -> UserError | None:
    if given.device.type != "cuda":
        return UserError(f"its kernels are for NVIDIA's GPUs, not for device={given.device.type}")
    if given.precision not in (Precision.bf16, Precision.fp16):
        return UserError(f"it computes in 16 bits, not in training.precision={given.precision}")
    if (size := _head_size(architecture)) > FLASH_HEAD:
        return UnsupportedError(f"this model's heads are {size} wide, its kernels take {FLASH_HEAD}")
    return None


def lack_of_flash_attention() -> UserError | None:
    """What this machine lacks for flash attention."""
    if torch.cuda.is_available() and torch.cuda.get_device_capability() < FLASH_FROM:
        return UserError("its kernels are for GPUs of compute capability 8.0 and newer")
    # Of a package that is not there, transformers would look for kernels on the hub.
    return None if is_flash_attn_greater_or_equal(OLDEST) else UserError(f"{PACKAGE} >= {OLDEST} is not installed")


def _flex_obstacle(architecture: PretrainedConfig, given: Circumstances) -> UserError | None:
    if given.device.type != "cuda":
        return UserError(f"torch trains through it on a GPU only: no backward pass for device={given.device.type}")
    for name in DROPOUTS:
        if (rate := getattr(architecture, name, None)) and isinstance(rate, int | float):
            return UnsupportedError(f"it has no dropout, and this model has {name}={rate:g}")
    return None


def _head_size(architecture: Any) -> int:
    """Width of a head; 0 where the configuration does not say."""
    named = getattr(architecture, "head_dim", None) or getattr(architecture, "d_kv", None)
    width, heads = getattr(architecture, "hidden_size", None), getattr(architecture, "num_attention_heads", None)
    return int(named or (width // heads if width and heads else 0))
