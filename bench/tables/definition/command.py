"""The command that makes a table again, and whether it names an experiment that there is."""

import shlex
from collections.abc import Mapping
from pathlib import Path

from bench.configuration.folder import CONFIGS
from bench.errors import UserError, unknown_name
from bench.records.store import experiment_folder
from bench.tables.definition.options import Options
from bench.tables.definition.schema import read_yaml


def command_of(settings: Mapping[str, str], usual: str, options: Options, config_dir: str | None) -> str:
    """The line to type; what is the default anyway is left out.

    Args:
        settings: experiment, results_dir and definition.
        usual: the definition that the experiment has if none is named.
        options: of the table.
        config_dir: the user's own folder.
    """
    defaults = {"results_dir": "results", "definition": usual}
    words = [f"{key}={value}" for key, value in settings.items() if defaults.get(key) != value]
    folder = [] if config_dir is None else ["--config-dir", config_dir]
    return shlex.join(["bench", "table", *words, *options.words(), *folder])


def check_experiment(results_dir: str, experiment: str, config_dir: str | None) -> None:
    """Refuse a name that is neither configured nor a folder of records.

    Raises:
        UserError: it is neither; the message names the nearest experiment.
    """
    folders = [Path(folder) / "experiment" for folder in (config_dir, CONFIGS) if folder is not None]
    known = [
        path.relative_to(folder).with_suffix("").as_posix() for folder in folders for path in folder.rglob("*.yaml")
    ]
    methods = [folder.parent / "method" for folder in folders]
    known += [f"ablation/{p.relative_to(m).with_suffix('').as_posix()}" for m in methods for p in m.rglob("*.yaml")]
    if experiment not in known and not experiment_folder(results_dir, experiment).is_dir():
        raise unknown_name("experiment", experiment, known)


def table_of(experiment: str, config_dir: str | None) -> str | None:
    """The `table` that an experiment's file names, as Hydra finds the file; None where it names none.

    Raises:
        UserError: a file that is no YAML, or a name that is none.
    """
    for folder in (CONFIGS, config_dir):
        path = None if folder is None else Path(folder) / "experiment" / f"{experiment}.yaml"
        if path is None or not path.is_file():
            continue
        data = read_yaml(path)
        named = data.get("table") if isinstance(data, dict) else None
        if named is not None and not isinstance(named, str):
            raise UserError(f"{path}: table={named} must be the name of a table")
        return named
    return None
