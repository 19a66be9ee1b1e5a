"""`bench findings`: the survey's claims against the records."""

from collections.abc import Sequence

from bench.cli.arguments import own_settings
from bench.errors import unknown_name
from bench.system.terminal import say


def findings(arguments: Sequence[str]) -> int:
    """The survey's claims against the records."""
    from bench.findings import evaluate, evaluate_components, findings_to_json, findings_to_markdown, render_findings
    from bench.system.console import PlainConsole

    given = own_settings("findings", arguments, ("format", "results_dir"))
    results_dir, form = given.get("results_dir", "results"), given.get("format", "text")
    if form not in ("text", "markdown", "json"):
        raise unknown_name("format", form, ("text", "markdown", "json"))
    found, ours = evaluate(results_dir), evaluate_components(results_dir)
    if form == "text":
        render_findings(found, PlainConsole(), ours)
    else:
        say(findings_to_markdown(found, ours) if form == "markdown" else findings_to_json(found, ours))
    return 0
