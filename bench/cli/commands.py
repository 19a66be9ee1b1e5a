"""The command line: which commands there are, and how a mistake ends. What each does is in its module.

Nothing heavy is imported here: `bench --help` has to answer at once.
"""

import sys
from collections.abc import Callable, Sequence
from pkgutil import resolve_name

from bench.cli.usage import HELP, USAGE
from bench.errors import UserError, unknown_name
from bench.system.terminal import forget_warnings, say

# Where each command is: a function of the arguments behind its name that returns the exit code.
COMMANDS = {
    "run": "bench.cli.run:run",
    "show": "bench.cli.show:show",
    "sweep": "bench.cli.sweep:sweep",
    "tune": "bench.cli.tune:tune",
    "fair": "bench.cli.fair:fair",
    "status": "bench.cli.status:status",
    "plan": "bench.cli.plan:plan",
    "table": "bench.cli.table:table",
    "compare": "bench.cli.compare:compare",
    "findings": "bench.cli.findings:findings",
    "report": "bench.cli.report:report",
    "evaluate": "bench.cli.evaluate:evaluate",
    "export": "bench.cli.export:export",
    "reference": "bench.cli.reference:reference",
    "cite": "bench.cli.cite:cite",
    "fetch": "bench.cli.fetch:fetch",
    "check": "bench.cli.check:check",
    "task": "bench.cli.task_new:task",
    "doctor": "bench.cli.doctor:doctor",
}


def main() -> None:
    """Entry point of the console script; sets the exit code."""
    sys.exit(run_command(sys.argv[1:]))


def run_command(arguments: Sequence[str]) -> int:
    """Run one command.

    Returns:
        0: all went well; 1: a cell failed; 2: a mistake of the user's, told in one line on stderr; 130: interrupted.
    """
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        say(USAGE.rstrip("\n"))
        return 0
    name, *rest = arguments
    forget_warnings()
    try:
        if name in ("-sc", "--shell-completion"):
            from bench.cli.completion import shell_completion

            return shell_completion(rest)
        if name not in COMMANDS:
            raise unknown_name("command", name, COMMANDS)
        if "-h" in rest or "--help" in rest:
            say(HELP[name].rstrip("\n"))
            return 0
        command: Callable[[Sequence[str]], int] = resolve_name(COMMANDS[name])
        return command(rest)
    except UserError as error:
        say(f"bench: {' '.join(str(error).split())}", sys.stderr)
        return 2
    except KeyboardInterrupt:
        say("bench: interrupted; the same command goes on where it stopped", sys.stderr)
        return 130
