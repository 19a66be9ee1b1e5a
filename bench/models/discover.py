"""Reading a model's structure by looking: an entry, as `bench.models.entries` has them, out of one forward pass.

What attends is known by its attention; the linear layers whose results reach it are its queries, keys and values, the
one that its result reaches is its output. The member of a list of layers that holds them and other linear layers is a
block; `bench.models.discover_feed_forward` reads these. Where more than one answer would do, the model is refused.
"""

import re
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

from transformers.pytorch_utils import Conv1D

from bench.configuration.schema import Family
from bench.errors import UserError
from bench.models.discover_feed_forward import Inside, block_norms, feed_forward_of, has_stacked_matrices
from bench.models.graph import AmbiguousError, consumers, note_spelt_attentions, plain, sources, taken
from bench.models.roles import AttentionRoles, Entry, FeedForwardRoles, Stack
from bench.models.tracing import LINEARS, Node, traced


@dataclass(frozen=True)
class _Kind:
    """A model without its values."""

    of: type[Any]
    text: str
    family: Family
    config: Any = field(compare=False)


@dataclass(frozen=True)
class _Seen:
    """One block: its path, where its kind stands below the base model, and what is in it."""

    path: str
    pattern: str
    attentions: tuple[AttentionRoles, ...]
    feed_forward: FeedForwardRoles | None
    norms: tuple[str, ...]


def discover(model: Any, family: Family) -> Entry:
    """Look what is inside a model.

    Args:
        model: of transformers' classes, bare, on any device; its values are not looked at.
        family: of it.

    Returns:
        The entry that reads it, named "discover".

    Raises:
        UserError: it cannot be told, with the first thing that is not clear.
    """
    found = _discovered(_Kind(type(model), model.config.to_json_string(use_diff=False), family, model.config))
    if isinstance(found, str):
        raise UserError(
            f"model.structure=discover cannot read {type(model).__name__} ({model.config.model_type}): {found}"
        )
    return found


@lru_cache(maxsize=8)  # a cell asks several times: before its model is loaded, and after
def _discovered(kind: _Kind) -> Entry | str:
    try:
        inside = _ran(kind)
    except Exception as error:  # a model may need values, inputs of other kinds, kernels
        said = (str(error).strip().splitlines() or [""])[0]
        return f"its forward pass does not run without values: {type(error).__name__}: {said}"
    try:
        return _entry(inside, kind.family)
    except AmbiguousError as error:
        return str(error)


def _ran(kind: _Kind) -> Inside:
    """By the attention interface, else by the class's own attention."""
    try:
        inside = Inside(*traced(kind.of, kind.config))
    except Exception:
        inside = Inside(*traced(kind.of, kind.config, "eager"))
    note_spelt_attentions(inside.trace)
    return inside


def _entry(inside: Inside, family: Family) -> Entry:
    attentions: dict[str, AttentionRoles] = {}
    for node in inside.trace.nodes:
        if node.kind == "attention":
            roles = _attention(inside, node)
            if attentions.setdefault(node.name, roles) != roles:  # a layer that is used again is the same again
                raise AmbiguousError(f"{node.name} attends in two ways")
    if not attentions:
        raise AmbiguousError("no module of it attends")
    linears = {path for roles in attentions.values() for path in _paths(roles)}
    blocks: dict[str, list[AttentionRoles]] = {}
    for core, roles in attentions.items():
        blocks.setdefault(_block_of(inside, core, linears), []).append(roles)
    seen = [_seen(inside, path, own, linears) for path, own in blocks.items()]
    stacks = [_stack(pattern, [one for one in seen if one.pattern == pattern]) for pattern in _patterns(seen)]
    transposed = {isinstance(inside.model.get_submodule(path), Conv1D) for path in linears}
    if len(transposed) > 1:
        raise AmbiguousError("some of its linear layers are transposed, and others are not")
    return Entry("discover", family, (), _named(stacks, family), transposed=transposed == {True})


def _attention(inside: Inside, node: Node) -> AttentionRoles:
    """Of absolute paths."""
    if len(node.parents) != 3:
        raise AmbiguousError(f"{node.name} attends to what was not made of its input")
    origins = [sources(parent) for parent in node.parents]
    parts = []
    for part, found in zip(("queries", "keys", "values"), origins, strict=True):
        names = sorted({one.name for one in found if one.kind == "linear"})
        if len(names) != 1 or any(one.kind != "linear" for one in found):
            made = " and ".join(names) if len(names) > 1 else "no linear layer of their own"
            raise AmbiguousError(f"the {part} of {node.name} come from {made}")
        parts.append(found[0])
    query, key, value = (one.name for one in parts)
    outputs = consumers(node)
    if [one.kind for one in outputs] != ["linear"]:
        ends = ", ".join(one.name for one in outputs) or "no linear layer"
        raise AmbiguousError(f"the result of {node.name} goes into {ends}")
    if query == key == value:
        return AttentionRoles(node.name, outputs[0].name, fused=query)
    if len({query, key, value}) < 3:
        raise AmbiguousError(f"two of the queries, keys and values of {node.name} come from one layer, {key}")
    is_cross = plain(taken(parts[0])) is not plain(taken(parts[1]))
    return AttentionRoles(node.name, outputs[0].name, query, key, value, None, is_cross)


def _paths(roles: AttentionRoles) -> list[str]:
    found = (roles.query, roles.key, roles.value, roles.fused, roles.output)
    return [path for path in found if path is not None]


def _block_of(inside: Inside, core: str, of_attention: set[str]) -> str:
    """The innermost member of a list of modules around an attention that has more than attentions."""
    parts = core.split(".")
    for length in range(len(parts), 0, -1):
        path = ".".join(parts[:length])
        if not parts[length - 1].isdigit():
            continue
        module = inside.model.get_submodule(path)
        if has_stacked_matrices(module) or any(
            isinstance(part, LINEARS) and f"{path}.{name}" not in of_attention for name, part in module.named_modules()
        ):
            return path
    raise AmbiguousError(f"{core} is in no list of layers that have a feed-forward")


def _seen(inside: Inside, path: str, attentions: list[AttentionRoles], of_attention: set[str]) -> _Seen:
    for roles in attentions:
        for one in _paths(roles):
            if not one.startswith(f"{path}."):
                raise AmbiguousError(f"{one} belongs to the attention {roles.core}, and is not in its layer {path}")

    def below(name: str | None) -> str | None:
        return None if name is None else name.removeprefix(f"{path}.")

    own = tuple(
        replace(
            roles, core=roles.core.removeprefix(f"{path}."), output=roles.output.removeprefix(f"{path}."),
            query=below(roles.query), key=below(roles.key), value=below(roles.value), fused=below(roles.fused),
        )
        for roles in attentions
    )  # fmt: skip
    feed_forward = feed_forward_of(inside, path, of_attention)
    inner = {one for roles in attentions for one in _paths(roles) if one != roles.output}
    inner |= {f"{path}.{name}" for names in (feed_forward.inputs if feed_forward else ()) for name in names}
    pattern = re.sub(r"(?<=\.)\d+(?=\.|$)", "{}", path.removeprefix(inside.base))
    return _Seen(path, pattern, own, feed_forward, block_norms(inside, path, inner))


def _patterns(seen: list[_Seen]) -> list[str]:
    return list(dict.fromkeys(one.pattern for one in seen))


def _stack(pattern: str, blocks: list[_Seen]) -> Stack:
    first = blocks[0]
    for block in blocks[1:]:
        if (block.attentions, block.feed_forward) != (first.attentions, first.feed_forward):
            raise AmbiguousError(f"{block.path} is built otherwise than {first.path}")
    fullest = sorted(blocks, key=lambda block: -len(block.norms))  # ModernBERT's first has one less
    norms = dict.fromkeys(name for block in fullest for name in block.norms)
    return Stack("", pattern, first.attentions, first.feed_forward, tuple(norms))


def _named(stacks: list[Stack], family: Family) -> tuple[Stack, ...]:
    """Encoder first; the decoder is the one that attends to the other."""
    wanted = ["encoder", "decoder"] if family == Family.encoder_decoder else [family.value]
    stacks = sorted(stacks, key=lambda stack: any(roles.is_cross for roles in stack.attentions))
    if len(stacks) != len(wanted):
        lists = ", ".join(stack.blocks for stack in stacks)
        raise AmbiguousError(f"it has {len(stacks)} lists of layers ({lists}), where its family has {len(wanted)}")
    crosses = [any(roles.is_cross for roles in stack.attentions) for stack in stacks]
    if crosses != [len(wanted) == 2 and name == "decoder" for name in wanted]:
        raise AmbiguousError("queries and keys of an attention come from two places, where its family has one")
    return tuple(replace(stack, name=name) for stack, name in zip(stacks, wanted, strict=True))
