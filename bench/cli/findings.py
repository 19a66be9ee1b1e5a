"""`bench findings`: the survey's claims against the records."""

from collections.abc import Sequence

from bench.cli.arguments import own_settings
from bench.errors import unknown_name
from bench.system.terminal import say


def findings(arguments: Sequence[str]) -> int:
    """The survey's claims against the records."""
    from bench import findings as made
    from bench.system.console import PlainConsole

    given = own_settings("findings", arguments, ("experiment", "format", "results_dir"))
    results_dir, form = given.get("results_dir", "results"), given.get("format", "text")
    if form not in ("text", "markdown", "json"):
        raise unknown_name("format", form, ("text", "markdown", "json"))
    if "experiment" in given:
        echo = made.echo(results_dir, given["experiment"])
        if form == "text":
            made.render_echo(echo, PlainConsole())
        else:
            say(made.echo_to_markdown(echo) if form == "markdown" else made.echo_to_json(echo))
        return 0
    found, ours = made.evaluate(results_dir), made.evaluate_components(results_dir)
    if form == "text":
        made.render_findings(found, PlainConsole(), ours)
    else:
        say(made.findings_to_markdown(found, ours) if form == "markdown" else made.findings_to_json(found, ours))
    return 0
