"""What searches have bought, drawn: for each model and task the expected best score after n trials of every method."""

from collections.abc import Sequence
from pathlib import Path

from bench.errors import UserError
from bench.tuning.bought import default_trial, expected, together
from bench.tuning.result import Result


def write_pictures(results: Sequence[Result], folder: Path) -> list[Path]:
    """Write `expected.<model>.<task>` as PDF, SVG and PNG; none where a pruner has made scores that do not compare.

    Raises:
        UserError: the folder cannot be written to.
    """
    # Not at the top: matplotlib takes a second to import.
    from bench.tables.figures.drawing import save_figure, styled
    from bench.tables.figures.search import Bought, expected_best_scores

    paths = []
    for (model, task), group in together(results).items():
        searches = [
            Bought(result.study.cell.method, expected(result), None if near is None else near.score)
            for result in group
            if expected(result)
            for near in (default_trial(result),)
        ]
        if not searches:
            continue
        metric = next(result.metric for result in group if result.scored)
        with styled():
            figure = expected_best_scores(f"{model} on {task}", metric.name, searches)
        try:
            paths += save_figure(figure, folder, f"expected.{model}.{task}".replace("/", "-"))
        except OSError as error:
            raise UserError(f"cannot write to {folder}: {error.strerror}") from error
    return paths
