"""`bench report`: everything that has been run, in one folder."""

from collections.abc import Sequence

from bench.cli.arguments import check_out, config_dir_and_rest, own_settings
from bench.system.terminal import say


def report(arguments: Sequence[str]) -> int:
    """Everything that has been run, in one folder."""
    from bench.findings.report import report as write_report

    config_dir, rest = config_dir_and_rest(arguments)
    given = own_settings("report", rest, ("results_dir", "out"))
    results_dir = given.get("results_dir", "results")
    out = given.get("out", f"{results_dir}/report")
    check_out(out, out, None if "out" in given else results_dir)
    for path in write_report(results_dir, out, config_dir):
        say(path)
    return 0
