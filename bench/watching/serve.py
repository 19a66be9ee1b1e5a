"""`bench report serve`, once its settings are known: serve until somebody ends it."""

import sys
from pathlib import Path

from bench.errors import UserError
from bench.findings.report import report_page
from bench.records.store import results_folder
from bench.system.terminal import say
from bench.watching.server import LiveServer
from bench.watching.watch import Watch

PORT = 8321


def serve(results_dir: str, port: int = PORT, config_dir: str | None = None) -> None:
    """Say where the page is, and answer until Ctrl-C.

    Args:
        results_dir: what is shown.
        port: of 127.0.0.1; 0: one that is free.
        config_dir: a folder of the user's own, whose tables the report has too.

    Raises:
        KeyboardInterrupt: somebody has ended it.
        UserError: no such folder, or a port that is taken.
    """
    if not results_folder(results_dir).exists():
        raise UserError(f"cannot read the results folder {results_dir}: no such folder")
    with LiveServer(Watch(Path(results_dir)), port, lambda: report_page(results_dir, config_dir)) as server:
        say(f"{results_dir} is shown at {server.address} until Ctrl-C")
        sys.stdout.flush()  # who reads it through a pipe waits for the address
        server.serve_forever()
