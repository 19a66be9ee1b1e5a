"""`bench table`: tables from records."""

from collections.abc import Sequence

from bench.cli.arguments import check_out, config_dir_and_rest, own_settings
from bench.configuration.names import check_name
from bench.errors import UserError, unknown_name


def table(arguments: Sequence[str]) -> int:
    """Tables from records: printed, and written in the formats asked for."""
    from bench.system.console import PlainConsole
    from bench.tables import FORMATS, Options, make_table, render_text, write
    from bench.tables.definition.options import WORDS as OPTION_WORDS

    config_dir, rest = config_dir_and_rest(arguments)
    given = own_settings("table", rest, ("experiment", "format", "out", "results_dir", "definition", *OPTION_WORDS))
    if "experiment" not in given:
        raise UserError("name the experiment: bench table experiment=miniature/glue")
    asked, formats = Options.of(given), given["format"].split(",") if "format" in given else []
    for name in set(formats) - set(FORMATS):
        raise unknown_name("format", name, FORMATS)
    results_dir, console = given.get("results_dir", "results"), PlainConsole()
    out = given.get("out", f"{results_dir}/tables")
    experiments = given["experiment"].split(",")
    if len(experiments) > 1 and {"caption", "label"} & given.keys():
        raise UserError("caption= and label= are of one table; name one experiment")
    for experiment in experiments:
        check_name("experiment", experiment)
        check_out(out, f"{out}/{experiment}", None if "out" in given else results_dir)
        made = make_table(results_dir, experiment, given.get("definition"), asked, config_dir)
        render_text(made, console)
        for name in formats:
            for path in write(made, name, f"{out}/{experiment}"):
                console.print(f"written: {path}", highlight=False, soft_wrap=True)
    return 0
