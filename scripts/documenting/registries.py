"""Pages of what can be named on the command line: models, tasks, tables, experiments, and the survey's claims.

Each row links to the YAML file, which says the rest with its sources.
"""

from collections.abc import Iterator
from typing import Any

from omegaconf import OmegaConf

from bench.configuration.compose import Configurations
from bench.configuration.schema import Family
from bench.errors import UserError
from bench.findings.claims import load_claims
from bench.sweeping.selection import selected
from bench.tables.definition.schema import definition_files, load_definition
from bench.tasks.build import task_from
from scripts.documenting.markdown import code, config_link, page, table


def models() -> str:
    """Every model that is configured."""
    rows = []
    with Configurations() as configurations:
        for name in configurations.options("model"):
            found = configurations.compose([f"model={name}"]).model
            here = found.hub or ("in the package" if found.shipped else "`model.hub=` or `model.path=`")
            kind = found.architecture.get("model_type", "any")
            rows.append([code(name), found.title, found.family.value, kind, here, config_link(f"model/{name}.yaml")])
    opening = (
        "Which methods go with which types of models: [models](../models.md). `model.KEY=` sets what is in a file.\n"
    )
    header = ["`model=`", "title", "family", "type", "where from", "file"]
    return page("Models, by name", "`configs/model/`", opening, table(header, rows))


def tasks() -> str:
    """Every task that is configured."""
    with Configurations() as configurations:
        rows = [_task(configurations, name) for name in configurations.options("task")]
    opening = "What each one is, and from where: [tasks](../tasks.md). Its keys: [your own](../your-own.md#keys).\n"
    header = ["`task=`", "title", "form", "families", "metrics, the main one first", "data", "file"]
    return page("Tasks, by name", "`configs/task/`", opening, table(header, rows))


def _task(configurations: Configurations, name: str) -> list[str]:
    composed = configurations.compose([f"task={name}", "model=t5_base", "method=full"]).task
    config = dict[str, Any](OmegaConf.to_container(composed, resolve=True))  # type: ignore[arg-type]
    task, families, metrics = task_from(config), [], [""]
    for family in Family:
        try:
            done = task.on(family)
        except UserError:
            continue
        families.append(family.value)
        metrics = [metric.name for metric in done.metrics()] or [done.main_metric]
    data = config.get("data") or {}
    form, hub = config.get("form", "a class"), data.get("hub") or "see the file"
    title = str(config["title"])
    shown = ", ".join(map(code, metrics))
    return [code(name), title, form, ", ".join(families), shown, hub, config_link(f"task/{name}.yaml")]


def tables() -> str:
    """Every table that is defined."""
    found = [load_definition(name) for name in sorted(definition_files())]
    rows = [
        [code(one.name), one.title, one.survey, ", ".join(_columns(one.columns)), config_link(f"table/{one.name}.yaml")]
        for one in found
    ]
    opening = (
        "`bench table experiment=… definition=NAME`; keys and quantities: [tables](../tables.md#your-own-table).\n"
    )
    header = ["`definition=`", "title", "the survey's", "columns", "file"]
    return page("Tables, by name", "`configs/table/`", opening, table(header, rows))


def _columns(columns: Any) -> Iterator[str]:
    for column in columns:
        yield column.title or ("every task" if column.task == "*" else column.task or column.field or "")


def experiments() -> str:
    """Every experiment that is configured, with the number of its cells."""
    rows = []
    with Configurations() as configurations:
        for name in configurations.options("experiment"):
            declared = configurations.compose([f"experiment={name}"]).experiment
            cells = len(selected([f"experiment={name}"], configurations.compose))
            shown = code(declared.table) if declared.table else ""
            rows.append([code(name), declared.title, shown, cells, config_link(f"experiment/{name}.yaml")])
    opening = (
        "`bench sweep experiment=NAME` runs the cells. Beside these, `experiment=ablation/METHOD` takes any method "
        f"apart ([a method's parts](../ablations.md), {config_link('experiment/ablation/_any.yaml')}). What is known "
        "of the survey's settings: [experiments](../experiments.md).\n"
    )
    header = ["`experiment=`", "title", "table", "cells", "file"]
    return page("Experiments, by name", "`configs/experiment/`", opening, table(header, rows))


def claims() -> str:
    """Every claim of the survey that records are held against."""
    rows = [
        [code(one.id), one.table, one.claim, f"{one.source}{f'; {one.note}' if one.note else ''}", len(one.checks)]
        for one in load_claims()
    ]
    opening = (
        "`bench findings` holds them against the records: [the survey's claims](../tables.md#findings). Checks "
        "and bounds: [`survey.yaml`](../../bench/findings/survey.yaml).\n"
    )
    header = ["claim", "table", "what it says", "known from", "checks"]
    return page("The survey's claims", "`bench/findings/survey.yaml`", opening, table(header, rows))
