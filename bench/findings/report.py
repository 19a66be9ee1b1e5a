"""Everything that has been run, in one folder: all tables, figures and findings, and a page of them."""

from pathlib import Path

from bench.errors import NotComparableError, NothingToShowError, UserError
from bench.findings.components import ComponentFinding, evaluate_components
from bench.findings.echoes import Echo, echoes
from bench.findings.evaluate import Finding, evaluate
from bench.findings.experiments import experiments
from bench.findings.html import components_to_html, echoes_to_html, findings_to_html
from bench.findings.render import echo_to_markdown, findings_to_json, findings_to_markdown
from bench.system.links import own_file
from bench.system.terminal import warn
from bench.tables.content.build import make_table
from bench.tables.definition.schema import definition_files, load_definition
from bench.tables.definition.table import Table
from bench.tables.figures.drawing import write_figures
from bench.tables.page.html import to_html
from bench.tables.write import write


def report(results_dir: str, out: str, config_dir: str | None = None) -> list[Path]:
    """Write all tables (CSV, LaTeX, Markdown), figures (PDF, SVG, PNG) and findings, and `index.html` with all of them.

    Args:
        results_dir: where records lie; every experiment in it is reported.
        out: the folder to write to.
        config_dir: a folder of the user's own; every table in its `table/` is made of every experiment that it fits.

    Returns:
        The files' paths, the page first.

    Raises:
        UserError: there is nothing to report, a record that cannot be read, or a folder that cannot be written to.
    """
    tables = _all_tables(results_dir, config_dir)
    folder = Path(out)
    paths: list[Path] = []
    for table in tables:
        for kind in ("csv", "latex", "markdown"):
            paths += write(table, kind, folder)
        paths += write_figures(table, folder)
    findings, ours = evaluate(results_dir), evaluate_components(results_dir)
    others = echoes(results_dir)
    texts = {
        "index.html": to_html(tables, _sections(findings, others, ours), title="Report"),
        "findings.md": "\n".join([findings_to_markdown(findings, ours), *map(echo_to_markdown, others)]),
        "findings.json": findings_to_json(findings, ours),
    }
    for name, text in texts.items():
        own_file(folder / name).write_text(text, encoding="utf-8")
    return [*(folder / name for name in texts), *paths]


def report_page(results_dir: str, config_dir: str | None = None) -> str:
    """The page alone, without figures, which take the most time; arguments and errors as of `report`."""
    tables = _all_tables(results_dir, config_dir)
    sections = _sections(evaluate(results_dir), echoes(results_dir), evaluate_components(results_dir))
    return to_html(tables, sections, title="Report", figures=False)


def _sections(findings: list[Finding], others: list[Echo], ours: list[ComponentFinding]) -> list[str]:
    return [findings_to_html(findings), echoes_to_html(others), components_to_html(ours)]


def _all_tables(results_dir: str, config_dir: str | None) -> list[Table]:
    own = _definitions(config_dir)
    tables = [
        table for experiment in experiments(results_dir) for table in _tables(results_dir, experiment, own, config_dir)
    ]
    if not tables:
        raise UserError(f"no records in {results_dir}; make some with: bench sweep experiment=miniature/glue")
    return tables


def _definitions(config_dir: str | None) -> list[str]:
    """The names of the user's own tables; one called like one of the project's stands in its place, not beside it."""
    projects = definition_files()
    own = [name for name, path in definition_files(config_dir).items() if path != projects.get(name)]
    for name in own:
        load_definition(name, config_dir)  # a wrong one is said at once, whatever has been run
    return [name for name in own if name not in projects]


def _tables(results_dir: str, experiment: str, own: list[str], config_dir: str | None) -> list[Table]:
    """The experiment's own table, those that its records fill beside it, and the user's."""
    try:
        first = make_table(results_dir, experiment, config_dir=config_dir)
    except NothingToShowError:  # a folder deeper than an experiment's, holding another experiment's records
        return []
    except NotComparableError as error:
        warn(f"{experiment}: {error}; its tables are left out")
        return []
    found = [first]
    for name in dict.fromkeys([*_beside(first), *own]):
        try:
            found += (
                [] if name == first.definition else [make_table(results_dir, experiment, name, config_dir=config_dir)]
            )
        except NothingToShowError:
            continue  # a table of other tasks
    return found


def _beside(table: Table) -> list[str]:
    """The project's tables that have something to show of the same records."""
    cells = table.records.cells
    cuda = (cells["measure"] == "cuda").any()
    filled = {
        "curve": table.definition == "mmlu" and (cells["curve_points"] > 1).any(),
        "memory": cuda,
        "speed": (cuda or table.definition == "memory") and cells["step_seconds"].notna().any(),
        "inference": cells["inference_adapted_seconds"].notna().any(),
    }
    return [name for name, has_any in filled.items() if has_any]
