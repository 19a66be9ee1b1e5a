"""Writes docs/methods.md from the registry: `python -m scripts.document_methods > docs/methods.md`.

Everything in it is computed: what a method says of itself, and its counts on the survey's models but LLaMA, on
the meta device.
"""

import sys
from typing import Any

from bench.configuration.compose import Configurations, build
from bench.configuration.schema import Family, ModelConfig
from bench.configuration.without_row import OF_LORA, TYPES
from bench.metering.parameters import plan_parameters
from bench.methods.base import Category, Method
from bench.models.head import Head
from bench.records.schema import Parameters

COMMAND = "python -m scripts.document_methods > docs/methods.md"
MODELS = ("roberta_base", "roberta_large", "t5_base", "t5_large")
# The library's tuners have no formula of their own here, `compose` shows how to write another composition.
LEFT_OUT = ("peft/any", "compose", "hybrid", "untuned")
STEPS, LENGTH = 1000, 128  # any will do: no count depends on them


def methods() -> list[Method]:
    """All methods of the registry, in the order of the survey's categories."""
    order = list(Category)
    with Configurations() as configurations:
        names = [name for name in configurations.options("method") if name not in LEFT_OUT]
        settings = [configurations.cell(["model=roberta_base", f"method={name}"]).config["method"] for name in names]
    built: list[Method] = [build(config, Method) for config in settings]
    return sorted(built, key=lambda method: order.index(method.category))


def models() -> list[ModelConfig]:
    """The models that are counted."""
    with Configurations() as configurations:
        return [configurations.cell([f"model={name}"]).base for name in MODELS]


def document() -> str:
    """The whole page."""
    found, counted = methods(), models()
    counts = {m.name: [plan_parameters(model, m, _head(model), STEPS, LENGTH) for model in counted] for m in found}
    sections = [
        _introduction(), _what_they_do(found), _counts(found, counts, counted), _remarks(found), _without_row()
    ]  # fmt: skip
    return "\n\n".join(sections) + "\n"


def _head(model: ModelConfig) -> Head | None:
    return Head(2) if model.family == Family.encoder else None


def _introduction() -> str:
    return (
        "# Methods\n\n"
        f"Written by `{COMMAND}` from `configs/method/` and `bench/methods/`; do not edit.\n\n"
        "x: a layer's input, h: a branch's output before the residual sum, LN: the pretrained norm, W: frozen weights "
        "unless said otherwise. The task head is trained with every method.\n\n"
        "Any other tuner of the installed peft library: `method=peft/any peft.type=LILY peft.r=8`. Each setting acts "
        "as the library means it or is refused with the reason (`bench/methods/library/`): what the library leaves to "
        "a training loop of one's own (beginnings found in data, losses, several tasks), what names nothing in the "
        "model, what has no effect beside the others. Adapted are queries and values unless the type has places of "
        "its own (norms, embeddings, (IA)³'s); `all-linear` is every linear layer of the blocks; the task head is "
        "trained and never adapted.\n\n"
        "Methods together: `method=compose`, see `configs/method/compose.yaml` and [hybrids.md](hybrids.md): any of "
        "these, with shares of one budget, and in a declared order where two act on the same place; `method=hybrid` is "
        "there to be searched for a mixture. None: "
        "`method=untuned` scores the base as it is, its task head too."
    )


def _what_they_do(found: list[Method]) -> str:
    rows = [
        [
            f"`{m.name}`", m.title, m.category.value, f"{m.formula}", m.where, m.trains,
            "yes" if m.identity_at_start else "no", "yes" if m.mergeable else "no", _link(m.paper),
        ]
        for m in found
    ]  # fmt: skip
    header = ["name", "method", "category", "formula", "where", "trains", "identity at start", "mergeable", "paper"]
    return "## What they do\n\n" + _table(header, rows)


def _counts(found: list[Method], counts: dict[str, list[Parameters]], counted: list[ModelConfig]) -> str:
    heads = ", ".join(
        f"{c.head:,} on {model.title}" for c, model in zip(counts["lora"], counted, strict=True) if c.head
    )
    return (
        "## Parameters\n\n"
        f"Besides the head of a two-label task ({heads}). The percentage's denominator is the bare base model with its "
        "head. Stored counts 32-bit values; a packed bit is 1/32.\n\n"
        + "\n\n".join(_counts_of(found, counts, counted, pair) for pair in (MODELS[:2], MODELS[2:]))
    )


def _counts_of(
    found: list[Method], counts: dict[str, list[Parameters]], counted: list[ModelConfig], names: tuple[str, ...]
) -> str:
    header = ["method"]
    shown = [number for number, model in enumerate(counted) if model.name in names]
    for number in shown:
        header += [f"{counted[number].title}: trained", "% of base", "of it for training only", "stored"]
    rows = [[m.title, *(cell for number in shown for cell in _cells(counts[m.name][number]))] for m in found]
    return _table(header, rows)


def _cells(counts: Parameters) -> list[str]:
    trained = counts.trainable - counts.head
    share = 100 * trained / counts.base_total
    return [f"{trained:,}", f"{share:.2f}", f"{counts.training_only:,}", f"{counts.stored - counts.head:,.0f}"]


def _remarks(found: list[Method]) -> str:
    changed = [f"- {m.title}: {m.why_not_identity}." for m in found if not m.identity_at_start]
    fixed = [f"- {m.title}: {m.why_not_mergeable()}." for m in found if not m.mergeable]
    other = [f"- {m.title}: {difference}." for m in found for difference in m.differences]
    silent = [f"- {m.title}: `{part}`: {why}." for m in found for part, why in m.without_gradient]
    parts = {
        "Why not the identity at the start": changed,
        "Why not mergeable": fixed,
        "Where they are not what their authors run": other,
        "What is counted as trained and may get no gradient in the first two steps": silent,
    }
    return "\n\n".join("\n".join([f"## {title}", "", *lines]) for title, lines in parts.items())


def _without_row() -> str:
    """What the library has besides."""
    named = {kind.lower(): absent for kind, absent in TYPES.items()} | OF_LORA
    lines = [
        f"- `{name}`: {absent.why}{f'; {absent.instead}' if absent.instead else ''}."
        for name, absent in sorted(named.items())
    ]
    return (
        "## Of the peft library, without a row\n\n"
        "Who asks for one by its name, `method=lily`, is told the same. A test holds the list against the installed "
        "library's types.\n\n" + "\n".join(lines)
    )


def _table(header: list[str], rows: list[list[Any]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def _link(paper: str) -> str:
    """`Authors year, https://…` as a Markdown link; of several, which a semicolon divides, each."""
    named = (one.rpartition(", ") for one in paper.split("; "))
    return "; ".join(f"[{name}]({address})" for name, _, address in named)


if __name__ == "__main__":
    sys.stdout.write(document())
