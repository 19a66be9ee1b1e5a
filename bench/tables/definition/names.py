"""Names in a definition that neither the records nor the configuration know: most likely typing errors."""

from collections.abc import Iterable
from dataclasses import fields
from pathlib import Path

from bench.configuration.folder import CONFIGS
from bench.configuration.schema import SECTIONS
from bench.errors import NothingToShowError, unknown_name
from bench.tables.definition.frame import Records
from bench.tables.definition.schema import TableDefinition, definition_files, load_definition
from bench.tables.definition.settings import WITHOUT_EFFECT, flat_settings


def configured(group: str, config_dir: str | None = None) -> set[str]:
    """All models, tasks or methods (`group`) that the project and the user's folder have a YAML file for."""
    folders = [Path(folder) / group for folder in (CONFIGS, config_dir) if folder is not None]
    return {file.relative_to(top).with_suffix("").as_posix() for top in folders for file in top.rglob("*.yaml")}


def check_names(definition: TableDefinition, records: Records, config_dir: str | None = None) -> None:
    """Refuse methods, settings and metrics that do not exist.

    Raises:
        NothingToShowError: there is one, with the nearest known names; other records may know it.
    """
    where = f"the table '{definition.name}'"
    methods = {*definition.methods, *(item.below for item in definition.columns if item.below)}
    here = {*records.cells["method"].unique(), *(cell.method for cell in records.expected)}
    if unknown := sorted(methods - here):
        known = configured("method", config_dir) | here
        for method in unknown:
            if method not in known:
                raise NothingToShowError(f"{where}: {unknown_name('method', method, known)}")
    for key in definition.rows[1:]:
        if key not in _settings(()) and key not in (known := _settings(records.cells["settings"].unique())):
            raise NothingToShowError(f"{where}, rows: {unknown_name('setting', key, known)}")
    for item in definition.columns:
        if item.task is not None and item.metrics:
            _check_metrics(item.task, item.metrics, records, where)


def _settings(texts: Iterable[str]) -> set[str]:
    """Settings that can make rows: those of every cell, and those in the records' settings (JSON)."""
    always = {f"{section}.{field.name}" for section, schema in SECTIONS.items() for field in fields(schema)}
    return always.union(*(flat_settings(text) for text in texts)) - WITHOUT_EFFECT


def _check_metrics(task: str, metrics: Iterable[str], records: Records, where: str) -> None:
    """A metric may be missing from the records, but then it must be one that the project has tables of."""
    names = [name for name in records.cells["task"].unique() if task in {name, name.rpartition("/")[2]}]
    of_task = records.cells.loc[records.cells["task"].isin(names), "metrics"]
    unknown = [metric for metric in metrics if not any(metric in values for values in of_task)]
    known = {metric for values in of_task for metric in values} if unknown else set()
    if not known:
        return
    for name in definition_files():
        known |= {metric for item in load_definition(name).columns for metric in item.metrics or {}}
    for metric in sorted({*unknown} - known):
        raise NothingToShowError(f"{where}: {unknown_name(f'metric of {task}', metric, known)}")
