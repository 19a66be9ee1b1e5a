"""The feed-forward and the norms of one block, out of the graph of a forward pass; see `bench.models.discover`."""

import re
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from torch import nn

from bench.models.graph import AmbiguousError, is_sum, plain, sources, taken
from bench.models.roles import FeedForwardRoles
from bench.models.structure import NormPlace
from bench.models.tracing import LINEARS, Call, Node, Trace


@dataclass(frozen=True)
class Inside:
    """A model without values, and what happened in its forward pass."""

    model: nn.Module
    trace: Trace

    @cached_property
    def base(self) -> str:
        """What the paths of the base model's modules begin with."""
        base: Any = self.model.base_model
        path = next(path for path, module in self.model.named_modules() if module is base)
        return f"{path}." if path else ""

    @cached_property
    def linears(self) -> dict[str, Node]:
        """The first result of every linear layer that was called, by its path."""
        found: dict[str, Node] = {}
        for node in self.trace.nodes:
            if node.kind == "linear":
                found.setdefault(node.name, node)
        return found

    def linears_in(self, block: str) -> set[str]:
        """Paths of all linear layers of a block, whether they were called or not."""
        module = self.model.get_submodule(block)
        return {f"{block}.{name}" for name, part in module.named_modules() if isinstance(part, LINEARS)}

    def of_kind(self, kind: str, block: str) -> list[Node]:
        """The results of all modules of a kind in a block."""
        return [node for node in self.trace.nodes if node.kind == kind and node.name.startswith(f"{block}.")]

    def calls(self, block: str) -> list[Call]:
        """Those of a block and of modules in it, the innermost first."""
        own = [call for call in self.trace.calls if f"{call.path}.".startswith(f"{block}.")]
        return sorted(own, key=lambda call: -call.path.count("."))


@dataclass(frozen=True)
class _Way:
    """From the feed-forward's output projection into the residual stream.

    Attributes:
        result: the module that gave h last: the projection, or a dropout behind it.
        nodes: h, and what was made of it alone until it is added.
        norm: a norm behind the branch.
        total: the sum.
        other: what h is added to.
    """

    result: str
    nodes: tuple[Node, ...]
    norm: str | None
    total: Node
    other: Node


def block_norms(inside: Inside, block: str, inner: set[str]) -> tuple[str, ...]:
    """Names of the norms of a block's residual stream and branches, in order.

    Args:
        inside: the model.
        block: path of the block.
        inner: the linear layers whose results stay within a branch; norms of these, or of attention, are none.
    """
    found: dict[str, None] = {}
    for node in inside.of_kind("norm", block):
        if not any(one.kind == "attention" or one.name in inner for one in sources(taken(node))):
            found[node.name.removeprefix(f"{block}.")] = None
    return tuple(found)


def feed_forward_of(inside: Inside, block: str, of_attention: set[str]) -> FeedForwardRoles | None:
    """The feed-forward of a block; None where it has several, as experts are.

    Args:
        inside: the model.
        block: path of the block.
        of_attention: paths of the projections of all attentions.

    Raises:
        AmbiguousError: there is none, or several of another kind; a linear layer is part of nothing known.
    """
    own = {path: node for path, node in inside.linears.items() if path.startswith(f"{block}.")}
    others = {path: node for path, node in own.items() if path not in of_attention}
    outputs = {path: made for path, node in others.items() if (made := _made_of(node, others))}
    if _has_experts(inside, block, outputs):
        return None
    if len(outputs) != 1:
        found = f"{len(outputs)} feed-forwards ({', '.join(outputs)})" if outputs else "no feed-forward"
        raise AmbiguousError(f"{block} has {found}")
    ((output, inputs),) = outputs.items()
    known = {output, *(node.name for node in inputs), *of_attention}
    if strange := sorted(inside.linears_in(block) - known):  # also one that this pass did not use
        raise AmbiguousError(f"{strange[0]} is a linear layer of neither attention nor feed-forward")
    return _roles(inside, block, own[output], inputs)


def has_stacked_matrices(module: nn.Module) -> bool:
    """Whether some weights are matrices in a stack, as experts' are; those of convolutions are none."""
    convolutions = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
    return any(
        sum(size > 1 for size in parameter.shape) > 2
        for part in module.modules()
        if not isinstance(part, convolutions)
        for parameter in part.parameters(recurse=False)
    )


def _made_of(node: Node, others: dict[str, Node]) -> list[Node]:
    """The linear layers of the block that a linear layer takes in, if it takes in nothing else."""
    behind = sources(taken(node))
    return behind if behind and all(others.get(one.name) is one for one in behind) else []


def _has_experts(inside: Inside, block: str, outputs: dict[str, list[Node]]) -> bool:
    """Whether there are feed-forwards beside each other; those in turn (MobileBERT's) are no experts."""
    if has_stacked_matrices(inside.model.get_submodule(block)):
        return True
    linears = inside.linears_in(block)
    behind = {one.name for inputs in outputs.values() for node in inputs for one in sources(taken(node))}
    for path in () if outputs.keys() & behind else outputs:
        kind = re.escape(path.removeprefix(f"{block}."))
        alike = re.compile(re.escape(block) + r"\." + re.sub(r"(?<=\.)\d+(?=\\\.)", r"\\d+", kind))
        if sum(alike.fullmatch(one) is not None for one in linears) > 1:
            return True
    return False


def _roles(inside: Inside, block: str, output: Node, inputs: list[Node]) -> FeedForwardRoles:
    entering = {plain(taken(node)) for node in inputs}
    if len(entering) != 1:
        raise AmbiguousError(f"the inputs of the feed-forward of {block} take in different tensors")
    entry, way = entering.pop(), _way(inside, block, output)
    calls = inside.calls(block)

    def below(path: str | None) -> str | None:
        return None if path is None else path.removeprefix(block).removeprefix(".")

    names = tuple(node.name.removeprefix(f"{block}.") for node in inputs)
    if way is None:
        return FeedForwardRoles((names,), output.name.removeprefix(f"{block}."), NormPlace.unknown)
    place, norm = _place(block, entry, way)
    if place == NormPlace.after_sum:
        total = norm
        inner = plain(taken(output))
        branch = next((c.path for c in calls if _maps(c, inner, entry) and _gives(c, norm)), None)
    else:
        is_alone = place not in (NormPlace.beside, NormPlace.unknown)
        sums = [c.path for c in calls if c.output is not None and plain(c.output) is way.total]
        total = sums[0] if sums and is_alone else None
        outermost = [c.path for c in reversed(calls) if c.output in way.nodes and _takes(c, entry)]
        branch = outermost[0] if outermost else None
    result = None if way.result == output.name else below(way.result)
    return FeedForwardRoles(
        (names,), output.name.removeprefix(f"{block}."), place, below(norm), result, below(branch), below(total)
    )


def _takes(call: Call, node: Node) -> bool:
    return bool(call.inputs) and plain(call.inputs[0]) is node


def _maps(call: Call, inner: Node, entry: Node) -> bool:
    return _takes(call, inner) and len(call.inputs) > 1 and plain(call.inputs[1]) is entry


def _gives(call: Call, norm: str | None) -> bool:
    return call.output is not None and (call.output.kind, call.output.name) == ("norm", norm)


def _way(inside: Inside, block: str, output: Node) -> _Way | None:
    """From h to the sum; None where it goes another way."""
    dropouts = [node.name for node in inside.of_kind("dropout", block)]
    result, norm, nodes, here = output.name, None, [output], output
    while True:
        if len(here.children) != 1:
            return None
        (after,) = here.children
        if is_sum(after):
            other = next(node for node in after.parents if node is not here)
            return _Way(result, tuple(nodes), norm, after, other)
        if after.kind == "dropout" and norm is None and dropouts.count(after.name) == 1:
            result = after.name
            nodes.append(after)
        elif after.kind == "norm" and norm is None and after.name.startswith(f"{block}."):
            norm = after.name
        elif after.kind != "dropout" and not (after.kind == "op" and len(after.parents) == 1):
            return None
        here = after


def _place(block: str, entry: Node, way: _Way) -> tuple[NormPlace, str | None]:
    """Where the norms stand, and which one the residual stream goes through."""
    here = way.total
    while len(here.children) == 1 and here.children[0].kind == "op" and len(here.children[0].parents) == 1:
        here = here.children[0]
    behind = [node for node in here.children if node.kind == "norm" and node.name.startswith(f"{block}.")]
    is_after_sum = len(here.children) == 1 and len(behind) == 1
    is_before = entry.kind == "norm" and entry.name.startswith(f"{block}.") and plain(way.other) is not entry
    if is_after_sum and not is_before and way.norm is None and plain(way.other) is entry:
        return NormPlace.after_sum, behind[0].name
    if is_after_sum:
        return NormPlace.unknown, None
    if not is_before:
        return (NormPlace.unknown if way.norm is None else NormPlace.after_branch), None
    stands_beside = not any(one.name.startswith(f"{block}.") for one in sources(taken(entry)))
    if stands_beside:
        return (NormPlace.beside, entry.name) if way.norm is None else (NormPlace.unknown, None)
    return (NormPlace.before if way.norm is None else NormPlace.around), entry.name
