"""`bench compare`: statistics of an experiment's records, printed or written."""

from collections.abc import Mapping
from pathlib import Path

from bench.cli.arguments import check_out
from bench.configuration.names import check_name
from bench.errors import UserError, unknown_name
from bench.system.console import PlainConsole
from bench.system.terminal import say
from bench.tables.content.build import make_table
from bench.tables.content.versus import compare
from bench.tables.definition.options import Options
from bench.tables.formats.versus import (
    comparison_to_csv,
    comparison_to_json,
    comparison_to_markdown,
    render_comparison,
)

FORMS = {"json": comparison_to_json, "markdown": comparison_to_markdown, "csv": comparison_to_csv}
ENDINGS = {"json": "json", "markdown": "md", "csv": "csv"}
TEXT = "text"


def compared(config_dir: str | None, given: Mapping[str, str]) -> int:
    """Compare, and print it in the format asked for, or write it to `out`; returns the exit code.

    Raises:
        UserError: a value that is none, or nothing to compare.
    """
    if "experiment" not in given:
        raise UserError("name the experiment: bench compare experiment=miniature/glue against=lora")
    experiment, results_dir = check_name("experiment", given["experiment"]), given.get("results_dir", "results")
    form = given.get("format", TEXT)
    if form not in (TEXT, *FORMS):
        raise unknown_name("format", form, (TEXT, *FORMS))
    if form == TEXT and "out" in given:
        raise UserError("out= needs a format: json, markdown or csv")
    options = Options.of({key: value for key, value in given.items() if key in ("level", "mix_selection")})
    table = make_table(results_dir, experiment, given.get("definition"), options, config_dir)
    found = compare(table, given.get("against", "full"), options.level)
    if form == TEXT:
        render_comparison(found, PlainConsole())
        return 0
    text = FORMS[form](found)
    if "out" not in given:
        say(text.rstrip("\n"))
        return 0
    check_out(given["out"], given["out"], None)
    path = Path(given["out"]) / f"{table.name}-against-{given.get('against', 'full').replace('/', '_')}.{ENDINGS[form]}"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror}") from error
    say(f"written: {path}")
    return 0
