"""VB-LoRA: low-rank factors put together from a bank of vectors that all layers share.

Li, Han, Ji 2024, https://arxiv.org/abs/2405.15179, equations 3 and 4; code: leo-yangli/VB-LoRA.
"""

from dataclasses import dataclass, replace
from typing import Any, Self

import torch
from peft.tuners.vblora.layer import Linear
from torch import Tensor, nn

from bench.errors import UserError
from bench.methods.base import Setting
from bench.methods.shared.ranges import above_zero, at_least_one, below_one, within_hidden_size
from bench.methods.shared.sited_tuner import SitedTuner
from bench.methods.trainable import trainable_parameters

LOGITS, BANK = "vblora_logits", "vblora_vector_bank"
VALUE = 4  # bytes


class TrustingLinear(Linear):
    """The library's layer, but for a look at its logits' values, for which the host waits in every training step.

    Infinite ones mean to the library (peft 0.21) that a trained model is trained on; here they are what is stored.
    """

    def _get_lora_matrices(self, adapter: str, cast_to_fp32: bool = False) -> tuple[Tensor, Tensor]:
        training, self.training = self.training, False
        try:
            a, b = super()._get_lora_matrices(adapter, cast_to_fp32)
        finally:
            self.training = training
        return a, b


@dataclass(kw_only=True)
class VBLora(SitedTuner):
    """h = W x + B A x; every piece of `vector_length` entries of A and B is a mixture of `topk` vectors of the bank.

    The mixture's weights are the softmax of the piece's largest logits, of which it has one for each vector. Kept are
    the bank and, of each piece, which vectors it mixes and all weights but the last: their sum is 1 (section 3.4).

    Attributes:
        r: the rank.
        num_vectors: in the bank; one for all families, or by family.
        vector_length: divides the inputs and outputs of every site.
        topk: how many vectors a piece mixes.
        dropout: on x.
        logits_rate: what the logits' learning rate is multiplied with; the cell's is the bank's.
    """

    r: int
    num_vectors: int | dict[str, int]
    vector_length: int
    topk: int
    dropout: float
    logits_rate: float

    kind = "VBLORA"
    number = "num_vectors"
    on_packed = True
    identity_at_start = False
    why_not_identity = "the bank is drawn from U(−0.02, 0.02) and the logits from N(0, 0.1): neither A nor B is zero"
    formula = "h = W x + B A x, pieces of A and B = Σ softmax(top-k logits)·bank"
    where = "query and value projections (LLaMA: all seven linear layers of a block)"
    trains = "the bank of vectors, and logits that give way to the top-k's numbers and weights"
    without_gradient = ((LOGITS, "logits of vectors that are not among the top ones"),)

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least_one(r=self.r, vector_length=self.vector_length, topk=self.topk)
        above_zero(logits_rate=self.logits_rate)
        below_one(dropout=self.dropout)

    def check(self, setting: Setting) -> None:
        """The rank is low, and the bank has as many vectors as a piece mixes, or more."""
        super().check(setting)
        within_hidden_size(setting, r=self.r)
        if self.topk > (bank := self.chosen(setting)):
            raise UserError(f"method.topk={self.topk} exceeds method.num_vectors={bank}")

    def of_size(self, number: int, setting: Setting) -> Self:
        """So many vectors, from as many as a piece mixes on."""
        return replace(self, num_vectors=number + self.topk - 1, budget=None)

    def options(self, setting: Setting) -> dict[str, Any]:
        """Of `VBLoRAConfig`."""
        return {
            "r": self.r, "num_vectors": self.chosen(setting), "vector_length": self.vector_length, "topk": self.topk,
            "vblora_dropout": self.dropout,
        }  # fmt: skip

    def rate_multipliers(self) -> dict[str, float]:
        """The logits'."""
        return {f"{LOGITS}_{factor}": self.logits_rate for factor in "AB"}

    def pack(self, model: nn.Module, state: dict[str, Tensor]) -> dict[str, Tensor]:
        """Numbers and weights of the top vectors in place of the logits."""
        packed = dict(state)
        for name in [name for name in state if LOGITS in name]:
            top = packed.pop(name).topk(self.topk, dim=-1)
            packed[f"{name}.vectors"] = top.indices.to(_numbers(state[name].shape[-1]))
            packed[f"{name}.weights"] = top.values.softmax(dim=-1)[..., :-1].contiguous()
        return packed

    def unpack(self, model: nn.Module, state: dict[str, Tensor]) -> dict[str, Tensor]:
        """Logits that give the same mixtures; those of all other vectors are minus infinity."""
        whole = {name: tensor for name, tensor in state.items() if LOGITS not in name}
        for name, logits in _logits(model):
            if (vectors := state.get(f"{name}.vectors")) is None or (w := state.get(f"{name}.weights")) is None:
                raise UserError(f"the saved state does not fit the model; missing: {name}.vectors or .weights")
            weights = torch.cat([w, (1 - w.sum(dim=-1, keepdim=True)).clamp(min=0)], dim=-1).to(logits)
            empty = torch.full_like(logits, -torch.inf)
            whole[name] = empty.scatter(-1, vectors.to(logits.device, torch.int64), weights.log())
        return whole

    def name_in_file(self, model: nn.Module, name: str) -> str:
        """The library has the same form, with the numbers and weights beside the logits' names."""
        if BANK in name:
            return f"base_model.{BANK}"
        for own, of_library in (("vectors", "topk_indices"), ("weights", "topk_weights")):
            if name.endswith(f".{own}") and LOGITS in name:
                return f"{super().name_in_file(model, name.removesuffix(f'.{own}'))}_{of_library}"
        return super().name_in_file(model, name)

    def file_settings(self) -> dict[str, Any]:
        """The library calls that form so."""
        return {"save_only_topk_weights": True}

    def apply(self, model: nn.Module, setting: Setting) -> nn.Module:
        """As any tuner, with layers that do not look for infinite logits."""
        adapted = super().apply(model, setting)
        for module in adapted.modules():
            if type(module) is Linear:
                module.__class__ = TrustingLinear
        return adapted

    def packed_count(self, model: nn.Module) -> float:
        """What takes the logits' place, less these."""
        total = 0.0
        for _, logits in _logits(model):
            vectors = logits.shape[-1]
            piece = self.topk * _numbers(vectors).itemsize / VALUE + self.topk - 1
            total += logits.numel() / vectors * (piece - vectors)
        return total


def _logits(model: nn.Module) -> list[tuple[str, nn.Parameter]]:
    return [(name, parameter) for name, parameter in trainable_parameters(model) if LOGITS in name]


def _numbers(vectors: int) -> torch.dtype:
    """The smallest type for numbers of vectors."""
    return torch.uint8 if vectors <= 2**8 else torch.int16 if vectors <= 2**15 else torch.int32
