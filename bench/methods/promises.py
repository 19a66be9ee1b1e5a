"""What a method promises, held against what it does on a model: base at the start, gradients, counts, merging."""

from collections.abc import Callable

from torch import Tensor, nn

from bench.errors import UserError
from bench.methods.base import Method, Setting

CLOSE = 1e-4  # of outputs, as a share of the largest
Outputs = Callable[[nn.Module], Tensor]


def differ(one: Tensor, other: Tensor) -> float:
    """The largest difference of two outputs, as a share of the largest value (of 1 where all are smaller)."""
    return float((one - other).abs().max() / other.abs().max().clamp(min=1.0))


def broken_start(method: Method, adapted: Tensor, base: Tensor) -> str | None:
    """Whether the adapted model is the base at the start, where the method says so; what is wrong, or None."""
    if method.identity_at_start:
        found = differ(adapted, base)
        return f"it is not the base at the start: outputs differ by {found:.2g}" if found >= CLOSE else None
    return None if method.why_not_identity else "identity_at_start is False, and why_not_identity does not say why"


class Reached:
    """Takes the names of trained tensors as they get a gradient that is not zero everywhere."""

    def __init__(self, model: nn.Module) -> None:
        self._model, self._names = model, set[str]()
        for name, parameter in model.named_parameters():
            if parameter.requires_grad:
                parameter.register_post_accumulate_grad_hook(
                    lambda p, name=name: self._names.add(name) if p.grad is not None and p.grad.any() else None
                )

    def broken(self, method: Method) -> str | None:
        """Trained tensors that no step has reached and the method does not excuse; None: there are none.

        A base that is trained whole may have parts without use.
        """
        wanted = {name for name, p in self._model.named_parameters() if p.requires_grad}
        excused = {name for name in wanted if any(part in name for part, _ in method.without_gradient)}
        missing = sorted(wanted - self._names - excused)
        return f"no gradient for {', '.join(missing[:3])}" if missing and not method.trains_base else None


def broken_merge(
    method: Method, model: nn.Module, setting: Setting, outputs: Outputs, expected: Tensor, *, close: float = CLOSE
) -> str | None:
    """Whether the merged model computes what the adapted one did; None where it does, or is not offered.

    Args:
        method: that adapted the model.
        model: adapted; merged in place.
        setting: of the method.
        outputs: of a model, on a batch.
        expected: those of the adapted model.
        close: how far they may be apart.
    """
    if not method.mergeable:
        return None
    try:
        merged = method.merge(model, setting)
    except UserError:
        return None
    found = differ(outputs(merged), expected)
    return f"merged it computes something else: outputs differ by {found:.2g}" if found >= close else None
