"""Reading a model's structure: by the user's own entry, by what `bench.models.entries` says of its type, or as fits."""

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from torch import nn

from bench.configuration.schema import Family
from bench.errors import UserError
from bench.models.auto_classes import has_task_head
from bench.models.declared import DISCOVER, KEY, entry_of
from bench.models.discover import discover
from bench.models.entries import ENTRIES
from bench.models.fit import check_fit, missing
from bench.models.fused_rows import fused_rows, width_of
from bench.models.roles import AttentionRoles, Entry, ExpertRoles, FeedForwardRoles, Stack
from bench.models.structure import EXPERT_SITES, PARTS, Attention, Block, FeedForward, Structure


class _MissingError(Exception):
    """An entry does not fit: the model has no such module (the second argument is its path), or other norms."""


def structure_of(model: nn.Module, family: Family, given: Any = None) -> Structure:
    """Read the structure of `model`.

    A model that no entry fits has a structure all the same, which knows its head, its width and its positions; a method
    that asks it for more is refused.

    Args:
        model: of transformers' classes, bare, on any device.
        family: of it.
        given: `model.structure` of its configuration: an entry as `bench.models.declared` reads it, "discover", or
            None for the built-in ones.

    Raises:
        UserError: the model has no layers, or is not as the given entry says.
    """
    if given is not None:
        return _given_structure(model, family, given)
    kind = model.config.model_type  # type: ignore[union-attr]
    own = [entry for entry in ENTRIES if kind in entry.types]
    reasons = []
    for entry in own or [entry for entry in ENTRIES if entry.family == family]:
        if entry.family != family or (entry.when is not None and not _is_so(model, *entry.when)):
            continue
        try:
            blocks = tuple(block for stack in entry.stacks for block in _blocks(model, stack, is_own=bool(own)))
        except _MissingError as error:
            reasons.append(f"{entry.name}: {error.args[0]}")
            continue
        return _structure(model, family, blocks, entry)
    tried = reasons[0] if own and reasons else f"it is built like none of {', '.join(_names(family))}"
    missing = (
        f"nothing is known of what is inside {type(model).__name__} ({kind}): {tried}; full fine-tuning and methods "
        "that need no places inside can be had, for others see bench.models.entries"
    )
    return replace(_structure(model, family, ()), missing=missing)


def _given_structure(model: nn.Module, family: Family, given: Any) -> Structure:
    entry = discover(model, family) if given == DISCOVER else entry_of(given, family)
    key = f"{KEY}={DISCOVER}" if given == DISCOVER else KEY
    try:
        blocks = tuple(block for stack in entry.stacks for block in _blocks(model, stack, is_own=True))
    except _MissingError as error:
        said, *path = error.args
        raise UserError(f"{key}: {missing(model, path[0]) if path else said}") from error
    check_fit(model, blocks, key, transposed=entry.transposed)
    return _structure(model, family, blocks, entry)


def _structure(model: Any, family: Family, blocks: tuple[Block, ...], entry: Entry | None = None) -> Structure:
    base = model.base_model
    has_head = has_task_head(family, model.config)
    head = [
        name for name, child in model.named_children() if child is not base and any(True for _ in child.parameters())
    ]
    return Structure(
        family, blocks, tuple(head) if has_head else (), _hidden(model, blocks),
        _positions(model) if entry is None or entry.has_positions else None,
        transposed=entry is not None and entry.transposed, entry=None if entry is None else entry.name,
    )  # fmt: skip


def _blocks(model: Any, stack: Stack, *, is_own: bool) -> Iterator[Block]:
    base = _path_of(model, model.base_model)
    holder = _inside(base, stack.blocks.partition(".{}")[0])
    pattern = re.compile(re.escape(_inside(base, stack.blocks)).replace(r"\{\}", r"\d+"))
    paths = [path for path, _ in model.named_modules() if pattern.fullmatch(path)]
    if not paths:
        if _find(model, holder) is not None:
            raise UserError(f"{type(model).__name__} has no layers in {holder}; its configuration says so")
        raise _MissingError(f"no {holder}", holder)
    for path in paths:
        norms, gaps = _norms(model, path)
        wanted = {name for name in stack.norms if "." not in name}
        if not stack.any_norms and not set(norms) <= wanted <= {*norms, *gaps}:
            raise _MissingError(f"the norms of {path} are {', '.join(norms) or 'none'}")
        attentions = tuple(_attention(model, path, roles, stack.name, is_own=is_own) for roles in stack.attentions)
        feed_forward = None
        if stack.feed_forward is not None:
            feed_forward = _feed_forward(model, path, stack.feed_forward, norms if stack.any_norms else stack.norms)
        yield Block(path, attentions, feed_forward, _experts(model, path, stack.experts))


def _attention(model: Any, path: str, roles: AttentionRoles, stack: str, *, is_own: bool) -> Attention:
    """Read one attention; a fused projection is split only where the entry is the type's own (`is_own`)."""

    def at(name: str | None) -> str | None:
        return None if name is None else _require(model, f"{path}.{name}")

    core, output = _require(model, f"{path}.{roles.core}"), _require(model, f"{path}.{roles.output}")
    if roles.fused is None:
        return Attention(core, output, stack, at(roles.query), at(roles.key), at(roles.value), None, roles.is_cross)
    fused = _require(model, f"{path}.{roles.fused}")
    rows = fused_rows(model, core, fused, output, roles if is_own else None)
    if isinstance(rows, str):
        return Attention(core, output, stack, fused=fused, is_cross=roles.is_cross, why_whole=rows)
    query, key, value = (f"{fused}.{name}" for name in PARTS)
    return Attention(core, output, stack, query, key, value, fused, roles.is_cross, rows)


def _feed_forward(model: nn.Module, path: str, roles: FeedForwardRoles, norms: tuple[str, ...]) -> FeedForward:
    def at(name: str | None) -> str | None:
        return None if name is None else _require(model, f"{path}.{name}" if name else path)

    there = (names for names in roles.inputs if all(_find(model, f"{path}.{name}") is not None for name in names))
    inputs = next(there, roles.inputs[0])
    output = _require(model, f"{path}.{roles.output}")
    has_result = roles.result is not None and _find(model, f"{path}.{roles.result}") is not None
    return FeedForward(
        inputs=tuple(_require(model, f"{path}.{name}") for name in inputs),
        output=output,
        result=f"{path}.{roles.result}" if has_result else output,
        norm=at(roles.norm),
        branch=at(roles.branch),
        total=at(roles.total),
        place=roles.place,
        norms=norms,
    )


def _experts(model: nn.Module, path: str, roles: ExpertRoles | None) -> tuple[tuple[str, str], ...]:
    """Sites and parameters of a block's experts; none where it has one feed-forward like any other's."""
    if roles is None:
        return ()
    named = [(site, f"{path}.{name}") for site, name in zip(EXPERT_SITES, (roles.input, roles.output), strict=True)]
    holders = {parameter.rpartition(".")[0] for _, parameter in named}
    if all(_find(model, holder) is None for holder in holders):
        return ()
    for _, parameter in named:
        holder, _, name = parameter.rpartition(".")
        there = getattr(_find(model, holder), name, None)
        if not isinstance(there, nn.Parameter) or there.ndim != 3:
            raise _MissingError(f"no parameter {parameter} of experts side by side")
    return tuple(named)


def _find(model: nn.Module, path: str) -> nn.Module | None:
    try:
        return model.get_submodule(path)
    except AttributeError:
        return None


def _require(model: nn.Module, path: str) -> str:
    if _find(model, path) is None:
        raise _MissingError(f"no {path}", path)
    return path


def _norms(model: nn.Module, path: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Names of the norms among the children of the block at `path`, and of those that do nothing (ModernBERT's first).

    Norms inside attention and feed-forward are none of them.
    """
    children = model.get_submodule(path).named_children()
    found = [(name, module) for name, module in children if "norm" in f"{name} {type(module).__name__}".lower()]
    gaps = tuple(name for name, module in found if isinstance(module, nn.Identity))
    return tuple(name for name, _ in found if name not in gaps), gaps


def _path_of(model: nn.Module, wanted: object) -> str:
    found: str = next(path for path, module in model.named_modules() if module is wanted)
    return found


def _inside(base: str, path: str) -> str:
    return f"{base}.{path}" if base else path


def _hidden(model: Any, blocks: tuple[Block, ...]) -> int:
    """Width of what the first branch gives: MobileBERT's blocks are narrower than its configuration says."""
    if not blocks:
        return int(model.config.get_text_config().hidden_size)
    first = blocks[0]
    return width_of(model, first.attentions[0].output if first.feed_forward is None else first.feed_forward.output)


def _positions(model: Any) -> int | None:
    """The longest input; RoBERTa counts positions from padding_idx + 1, so that two of them are never used."""
    most = getattr(model.config.get_text_config(), "max_position_embeddings", None)
    table = getattr(getattr(model.base_model, "embeddings", None), "position_embeddings", None)
    offset = getattr(table, "padding_idx", None)
    return most if most is None or offset is None else most - offset - 1


def _is_so(model: Any, key: str, value: Any) -> bool:
    return bool(getattr(model.config, key, value) == value)


def _names(family: Family) -> list[str]:
    return [entry.name for entry in ENTRIES if entry.family == family]
