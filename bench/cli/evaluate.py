"""`bench evaluate`: a trained cell scored on another task or split."""

import sys
from collections.abc import Sequence
from pathlib import Path

from bench.cli.arguments import config_dir_and_rest, without_setting
from bench.configuration.compose import Configurations
from bench.errors import UserError, unknown_name
from bench.system.terminal import say

SECTIONS = ("task", "data", "training")  # what may be said of an evaluation; model and method are the cell's
LOOSE = ("device",)


def evaluate(arguments: Sequence[str]) -> int:
    """Score it, print the metrics, and say where they are written."""
    config_dir, settings = config_dir_and_rest(arguments)
    rest, path = without_setting(settings, "cell")
    rest, splits = without_setting(rest, "split")
    rest, out = without_setting(rest, "out")
    rest, base = without_setting(rest, "base")
    if path is None:
        raise UserError("cell= is missing: bench evaluate cell=results/runs/CELL/record.json task=glue/rte")
    said = [argument.lstrip("+").partition("=")[0] for argument in rest]
    for key in said:
        if key not in LOOSE and key.partition(".")[0] not in SECTIONS:
            raise unknown_name("setting of evaluate", key, ["cell", "split", "out", "base", *LOOSE, *SECTIONS])
    from bench.running.evaluation import asked_of, write_evaluation
    from bench.running.evaluation import evaluate as score
    from bench.running.trained import Wanted, finished, read_cell

    trained = finished(path).cell
    choices = [f"model={trained.model}", f"method={trained.method}"]
    if "task" not in said:
        choices.append(f"task={trained.task}")
    with Configurations(config_dir) as configurations:
        asked = asked_of(trained.config, configurations.cell([*choices, *rest]), said)
    found = read_cell(path, Wanted(asked.config["device"], base=base, config_dir=config_dir))
    made = score(found, asked, splits.split(",") if splits else ())
    for warning in made.warnings:
        say(f"warning: {warning}", sys.stderr)
    for metric, value in made.values.items():
        say(f"{metric}: " + ("not a number" if value is None else f"{value:.4f}"))
    say(str(write_evaluation(made, Path(path), out)))
    return 0
