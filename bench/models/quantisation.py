"""The base's linear layers in four bits: bitsandbytes' NF4, by default with double quantisation and computed in bf16.

Dettmers et al. 2023, https://arxiv.org/abs/2305.14314, section 3. Works on CPUs too (bitsandbytes 0.50). The head, and
a language-model head, stay as they are; so do embeddings and norms.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from bench.configuration.schema import ModelConfig
from bench.errors import UnsupportedError, UserError
from bench.models.checkpoint import FLOATS, Stored
from bench.models.number_types import TORCH
from bench.models.structure import Structure

SMALL = ("F8_", "F6_", "F4", "torch.float8_", "torch.float4_")  # floats; integers may be in buffers too
ADVICE = "take its unquantised checkpoint, which method=qlora or model.quantisation=nf4 quantise as they say"


@dataclass(frozen=True)
class Packing:
    """How linear layers are packed.

    Attributes:
        double: whether the scales of the blocks are quantised too.
        compute: what the weights are unpacked to for each product.
    """

    double: bool = True
    compute: torch.dtype = torch.bfloat16

    @classmethod
    def of(cls, config: ModelConfig) -> "Packing":
        """As a model's configuration says."""
        return cls(config.double_quantisation, TORCH[config.compute_dtype])


USUAL = Packing()


def nf4_options(model: nn.Module, structure: Structure, packing: Packing) -> dict[str, Any]:
    """What `from_pretrained` is told, so that it quantises the blocks' linear layers while it reads, and no other.

    Args:
        model: of the same class, on any device.
        structure: its sites.
        packing: how.
    """
    from transformers import BitsAndBytesConfig

    inside = set(structure.linears)
    others = [path for path, module in model.named_modules() if isinstance(module, nn.Linear) and path not in inside]
    config = BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=packing.double,
        bnb_4bit_compute_dtype=packing.compute,
        llm_int8_skip_modules=[f"{re.escape(path)}$" for path in others],  # taken for regular expressions
    )
    return {"quantization_config": config}


def refuse_quantised(architecture: Any, source: str) -> None:
    """Refuse a base that is stored quantised: every method on it would be another one than its name says.

    Args:
        architecture: the model's transformers configuration.
        source: what the user called the model.

    Raises:
        UserError: config.json says that it is.
    """
    # The older name is compressed-tensors' own.
    found = getattr(architecture, "quantization_config", None) or getattr(architecture, "compression_config", None)
    if found:
        about = found if isinstance(found, dict) else getattr(found, "__dict__", {})
        kind = f"quant_method {about.get('quant_method')} in config.json"
        raise UserError(f"{source}: the base is stored quantised ({kind}); {ADVICE}")


def refuse_packed(stored: Mapping[str, Stored], source: str) -> None:
    """Refuse a base that is stored quantised although its config.json does not say so.

    Args:
        stored: the checkpoint's tensors.
        source: what the user called the model.

    Raises:
        UserError: a weight is stored in integers, or in floats of eight bits or less.
    """
    for name, tensor in stored.items():
        if tensor.dtype.startswith(SMALL) or (name.endswith("weight") and tensor.dtype not in FLOATS.values()):
            raise UserError(f"{source}: the base is stored quantised ({name} in {tensor.dtype}); {ADVICE}")


def check_packable(structure: Structure) -> None:
    """Refuse models of which four-bit layers would be a part that nobody expects.

    Raises:
        UnsupportedError: the linear layers are transposed, or most weights are experts', which stay as they are.
    """
    if structure.transposed:
        raise UnsupportedError("four-bit layers are not offered for a model whose linear layers are transposed (GPT-2)")
    if any(block.feed_forward is None for block in structure.blocks):
        raise UnsupportedError(
            "four-bit layers are not offered for a mixture of experts: its experts are no linear layers, and most of "
            "the model would stay in 32 bits"
        )


def packable(model: Any, paths: Iterable[str]) -> list[str]:
    """Of a model's linear layers those that are packed: not T5's `wo`, which transformers keeps in fp32."""
    widened = set(getattr(model, "_keep_in_fp32_modules", None) or ())
    return [path for path in paths if path.rpartition(".")[2] not in widened]


def check_packed(model: nn.Module, structure: Structure, source: str) -> None:
    """Refuse a model that was to be packed while it was read, and was not, or not wholly.

    Args:
        model: as `from_pretrained` gave it.
        structure: its sites.
        source: what the user called the model.

    Raises:
        UnsupportedError: a linear layer of a block is left as it was, or another one is packed.
    """
    from bitsandbytes.nn import Linear4bit

    packed = {path for path, module in model.named_modules() if isinstance(module, Linear4bit)}
    if wrong := sorted(packed ^ set(packable(model, structure.linears))):
        kind = type(model.get_submodule(wrong[0])).__name__
        raise UnsupportedError(f"{source}: four-bit layers cannot be had: {wrong[0]} is a {kind}")


def plain_linear(model: nn.Module, path: str) -> nn.Linear:
    """The linear layer at `path`, if it is one that is put into four bits where a checkpoint is read.

    Raises:
        UnsupportedError: it would stay as it is: it is of a class of the model's own (Falcon).
    """
    linear = model.get_submodule(path)
    if type(linear) is not nn.Linear:
        raise UnsupportedError(f"four-bit layers cannot be had: {path} is a {type(linear).__name__}")
    return linear


def quantise(model: nn.Module, paths: Iterable[str], packing: Packing = USUAL) -> None:
    """Put the linear layers at `paths` of a model in memory into NF4, as `nf4_options` asks of a checkpoint.

    Raises:
        UnsupportedError: one cannot be, see `plain_linear`.
    """
    from bitsandbytes.nn import Linear4bit, Params4bit

    for path in packable(model, paths):
        linear = plain_linear(model, path)
        packed = Linear4bit(
            linear.in_features, linear.out_features, linear.bias is not None, packing.compute, quant_type="nf4",
            device="meta",
        )  # fmt: skip
        packed.weight = Params4bit(
            linear.weight.detach(), requires_grad=False, compress_statistics=packing.double, quant_type="nf4",
            module=packed,
        )  # fmt: skip
        packed.bias = linear.bias
        model.set_submodule(path, packed.to(linear.weight.device))
    # What transformers sets on a model that it read this way; the peft library asks for it.
    model.is_loaded_in_4bit = True  # type: ignore[assignment]


def settle(model: nn.Module) -> None:
    """Let four-bit layers stay as they are, whether they are evaluated or trained.

    bitsandbytes changes them in passing: the first forward pass rounds a bias to the compute dtype, and on CPUs with
    bf16 instructions the first evaluation repacks the weight into a form that has no backward pass.
    """
    from bitsandbytes.nn import Linear4bit

    for module in model.modules():
        if isinstance(module, Linear4bit):
            module.support_avx512bf16_for_cpu = False
            if module.bias is not None:
                module.bias.data = module.bias.data.to(module.compute_dtype)


def value_count(parameter: nn.Parameter) -> int:
    """How many weights a parameter stands for: those of a packed one, not its bytes."""
    state = getattr(parameter, "quant_state", None)
    return parameter.numel() if state is None else torch.Size(state.shape).numel()


def is_quantised(model: nn.Module) -> bool:
    """Whether some of the model's weights are packed."""
    return any(getattr(parameter, "quant_state", None) is not None for parameter in model.parameters())


def forget_quantisation(model: nn.Module) -> None:
    """Take the mark of a quantised model off, which lets the peft library refuse to unload some adapters."""
    for module in model.modules():
        if "is_loaded_in_4bit" in vars(module):
            module.is_loaded_in_4bit = False  # type: ignore[assignment]


def dequantise(model: nn.Module) -> nn.Module:
    """Replace every four-bit linear layer, those inside adapters too, by a plain one in fp32."""
    from bitsandbytes.functional import dequantize_4bit
    from bitsandbytes.nn import Linear4bit

    for parent in list(model.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, Linear4bit):
                packed: Any = child.weight
                values = dequantize_4bit(packed.data, packed.quant_state).float()
                has_bias = child.bias is not None
                linear = nn.Linear(child.in_features, child.out_features, bias=has_bias, device="meta")
                linear.weight = nn.Parameter(values, requires_grad=False)
                if has_bias:
                    linear.bias = nn.Parameter(child.bias.detach().float(), requires_grad=child.bias.requires_grad)
                setattr(parent, name, linear)
    return model
