"""`bench compare`: who differs from whom, from records."""

from collections.abc import Sequence

from bench.cli.arguments import check_out, config_dir_and_rest, own_settings
from bench.configuration.names import check_name
from bench.errors import UserError, unknown_name
from bench.system.terminal import say


def compare(arguments: Sequence[str]) -> int:
    """Who differs from whom, from records."""
    from bench.tables.contest import FORMATS, make_contest, write_contest

    config_dir, rest = config_dir_and_rest(arguments)
    given = own_settings("compare", rest, ("experiment", "results_dir", "against", "format", "out"))
    if "experiment" not in given:
        raise UserError("name the experiment: bench compare experiment=miniature/glue against=full")
    experiment, form = given["experiment"], given.get("format", "text")
    check_name("experiment", experiment)
    if form not in FORMATS:
        raise unknown_name("format", form, FORMATS)
    if "out" in given:
        check_out(given["out"], given["out"], None)
    made = make_contest(given.get("results_dir", "results"), experiment, given.get("against", "lora"), config_dir)
    if "out" not in given:
        say(FORMATS[form][1](made))
        return 0
    for path in write_contest(made, form, given["out"]):
        say(f"written: {path}")
    return 0
