"""The bottleneck: the small network that every adapter is made of, and the three places where one can act.

Each place is a forward hook that is a method of the adapter, and the adapter is a child of the module it acts on. So
its parameters have names of their own in the model, it moves and is copied with the model, lies inside the region that
gradient checkpointing recomputes, and leaves every path of the base as it was.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

INITIAL_STD = 0.02  # of both projections, in the authors' code of every adapter here but the parallel one


class Bottleneck(nn.Module):
    """A(x) = up(dropout(ReLU(down(x)))), `(…, hidden)` to `(…, hidden)`, with 2·d·m + m + d parameters."""

    def __init__(self, hidden: int, size: int, dropout: float, device: torch.device) -> None:
        super().__init__()
        self.down = nn.Linear(hidden, size, device=device)
        self.up = nn.Linear(size, hidden, device=device)
        self.dropout = nn.Dropout(dropout)

    def initialise_normally(self) -> None:
        """Weights N(0, 0.02), biases zero."""
        for linear in (self.down, self.up):
            nn.init.normal_(linear.weight, std=INITIAL_STD)
            nn.init.zeros_(linear.bias)

    def initialise_at_zero(self) -> None:
        """`down` Kaiming-uniform, biases and `up` zero: A(x) = 0 at the start."""
        nn.init.kaiming_uniform_(self.down.weight, a=5**0.5)
        for parameter in (self.down.bias, self.up.weight, self.up.bias):
            nn.init.zeros_(parameter)

    def forward(self, x: Tensor) -> Tensor:
        """The sum's second term; who adds it to what is the adapter's business."""
        y: Tensor = self.up(self.dropout(functional.relu(self.down(x))))
        return y


class SequentialAdapter(nn.Module):
    """h ← h + A(N(h)) behind a module that returns h; N a LayerNorm of its own, or the identity."""

    def __init__(self, bottleneck: nn.Module, norm: nn.Module | None) -> None:
        super().__init__()
        self.bottleneck, self.norm = bottleneck, norm

    def attach(self, module: nn.Module, name: str) -> None:
        """Act on the output of `module`, a projection or the dropout behind it."""
        module.add_module(name, self)
        module.register_forward_hook(self.after)

    def after(self, module: nn.Module, inputs: Any, h: Tensor) -> Tensor:
        """The hook; h `(batch, seq_len, hidden)`."""
        change: Tensor = self.bottleneck(h if self.norm is None else self.norm(h))
        return h + change


class ParallelAdapter(nn.Module):
    """h ← h + s·A(x), with h the feed-forward's result and x what went in: the residual stream, or what its norm gave.

    Where a norm stands before the branch, the residual stream is seen at another place than h; what is read there is
    held until h is there too.
    """

    def __init__(self, bottleneck: nn.Module, scale: float) -> None:
        super().__init__()
        self.bottleneck, self.scale = bottleneck, scale
        self.read: Tensor | None = None

    def attach_to_sum(self, branch: nn.Module, name: str) -> None:
        """Act on the feed-forward `branch` of a post-norm model, see `bench.models.structure.FeedForward`."""
        branch.add_module(name, self)
        branch.register_forward_pre_hook(self.before)

    def attach_to_branch(self, branch: nn.Module, name: str, source: nn.Module, result: nn.Module) -> None:
        """Read the input of `source`, the norm or the branch itself, and act on what `result` returns."""
        branch.add_module(name, self)
        source.register_forward_pre_hook(self.reading)
        result.register_forward_hook(self.after)

    def before(self, branch: nn.Module, inputs: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        """The hook where the norm follows the sum; inputs (inner activations, x).

        The branch is called with x as the residual and returns LN(h + x): what is added to x is added to h.
        """
        inner, x = inputs
        return inner, x + self.scale * self.bottleneck(x)

    def reading(self, source: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        """The first hook elsewhere; inputs (x,)."""
        self.read = inputs[0]

    def after(self, result: nn.Module, inputs: Any, h: Tensor) -> Tensor:
        """The second hook elsewhere."""
        x, self.read = self.read, None
        assert x is not None
        change: Tensor = self.scale * self.bottleneck(x)
        return h + change


class PfeifferAdapter(nn.Module):
    """LN(h + A(LN(h + x)) + x) after a feed-forward with output h and residual input x; LN the pretrained norm.

    Pre-norm models (T5, LLaMA, Gemma 2) have no norm behind the sum: there it is h + A(LN(h + x)) + x. LN is still the
    pretrained norm before the branch, because the residual stream of these models grows to values that a fresh adapter
    cannot read.
    """

    def __init__(self, bottleneck: nn.Module) -> None:
        super().__init__()
        self.bottleneck = bottleneck

    def attach(self, total: nn.Module, norm: nn.Module, name: str, is_post_norm: bool) -> None:
        """Act where the sum is seen, see `bench.models.structure.FeedForward`."""
        total.add_module(name, self)
        if is_post_norm:
            total.register_forward_hook(self.after_norm)
        else:
            self.reference = [norm]  # in a list: the norm stays the base's module, and is none of the adapter's
            total.register_forward_hook(self.after_sum)

    def after_norm(self, norm: nn.Module, inputs: tuple[Tensor], normed: Tensor) -> Tensor:
        """The hook where the norm follows; inputs (h + x,), normed LN(h + x)."""
        again: Tensor = norm.forward(inputs[0] + self.bottleneck(normed))
        return again

    def after_sum(self, module: nn.Module, inputs: Any, total: Any) -> Any:
        """The hook where the norm precedes; total h + x, alone or the first of a layer's outputs."""
        if isinstance(total, tuple):
            return (self.after_sum(module, inputs, total[0]), *total[1:])
        change: Tensor = self.bottleneck(self.reference[0].forward(total))
        return total + change
