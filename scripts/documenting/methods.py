"""The page of methods, from the registry: what each is, from whom, its settings, components, size and merging."""

from dataclasses import MISSING, fields
from enum import Enum
from typing import Any

from bench.configuration.compose import Configurations, build
from bench.configuration.experiment import word
from bench.methods.base import Category, Method
from scripts.documenting.markdown import code, config_link, page, table
from scripts.documenting.meanings import attributes, summary

NEEDED = {"peft/any": ["peft.type=LOHA"]}  # what the command line has to say
OF_EACH = ("name", "title", "category", "paper", "components")  # said above the settings
OPENING = (
    "`method=NAME` chooses one, `method.KEY=` sets what is below. Counts on real models, formulas side by side, and "
    "where a method is not what its authors run: [methods](../methods.md). Settings are shown as on RoBERTa-base.\n"
)


def methods() -> str:
    """Every method, by the survey's categories."""
    with Configurations() as configurations:
        names = configurations.options("method")
        found = {name: _settings(configurations, name) for name in names}
    built = {name: build(config, Method) for name, config in found.items()}
    order = list(Category)
    names = sorted(names, key=lambda name: (order.index(built[name].category), name))
    overview = table(
        ["`method=`", "title", "category", "merge", "paper"],
        [[code(n), built[n].title, built[n].category.value, _merge(built[n]), _source(built[n].paper)] for n in names],
    )
    return page(
        "Methods, by name",
        "`configs/method/` and `bench/methods/`",
        OPENING,
        overview,
        *(_method(name, built[name], found[name]) for name in names),
    )


def _settings(configurations: Configurations, name: str) -> dict[str, Any]:
    words = [f"method={name}", "model=roberta_base", "task=glue/rte", *NEEDED.get(name, [])]
    return dict(configurations.cell(words).config["method"])


def _method(name: str, method: Method, config: dict[str, Any]) -> str:
    facts = {
        "category": method.category.value,
        "source": _source(method.paper),
        "formula": method.formula and code(method.formula),
        "where": method.where,
        "trains": method.trains,
        "size": _size(method),
        "identity at the start": "yes" if method.identity_at_start else f"no: {method.why_not_identity}",
        "merged into the base": _merge(method),
        "components": ", ".join(f"{code(part)} ({state})" for part, state in method.components.items()) or "none",
        "file": config_link(f"method/{name}.yaml"),
    }
    rows = [[fact, text] for fact, text in facts.items() if text]
    said = f"{summary(type(method))}\n\n" if name not in NEEDED else ""
    return f"## {method.title} ({code(name)})\n\n{said}{table(['', ''], rows)}\n{_keys(method, config)}"


def _size(method: Method) -> str:
    if method.size:
        return f"`method.budget` chooses `{method.size}`"
    own = type(method).of_size is not Method.of_size
    return "`method.budget` chooses that of its parts" if own else "none that `method.budget` could choose"


def _merge(method: Method) -> str:
    return "yes" if method.mergeable else f"no: {method.why_not_mergeable()}"


def _source(paper: str) -> str:
    name, _, address = paper.rpartition(", ")
    return f"[{name}]({address})" if address.startswith("https://") else paper


def _keys(method: Method, config: dict[str, Any]) -> str:
    said = attributes(type(method))
    rows = [
        [code(f"method.{field.name}"), code(_value(config.get(field.name, _default(field)))), said.get(field.name, "")]
        for field in fields(method)
        if field.init and field.name not in OF_EACH
    ]
    return table(["setting", "value", "meaning"], rows)


def _default(field: Any) -> Any:
    if field.default is not MISSING:
        return field.default
    return field.default_factory() if field.default_factory is not MISSING else None


def _value(value: Any) -> str:
    text = word(value.value if isinstance(value, Enum) else value)
    return text if len(text) < 120 else "see the file"
