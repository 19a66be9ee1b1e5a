"""The base's linear layers in four or eight bits, by bitsandbytes; it works on CPUs too (bitsandbytes 0.50).

Four: NF4, by default with double quantisation and computed in bf16 (Dettmers et al. 2023,
https://arxiv.org/abs/2305.14314, section 3). Eight: LLM.int8() (Dettmers et al. 2022,
https://arxiv.org/abs/2208.07339), see `bench.models.eight_bit`. The head, and a language-model head, stay as they are;
so do embeddings and norms.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from bench.configuration.schema import ModelConfig, Quantisation
from bench.errors import UnsupportedError
from bench.models.number_types import TORCH
from bench.models.structure import Structure

MARKS = {Quantisation.nf4: "is_loaded_in_4bit", Quantisation.int8: "is_loaded_in_8bit"}
WORDS = {Quantisation.nf4: "four-bit", Quantisation.int8: "eight-bit"}


@dataclass(frozen=True)
class Packing:
    """How linear layers are packed.

    Attributes:
        double: of nf4, whether the scales of the blocks are quantised too.
        compute: of nf4, what the weights are unpacked to for each product.
        kind: nf4 or int8.
        threshold: of int8, from which value on an input's column is computed in 16 or 32 bits; 0: none is.
    """

    double: bool = True
    compute: torch.dtype = torch.bfloat16
    kind: Quantisation = Quantisation.nf4
    threshold: float = 6.0

    @classmethod
    def of(cls, config: ModelConfig, kind: Quantisation = Quantisation.nf4) -> "Packing":
        """As a model's configuration says, for a kind that the method may have asked for."""
        return cls(config.double_quantisation, TORCH[config.compute_dtype], kind, config.int8_threshold)


USUAL = Packing()


def reading_options(model: nn.Module, structure: Structure, packing: Packing) -> dict[str, Any]:
    """What `from_pretrained` is told, so that it quantises the blocks' linear layers while it reads, and no other.

    Args:
        model: of the same class, on any device.
        structure: its sites.
        packing: how.
    """
    from transformers import BitsAndBytesConfig

    inside = set(structure.linears)
    others = [path for path, module in model.named_modules() if isinstance(module, nn.Linear) and path not in inside]
    kept = [f"{re.escape(path)}$" for path in others]  # taken for regular expressions
    if packing.kind == Quantisation.int8:
        how: dict[str, Any] = {"load_in_8bit": True, "llm_int8_threshold": packing.threshold}
    else:
        how = {
            "load_in_4bit": True, "bnb_4bit_quant_type": "nf4", "bnb_4bit_use_double_quant": packing.double,
            "bnb_4bit_compute_dtype": packing.compute,
        }  # fmt: skip
    return {"quantization_config": BitsAndBytesConfig(**how, llm_int8_skip_modules=kept)}


def check_packable(structure: Structure, kind: Quantisation = Quantisation.nf4) -> None:
    """Refuse models of which packed layers would be a part that nobody expects.

    Raises:
        UnsupportedError: the linear layers are transposed, or most weights are experts', which stay as they are.
    """
    if structure.transposed:
        words = f"{WORDS[kind]} layers are not offered for a model whose linear layers are transposed (GPT-2)"
        raise UnsupportedError(words)
    if any(block.feed_forward is None for block in structure.blocks):
        raise UnsupportedError(
            f"{WORDS[kind]} layers are not offered for a mixture of experts: its experts are no linear layers, and "
            "most of the model would stay in 32 bits"
        )


def packable(model: Any, paths: Iterable[str]) -> list[str]:
    """Of a model's linear layers those that are packed: not T5's `wo`, which transformers keeps in fp32."""
    widened = set(getattr(model, "_keep_in_fp32_modules", None) or ())
    return [path for path in paths if path.rpartition(".")[2] not in widened]


def check_packed(model: nn.Module, structure: Structure, source: str, kind: Quantisation = Quantisation.nf4) -> None:
    """Refuse a model that was to be packed while it was read, and was not, or not wholly.

    Args:
        model: as `from_pretrained` gave it.
        structure: its sites.
        source: what the user called the model.
        kind: how it was to be packed.

    Raises:
        UnsupportedError: a linear layer of a block is left as it was, or another one is packed.
        UserError: NaN or infinite values, which the codes of eight bits do not show.
    """
    from bitsandbytes.nn import Linear4bit, Linear8bitLt

    asked, other = (Linear4bit, Linear8bitLt) if kind == Quantisation.nf4 else (Linear8bitLt, Linear4bit)
    layers = {path: module for path, module in model.named_modules() if isinstance(module, asked | other)}
    packed = {path for path, module in layers.items() if isinstance(module, asked)}
    if wrong := sorted((packed ^ set(packable(model, structure.linears))) | (layers.keys() - packed)):
        found = type(model.get_submodule(wrong[0])).__name__
        raise UnsupportedError(f"{source}: {WORDS[kind]} layers cannot be had: {wrong[0]} is a {found}")
    if kind == Quantisation.int8:
        from bench.models.eight_bit import check_scales

        check_scales(layers, source)


def plain_linear(model: nn.Module, path: str, kind: Quantisation = Quantisation.nf4) -> nn.Linear:
    """The linear layer at `path`, if it is one that is packed where a checkpoint is read.

    Raises:
        UnsupportedError: it would stay as it is: it is of a class of the model's own (Falcon).
    """
    linear = model.get_submodule(path)
    if type(linear) is not nn.Linear:
        raise UnsupportedError(f"{WORDS[kind]} layers cannot be had: {path} is a {type(linear).__name__}")
    return linear


def quantise(model: nn.Module, paths: Iterable[str], packing: Packing = USUAL) -> None:
    """Pack the linear layers at `paths` of a model in memory, as `reading_options` asks of a checkpoint.

    Raises:
        UnsupportedError: one cannot be, see `plain_linear`.
    """
    for path in packable(model, paths):
        linear = plain_linear(model, path, packing.kind)
        model.set_submodule(path, _packed(linear, packing))
    mark(model, packing.kind)


def mark(model: nn.Module, kind: Quantisation) -> None:
    """Set what transformers sets on a model that it has packed while it read; the peft library asks for it."""
    setattr(model, MARKS[kind], True)


def _packed(linear: nn.Linear, packing: Packing) -> nn.Module:
    if packing.kind == Quantisation.int8:
        from bench.models.eight_bit import eight_bit

        return eight_bit(linear, packing.threshold)
    from bitsandbytes.nn import Linear4bit, Params4bit

    packed = Linear4bit(
        linear.in_features, linear.out_features, linear.bias is not None, packing.compute, quant_type="nf4",
        device="meta",
    )  # fmt: skip
    packed.weight = Params4bit(
        linear.weight.detach(), requires_grad=False, compress_statistics=packing.double, quant_type="nf4",
        module=packed,
    )  # fmt: skip
    packed.bias = linear.bias
    moved: nn.Module = packed.to(linear.weight.device)
    return moved


def settle(model: nn.Module) -> None:
    """Let packed layers stay as they are, whether they are evaluated or trained, in place.

    bitsandbytes changes them in passing. Four bits: the first forward pass rounds a bias to the compute dtype, and on
    CPUs with bf16 instructions the first evaluation repacks the weight into a form that has no backward pass. Eight:
    see `bench.models.eight_bit.EightBitLinear`.
    """
    from bitsandbytes.nn import Linear4bit, Linear8bitLt

    for path, module in list(model.named_modules()):
        if isinstance(module, Linear4bit):
            module.support_avx512bf16_for_cpu = False
            if module.bias is not None:
                module.bias.data = module.bias.data.to(module.compute_dtype)
        elif isinstance(module, Linear8bitLt):
            from bench.models.eight_bit import settled

            model.set_submodule(path, settled(module).train(module.training))


def value_count(parameter: nn.Parameter) -> int:
    """How many weights a parameter stands for: those of a packed one, not its bytes."""
    state = getattr(parameter, "quant_state", None)
    return parameter.numel() if state is None else torch.Size(state.shape).numel()


def is_packed(weight: Any) -> bool:
    """Whether a linear layer's weight is in four or eight bits."""
    return weight.dtype == torch.int8 or getattr(weight, "quant_state", None) is not None


def is_quantised(model: nn.Module) -> bool:
    """Whether some of the model's weights are packed."""
    return any(is_packed(parameter) for parameter in model.parameters())


def forget_quantisation(model: nn.Module) -> None:
    """Take the marks of a quantised model off, which let the peft library refuse to unload some adapters."""
    for module in model.modules():
        for name in MARKS.values():
            if name in vars(module):
                setattr(module, name, False)


def dequantise(model: nn.Module) -> nn.Module:
    """Replace every packed linear layer, those inside adapters too, by a plain one in fp32."""
    for parent in list(model.modules()):
        for name, child in list(parent.named_children()):
            if (values := _dequantised(child)) is not None:
                has_bias = child.bias is not None
                linear = nn.Linear(values.shape[1], values.shape[0], bias=has_bias, device="meta")
                linear.weight = nn.Parameter(values, requires_grad=False)
                if has_bias:
                    bias: Any = child.bias
                    linear.bias = nn.Parameter(bias.detach().float(), requires_grad=bias.requires_grad)
                setattr(parent, name, linear)
    return model


def _dequantised(layer: nn.Module) -> Tensor | None:
    """The weight of a packed linear layer in fp32, `(outputs, inputs)`; None of any other module."""
    from bitsandbytes.functional import dequantize_4bit
    from bitsandbytes.nn import Linear4bit

    from bench.models.eight_bit import EightBitLinear

    if isinstance(layer, EightBitLinear):
        return layer.dequantised()
    if not isinstance(layer, Linear4bit):
        return None
    packed: Any = layer.weight
    values: Tensor = dequantize_4bit(packed.data, packed.quant_state).float()
    return values
