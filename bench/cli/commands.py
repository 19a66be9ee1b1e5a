"""The command line: parse, call, print. What each command does is in the module it calls.

Nothing heavy is imported here: `bench --help` has to answer at once.
"""

import sys
from collections.abc import Callable, Sequence

from bench.cli.arguments import (
    check_out,
    config_dir_and_rest,
    form_and_rest,
    own_settings,
    sweep_option,
    without_setting,
)
from bench.cli.usage import HELP, USAGE
from bench.configuration.names import check_name
from bench.errors import UserError, unknown_name
from bench.system.terminal import forget_warnings, say

PLANS = "bench.planning.plan"


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
        return COMMANDS[name](rest)
    except UserError as error:
        say(f"bench: {' '.join(str(error).split())}", sys.stderr)
        return 2
    except KeyboardInterrupt:
        say("bench: interrupted; the same command goes on where it stopped", sys.stderr)
        return 130


def run(arguments: Sequence[str]) -> int:
    """One cell, or with -m several."""
    if "-m" in arguments or "--multirun" in arguments:
        return _multirun([argument for argument in arguments if argument not in ("-m", "--multirun")])
    from bench.configuration.compose import Configurations
    from bench.sweeping.single import run_single

    config_dir, rest = config_dir_and_rest(arguments)
    overrides, rerun = without_setting(rest, "rerun")
    with Configurations(config_dir) as configurations:
        cell = configurations.cell(overrides)
    record, path = run_single(cell, rerun)
    if record.metrics is not None:
        for metric, value in record.metrics.values.items():
            say(f"{metric}: " + ("not a number" if value is None else f"{value:.4f}"))
    say(path)
    return 0 if record.status == "done" else 1


def show(arguments: Sequence[str]) -> int:
    """One cell as it is composed, each value with its origin; runs nothing."""
    from bench.cli.show_view import FORMATS, shown
    from bench.configuration.compose import Configurations
    from bench.models.declared import DISCOVER
    from bench.running.soundness import check_components

    config_dir, rest = config_dir_and_rest(arguments)
    form, overrides = form_and_rest(rest, FORMATS)
    with Configurations(config_dir) as configurations:
        cell = configurations.cell(overrides)
    check_components([cell])
    found = None
    if cell.config["model"]["structure"] == DISCOVER:
        from bench.models.found import look

        found = look(cell.base)
    say(shown(cell, form, found))
    return 0


def sweep(arguments: Sequence[str]) -> int:
    """All cells of an experiment that are not done."""
    if not any(argument.startswith("experiment=") for argument in arguments):
        raise UserError("name the experiment: bench sweep experiment=miniature/glue")
    return _multirun(arguments)


def _multirun(arguments: Sequence[str]) -> int:
    """Hand several cells to Hydra's sweeper and launcher."""
    from bench.configuration.compose import Configurations
    from bench.sweeping.task import run_task

    config_dir, overrides = config_dir_and_rest(arguments)
    with Configurations(config_dir) as configurations:
        statuses = configurations.sweep([sweep_option(override) for override in overrides], run_task)
    return 1 if "failed" in statuses else 0


def tune(arguments: Sequence[str]) -> int:
    """The settings of an experiment's methods, searched with the same number of trials each."""
    from bench.cli.tune import tune as search
    from bench.cli.tune_settings import TuneSettings

    config_dir, rest = config_dir_and_rest(arguments)
    return search(config_dir, TuneSettings.of(rest))


def fair(arguments: Sequence[str]) -> int:
    """One method and its baselines, tuned alike, run with other seeds, compared, and told in words."""
    from bench.cli.fair import fair as compare_fairly
    from bench.cli.fair_settings import FairSettings

    config_dir, rest = config_dir_and_rest(arguments)
    return compare_fairly(config_dir, FairSettings.of(rest))


def status(arguments: Sequence[str]) -> int:
    """Where the cells of an experiment stand."""
    from bench.cli.status_view import show
    from bench.configuration.compose import Configurations
    from bench.records.store import results_folder
    from bench.running.soundness import check_components
    from bench.sweeping.selection import select_cells
    from bench.sweeping.status import standings, to_json
    from bench.system.console import PlainConsole

    config_dir, rest = config_dir_and_rest(arguments)
    if not any(argument.startswith("experiment=") for argument in rest):
        raise UserError("name the experiment: bench status experiment=miniature/glue")
    form, overrides = form_and_rest(rest, ("text", "json"))
    with Configurations(config_dir) as configurations:
        cells = select_cells(overrides, configurations.compose, configurations.folders)
    for results_dir in {cell.config["results_dir"] for _, cell in cells.values()}:
        if not results_folder(results_dir).exists():
            raise UserError(f"cannot read the results folder {results_dir}: no such folder")
    if any(argument.lstrip("+~").startswith(("task.", "method.")) for argument in overrides):
        check_components(cell for _, cell in cells.values())  # else cells that cannot be would wait to be run
    found = standings({folder: cell for folder, (_, cell) in cells.items()})
    if form == "json":
        say(to_json(found))
    else:
        show(found, PlainConsole())
    return 0


def plan(arguments: Sequence[str]) -> int:
    """What the cells of an experiment will need."""
    from bench.cli.plan_settings import PlanSettings
    from bench.configuration.compose import Configurations
    from bench.planning.pool import beside
    from bench.sweeping.selection import select_cells

    config_dir, rest = config_dir_and_rest(arguments)
    settings, overrides = PlanSettings.of(rest)
    with Configurations(config_dir) as configurations:
        selected = select_cells(overrides, configurations.compose, configurations.folders)
    cells = [cell for _, cell in selected.values()]
    with beside(len({(cell.model, cell.task, cell.method) for cell in cells}), settings.workers, PLANS) as others:
        # Only now what is heavy: the other processes import it at the same time.
        from bench.cli.plan_progress import PlanProgress
        from bench.cli.plan_view import show
        from bench.planning.plan import plan as plan_cells
        from bench.planning.plan import to_json
        from bench.running.soundness import check_components
        from bench.system.console import PlainConsole

        check_components(cells)
        with PlanProgress(len(cells)) as progress:
            made = plan_cells(cells, settings.memory, progress.predicting, trace=settings.trace, others=others)
            planned = [progress.finish(cell) for cell in made]
    if all(cell.prediction is None for cell in planned):
        raise UserError(planned[0].reason or "nothing can be predicted")
    if settings.form == "json":
        say(to_json(planned))
    else:
        show(planned, PlainConsole())
    return 0


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


def evaluate(arguments: Sequence[str]) -> int:
    """A trained cell on another task or split."""
    from bench.cli.evaluate import evaluate as score

    config_dir, rest = config_dir_and_rest(arguments)
    return score(config_dir, rest)


def export(arguments: Sequence[str]) -> int:
    """What a cell has trained, for use elsewhere."""
    from bench.cli.export import export as write_export

    config_dir, rest = config_dir_and_rest(arguments)
    return write_export(config_dir, rest)


def reference(arguments: Sequence[str]) -> int:
    """Enter a figure of the paper, to be shown beside ours."""
    from bench.tables.content.reference import reference_keys, set_reference

    if not arguments or arguments[0] != "set":
        raise UserError(
            "say what to enter: bench reference set table=III row=lora model=roberta-base column=cola value=…"
        )
    config_dir, rest = config_dir_and_rest(arguments[1:])
    entered = set_reference(own_settings("reference", rest, reference_keys(config_dir)), config_dir=config_dir)
    say(" ".join(f"{key}={value}" for key, value in entered.items()))
    return 0


def cite(arguments: Sequence[str]) -> int:
    """BibTeX for what cells use."""
    from bench.cli.citations.cite import cite as entries_of
    from bench.configuration.compose import Configurations
    from bench.sweeping.selection import select_cells

    config_dir, rest = config_dir_and_rest(arguments)
    overrides = [*without_setting(rest, "seed")[0], "seed=0"]  # all seeds cite the same
    with Configurations(config_dir) as configurations:
        cells = select_cells(overrides, configurations.compose, configurations.folders)
    say(entries_of(cell for _, cell in cells.values()))
    return 0


def fetch(arguments: Sequence[str]) -> int:
    """Models and data, into the hub's cache."""
    from bench.configuration.compose import Configurations
    from bench.configuration.expansion import Expansion
    from bench.sweeping.fetch import differing, fetch_all
    from bench.sweeping.selection import selected

    config_dir, overrides = config_dir_and_rest(arguments)
    with Configurations(config_dir) as configurations:
        wanted = differing(selected(overrides, configurations.compose))
        cells = list(Expansion(configurations.compose, configurations.folders).cells(wanted))
    fetch_all(cells, say)
    return 0


def check(arguments: Sequence[str]) -> int:
    """A task, a method or a model, looked at before anything is trained."""
    from bench.cli.check import check as look

    return look(arguments)


def task(arguments: Sequence[str]) -> int:
    """A first declaration of a task, from a look at a file."""
    from bench.cli.task_new import new_task

    if not arguments or arguments[0] != "new":
        raise UserError("say what to declare: bench task new reviews.csv out=mine")
    files = [argument for argument in arguments[1:] if "=" not in argument]
    settings = [argument for argument in arguments[1:] if "=" in argument]
    if len(files) != 1:
        raise UserError("name one file: bench task new reviews.csv out=mine")
    given = own_settings("task new", settings, ("out", "name", "force")) if settings else {}
    new_task(files[0], given.get("out", "."), given.get("name"), given.get("force", "false"), say)
    return 0


def doctor(arguments: Sequence[str]) -> int:
    """What this machine can run."""
    from bench.cli.doctor import examine, show
    from bench.system.console import PlainConsole

    if arguments:
        raise UserError("doctor takes no settings")
    show(examine(), PlainConsole())
    return 0


COMMANDS: dict[str, Callable[[Sequence[str]], int]] = {
    "run": run,
    "show": show,
    "sweep": sweep,
    "tune": tune,
    "fair": fair,
    "status": status,
    "plan": plan,
    "table": table,
    "compare": compare,
    "findings": findings,
    "report": report,
    "evaluate": evaluate,
    "export": export,
    "reference": reference,
    "cite": cite,
    "fetch": fetch,
    "check": check,
    "task": task,
    "doctor": doctor,
}
