"""Child-Tuning: full fine-tuning in which only a part of the network, the child, is updated.

Xu et al. 2021, https://arxiv.org/abs/2109.05687; code: alibaba/AliceMind, ChildTuning.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Self

import torch
from torch import Tensor, nn

from bench.errors import UserError
from bench.methods.base import Gradients, ParameterGroup, Setting
from bench.methods.full import FullFineTuning
from bench.methods.shared.mask_scores import pack_bits, unpack_bits
from bench.methods.shared.ranges import above_zero, one_of, share
from bench.methods.shared.selection import largest
from bench.methods.trainable import trainable_parameters

MILLION = 1_000_000
MASK = "_child"  # ending of the buffer that holds a parameter's mask, and of its packed bits in a stored state


class Choice(StrEnum):
    """What the entries of the child are chosen by."""

    fisher = "fisher"
    random = "random"


@dataclass(kw_only=True)
class ChildTuning(FullFineTuning):
    """What both forms share. No memory is saved: the gradient of every weight is computed.

    Attributes:
        keep: the share of the network that is the child; `reserve_p` of the authors.
    """

    keep: float

    shardable = False
    formula = "W ← W + M∘ΔW"

    def __post_init__(self) -> None:
        super().__post_init__()
        share(keep=self.keep)


@dataclass(kw_only=True)
class ChildTuningF(ChildTuning):
    """Task-free: in every step each gradient entry g becomes g·b/p with b drawn from Bernoulli(p).

    The expected gradient stays what it is. Over many steps every weight is updated, and all are stored.
    """

    formula = "W ← W + ΔW(g∘b / p), b ~ Bernoulli(p) anew in every step"
    where = "everywhere"
    trains = "every parameter"

    def on_gradients(self, model: nn.Module) -> None:
        """Drop entries at random and scale the rest, before the Adam moments see them."""
        for _, parameter in trainable_parameters(model):
            if parameter.grad is not None:
                kept = torch.empty_like(parameter.grad).bernoulli_(self.keep)
                parameter.grad.mul_(kept.div_(self.keep))


@dataclass(kw_only=True)
class ChildTuningD(ChildTuning):
    """Task-driven: the child is the share p of the blocks' weights with the largest Fisher information.

    F = mean over batches of clip(g)², g the gradient of a batch's mean loss, clipped per tensor to `max_grad_norm`. One
    threshold for all blocks together; the mask then stays. Embeddings, final norms and the head are always trained.
    Exactly round(p·n) of the n candidate entries are kept; where Fisher values are equal, the first of them.

    We differ from the authors in one place: their decoupled weight decay shrinks masked weights all the same, ours
    leaves them as they are, so that what is not of the child stays bit-identical.

    Attributes:
        max_grad_norm: for the Fisher information only; training clips as the cell says.
        child: what it is chosen by: "fisher", or "random": as many entries, drawn once, without a look at the data.
    """

    max_grad_norm: float
    child: Choice = Choice.fisher

    formula = "W ← W + M∘ΔW, M = the top p of the Fisher information"
    where = "every weight of every block"
    trains = "the child, the embeddings and final norms"
    differences = ("weight decay leaves alone what is not of the child; the authors' shrinks it all the same",)

    def __post_init__(self) -> None:
        super().__post_init__()
        above_zero(max_grad_norm=self.max_grad_norm)
        self.child = one_of(Choice, child=self.child)

    def of_size(self, number: int, setting: Setting) -> Self:
        """A child of so many millionths."""
        return replace(self, keep=number / MILLION, budget=None)

    def sizes(self, setting: Setting) -> dict[str, int | float]:
        """The share that is kept."""
        return {"keep": self.keep}

    def apply(self, model: nn.Module, setting: Setting) -> nn.Module:
        """Let every parameter require gradients, and mark the candidates with masks that let everything pass."""
        super().apply(model, setting)
        for block in setting.structure.blocks:
            for module in model.get_submodule(block.path).modules():
                for name, parameter in module.named_parameters(recurse=False):
                    mask = torch.ones_like(parameter, dtype=torch.bool, requires_grad=False)
                    module.register_buffer(name + MASK, mask, persistent=False)
        return model

    def prepare(self, model: nn.Module, gradients: Gradients) -> None:
        """Collect the Fisher information, one float per candidate, and choose the child by it, or by chance."""
        candidates = list(_candidates(model))
        fisher = [torch.zeros_like(parameter, dtype=torch.float32) for _, parameter, _ in candidates]
        if self.child == Choice.random:
            for information in fisher:
                information.uniform_()
        else:
            self._collect(fisher, candidates, gradients)
        count = self._child_size(sum(information.numel() for information in fisher))
        for mask, (_, _, buffer) in zip(largest(fisher, count), candidates, strict=True):
            buffer.copy_(mask)

    def _collect(
        self, fisher: list[Tensor], candidates: list[tuple[str, nn.Parameter, Tensor]], gradients: Gradients
    ) -> None:
        batches = 0
        for _ in gradients():
            batches += 1
            for information, (_, parameter, _) in zip(fisher, candidates, strict=True):
                if parameter.grad is not None:
                    nn.utils.clip_grad_norm_(parameter, self.max_grad_norm)
                    information.addcmul_(parameter.grad, parameter.grad)
        for information in fisher:
            information.div_(max(batches, 1))

    def parameter_groups(self, model: nn.Module) -> list[ParameterGroup]:
        """All parameters; weight decay is told which entries may change."""
        entries = {name: mask for name, _, mask in _candidates(model)}
        return [ParameterGroup(list(trainable_parameters(model)), entries=entries)]

    def on_gradients(self, model: nn.Module) -> None:
        """Silence the gradients outside the child; no 1/p here."""
        for _, parameter, mask in _candidates(model):
            if parameter.grad is not None:
                parameter.grad.mul_(mask)

    def extra_state(self, model: nn.Module) -> dict[str, Tensor]:
        """The masks as bits."""
        return {name + MASK: pack_bits(mask) for name, _, mask in _candidates(model)}

    def load_extra_state(self, model: nn.Module, state: dict[str, Tensor]) -> None:
        """Put the masks back."""
        for name, parameter, mask in _candidates(model):
            mask.copy_(unpack_bits(state[name + MASK].to(mask.device), parameter.shape))

    def held_count(self, model: nn.Module) -> int:
        """The candidates outside the child."""
        total = _candidate_count(model)
        return total - self._child_size(total)

    def packed_count(self, model: nn.Module) -> float:
        """One bit per candidate."""
        return sum(-(-parameter.numel() // 8) for _, parameter, _ in _candidates(model)) / 4

    def pack(self, model: nn.Module, state: dict[str, Tensor]) -> dict[str, Tensor]:
        """Of a candidate, the child's entries `(n,)`, and the mask as bits."""
        packed = dict(state)
        for name, _, mask in _candidates(model):
            packed[name] = state[name][mask]
            packed[name + MASK] = pack_bits(mask)
        return packed

    def unpack(self, model: nn.Module, state: dict[str, Tensor]) -> dict[str, Tensor]:
        """The child's entries over those of the fresh base."""
        whole = {name: tensor for name, tensor in state.items() if not name.endswith(MASK)}
        for name, parameter, mask in _candidates(model):
            if name not in state or name + MASK not in state:
                raise UserError(f"the saved state does not fit the model; missing: {name}")
            mask.copy_(unpack_bits(state[name + MASK], parameter.shape))
            whole[name] = parameter.detach().clone()
            whole[name][mask] = state[name].to(parameter)
        return whole

    def _child_size(self, candidates: int) -> int:
        return max(1, round(self.keep * candidates))


def _candidates(model: nn.Module) -> Iterator[tuple[str, nn.Parameter, Tensor]]:
    """Name, parameter and mask of every candidate."""
    for path, module in model.named_modules():
        buffers = dict(module.named_buffers(recurse=False))
        for name, parameter in module.named_parameters(recurse=False):
            if name + MASK in buffers:
                yield f"{path}.{name}", parameter, buffers[name + MASK]


def _candidate_count(model: nn.Module) -> int:
    return sum(parameter.numel() for _, parameter, _ in _candidates(model))
