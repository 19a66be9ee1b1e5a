"""Which papers an experiment's methods, tasks and models come from, as BibTeX.

A method's YAML names its papers (`paper:`); an entry of `entries.bib` is found by the arXiv number or the link in it.
What has no entry gets a @misc of what the YAML says, to be completed: nothing is invented.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from bench import __version__
from bench.configuration.cell import Cell
from bench.identity.libraries import HARNESS

FOLDER = Path(__file__).parent
SURVEY = "xu2023survey"
ENTRY = re.compile(r"^@\w+\{([^,]+),\n.*?^\}$", re.MULTILINE | re.DOTALL)
FOUND_BY = re.compile(r"eprint = \{([\d.]+)\}|\\url\{([^}]+)\}")
# As a method's YAML writes it: "Hu et al. 2022, https://arxiv.org/abs/2106.09685".
PAPER = re.compile(r"(?P<author>.+?)( et al\.)? (?P<year>\d{4}), (?P<link>https://\S+)")
SPECIAL = re.compile(r"([&%#_$])")


def cite(cells: Iterable[Cell]) -> str:
    """BibTeX of the survey, the harness, and the methods, tasks and models of `cells`, each once."""
    configs = [cell.config for cell in cells]
    texts = [entries()[SURVEY], _harness()]
    for method in _named(configs, "method"):
        for paper in _papers(method):
            texts += [_of_paper(one, method) for one in paper.split("; ")]
    for kind in ("task", "model"):
        for config in _named(configs, kind):
            texts += _listed(kind, str(config["name"]))
    return "\n\n".join(dict.fromkeys(text for text in texts if text))


@cache
def entries() -> Mapping[str, str]:
    """The entries of `entries.bib`, by their key."""
    text = (FOLDER / "entries.bib").read_text(encoding="utf-8")
    return {found[1]: found[0] for found in ENTRY.finditer(text)}


@cache
def _by_link() -> Mapping[str, str]:
    """The entries by arXiv number or link."""
    return {place[1] or place[2]: text for text in entries().values() if (place := FOUND_BY.search(text))}


def _harness() -> str:
    title = "a benchmark of parameter-efficient fine-tuning"
    lines = [f"title = {{{HARNESS}: {title}}}", f"author = {{{{The {HARNESS} authors}}}}"]
    return _misc(HARNESS, [*lines, f"note = {{Version {__version__}}}"])


def _named(configs: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    """The configurations of a kind, each name once, in the order of the cells."""
    found: dict[str, dict[str, Any]] = {}
    for config in configs:
        found.setdefault(str(config[kind]["name"]), config[kind])
    return list(found.values())


def _papers(config: Any) -> Iterator[str]:
    """Every `paper` of a method and its parts; those that say none are left out."""
    if isinstance(config, dict):
        for key, value in config.items():
            if key == "paper" and isinstance(value, str):
                if value.strip(" -") not in ("", "none"):
                    yield value
            else:
                yield from _papers(value)


def _of_paper(paper: str, method: Mapping[str, Any]) -> str:
    """The paper's entry, or what can be said of it."""
    said = PAPER.fullmatch(paper)
    link = said["link"] if said else ""
    known = _by_link().get(link.removeprefix("https://arxiv.org/abs/"))
    if known:
        return known
    name, title = str(method["name"]), _text(method.get("title") or method["name"])
    lines = [f"title = {{{{{title}}}}}", "note = {" + _text(paper) + "; to be completed}"]
    if said:
        author = " and ".join([*said["author"].split(" and "), *(["others"] if said[2] else [])])
        lines = [lines[0], f"author = {{{_text(author)}}}", f"year = {{{said['year']}}}"]
        lines += [f"howpublished = {{\\url{{{link}}}}}", "note = {To be completed}"]
        name += said["year"]
    return _misc(name, lines)


def _listed(kind: str, name: str) -> list[str]:
    """What a task or a model asks for; a line of comment where nothing is known."""
    listed = _tasks_and_models()[kind]
    keys = listed.get(name, listed.get(name.partition("/")[0]))
    if keys is None:
        return [f"% no entry for the {kind} {' '.join(name.split())}"]
    return [entries()[key] for key in keys]


@cache
def _tasks_and_models() -> dict[str, dict[str, list[str]]]:
    found: dict[str, dict[str, list[str]]] = yaml.safe_load((FOLDER / "tasks_and_models.yaml").read_text())
    return found


def _misc(key: str, lines: list[str]) -> str:
    body = ",\n".join(f"  {line}" for line in lines)
    return f"@misc{{{re.sub(r'[^A-Za-z0-9_.-]', '-', key)},\n{body}\n}}"


def _text(text: object) -> str:
    """A name within braces: no brace of its own, special characters escaped."""
    plain = " ".join(str(text).split()).replace("{", "(").replace("}", ")").replace("\\", "/")
    return SPECIAL.sub(r"\\\1", plain)
