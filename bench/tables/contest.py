"""What `bench compare` calls: a comparison made from records, and put into files."""

from pathlib import Path

from bench.errors import UserError
from bench.system.links import own_file
from bench.tables.content.build import make_table
from bench.tables.content.contest import Contest, contest
from bench.tables.formats.contest import FORMATS

__all__ = ["FORMATS", "make_contest", "write_contest"]


def make_contest(results_dir: str, experiment: str, against: str, config_dir: str | None = None) -> Contest:
    """Compare the methods of an experiment on each task's main metric.

    Args:
        results_dir: where records lie.
        experiment: a name such as `survey/glue`.
        against: the method that all others are held against.
        config_dir: a folder of the user's own.

    Raises:
        UserError: no records, or none that can be compared.
    """
    return contest(make_table(results_dir, experiment, "scores", None, config_dir, tested=False), against)


def write_contest(made: Contest, form: str, out: str) -> list[Path]:
    """Write a comparison in one of `FORMATS`, and its figures.

    Of every model with two tasks or more the performance profile, from ten tasks on the diagram of critical
    differences; as PDF, SVG and PNG.

    Raises:
        UserError: the folder cannot be written to.
    """
    suffix, render = FORMATS[form]
    folder = Path(out)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        path = own_file(folder / f"{made.name}.{suffix}")
        path.write_text(render(made) + "\n", encoding="utf-8")
        return [path, *_figures(made, folder)]
    except OSError as error:
        raise UserError(f"cannot write to {folder}: {error.strerror}") from error


def _figures(made: Contest, folder: Path) -> list[Path]:
    if not made.overall:
        return []
    # Not at the top: matplotlib takes a second to import.
    from bench.tables.figures.critical_difference import critical_differences
    from bench.tables.figures.drawing import save_figure, styled
    from bench.tables.figures.profile import profile

    paths = []
    for number, one in enumerate(made.overall, 1):
        drawn = {"profile": profile} | ({} if one.corrected is None else {"ranks": critical_differences})
        for kind, draw in drawn.items():
            with styled():
                figure = draw(one)
            paths += save_figure(figure, folder, f"{made.name}.{kind}{number}")
    return paths
