"""`bench report`: everything that has been run, in one folder; `bench report serve`: on a page while it runs."""

from collections.abc import Sequence
from contextlib import suppress

from bench.cli.arguments import check_out, config_dir_and_rest, own_settings
from bench.errors import UserError
from bench.system.terminal import say

LAST_PORT = 65535


def report(arguments: Sequence[str]) -> int:
    """Everything that has been run, in one folder, or served to this machine's browser."""
    if arguments and arguments[0] == "serve":
        return _serve(arguments[1:])
    from bench.findings.report import report as write_report

    config_dir, rest = config_dir_and_rest(arguments)
    given = own_settings("report", rest, ("results_dir", "out"))
    results_dir = given.get("results_dir", "results")
    out = given.get("out", f"{results_dir}/report")
    check_out(out, out, None if "out" in given else results_dir)
    for path in write_report(results_dir, out, config_dir):
        say(path)
    return 0


def _serve(arguments: Sequence[str]) -> int:
    config_dir, rest = config_dir_and_rest(arguments)
    given = own_settings("report serve", rest, ("results_dir", "port"))
    port = given.get("port")
    if port is not None and not (port.isascii() and port.isdecimal() and len(port) <= 5 and int(port) <= LAST_PORT):
        raise UserError(f"port={port} must be a whole number from 0 to {LAST_PORT}")
    with suppress(KeyboardInterrupt):  # that is how it ends
        from bench.watching.serve import PORT, serve

        serve(given.get("results_dir", "results"), PORT if port is None else int(port), config_dir)
    return 0
