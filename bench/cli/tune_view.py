"""A search in the terminal: what it will cost, and what it has found."""

from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from bench.system.console import print_whole
from bench.tuning.bought import best_within, default_trial, equal_seconds, together
from bench.tuning.hyperband import Hyperband
from bench.tuning.result import Outcome, Result
from bench.tuning.space import RATE_KEY
from bench.tuning.study import Study

NOTE = (
    "scores on the selection data; expected best score after n trials, and its spread over the middle of the space; "
    "default: the trial nearest to the experiment's own setting"
)
NOTE_PRUNED = (
    "scores on the selection data, of trials that were trained in full; hyperband picks these, so that what fewer "
    "trials would have found, the spread and the default are not told, and no figure is drawn"
)


def cost(studies: Sequence[Study], recorded: int) -> str:
    """What a search costs, in a line, before anything runs."""
    protocol = studies[0].protocol
    counted = f"{len(studies)} {'study' if len(studies) == 1 else 'studies'}"
    if protocol.seconds is not None:
        done = f"; {recorded} cells with a record" if recorded else ""
        total = len(studies) * protocol.seconds / 3600
        return (
            f"{counted} × {protocol.seconds} device-seconds = {total:.3g} hours, and what the last trials exceed{done}"
        )
    pruner, cells = protocol.pruner, len(studies) * protocol.trials * len(protocol.seeds)
    seeds = f" × {len(protocol.seeds)} seeds" if len(protocol.seeds) > 1 else ""
    done = f", {recorded} of them with a record" if recorded else ""
    if not pruner.is_none:
        cells = len(studies) * len(protocol.seeds) * sum(pruner.counts(protocol.trials).values())
        whole = len(studies) * len(protocol.seeds) * pruner.trainings(protocol.trials)
        each = f"{stints(pruner, protocol.trials)}{seeds}"
        return f"{counted} × {each} = {cells} cells, as long as {whole:.3g} of the experiment's{done}"
    return f"{counted} × {protocol.trials} trials{seeds} = {cells} cells, each as long as one of the experiment's{done}"


def stints(pruner: Hyperband, trials: int) -> str:
    """`17 trials (9 with 1/9 of the training, 8 with 1/3, 5 with all)`."""
    counts = [f"{count} with {pruner.share(cuts)}" for cuts, count in pruner.counts(trials).items()]
    return f"{trials} trials ({counts[0]} of the training, {', '.join(counts[1:])})"


def show(results: Sequence[Result], console: Console) -> None:
    """Print one row per study; below, what is at an edge of its space, and what failed."""
    counts = list(dict.fromkeys(count for result in results for count in result.bought))
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1), pad_edge=False, show_edge=False)
    for name in ("Model", "Task", "Method", "Chosen"):
        table.add_column(name, no_wrap=True)
    for name in ("Trial", "of", "Score", *(f"n={count}" for count in counts), "Spread", "Default", "Equal time"):
        table.add_column(name, justify="right", no_wrap=True)
    notes = [NOTE if results[0].study.protocol.pruner.is_none else NOTE_PRUNED]
    for (model, task), group in together(results).items():
        seconds = equal_seconds(group)
        for result in group:
            table.add_row(*map(Text, _row(result, counts, seconds)))
        if seconds is not None and len(group) > 1:
            notes.append(
                f"{model} {task}: equal time is {seconds:.4g} s of training, the cheapest method's whole search"
            )
    print_whole(table, console)
    for note in (*notes, *(note for result in results for note in _notes(result))):
        console.print(Text(f"  {note}", style="dim"), soft_wrap=True)


def _row(result: Result, counts: Sequence[int], seconds: float | None) -> list[str]:
    cell, best = result.study.cell, result.best
    names = [cell.model, cell.task, cell.method]
    if best is None:
        return [*names, "—", "—", str(len(result.outcomes)), *["—"] * (4 + len(counts))]
    bought = [f"{result.bought[count]:.4f}" if count in result.bought else "—" for count in counts]
    near = default_trial(result)
    within = None if seconds is None else best_within(result, seconds)
    told = [result.sensitivity, None if near is None else near.score, within]
    ends = ["—" if one is None else f"{one:.4f}" for one in told]
    number, trials = str(best.number), str(len(result.outcomes))
    return [*names, _parameters(best), number, trials, f"{best.score:.4f}", *bought, *ends]


def _parameters(best: Outcome) -> str:
    """`learning_rate=0.0003 r=8`."""
    return " ".join(f"{_name(key)}={value}" for key, value in best.parameters.items())


def _name(key: str) -> str:
    return key.partition(".")[2] if key == RATE_KEY else key


def _notes(result: Result) -> list[str]:
    title, failures = result.study.title, result.failures
    if result.is_unsupported:
        error = result.outcomes[0].record.error
        return [f"{title}: unsupported{'' if error is None else f', {error.message.splitlines()[0]}'}"]
    notes = []
    if result.best is not None:
        notes += [f"{title}: {edge}" for edge in result.study.space.edges(result.best.parameters)]
    if failures:
        kinds = ", ".join(f"{one.number} {_why(one)}" for one in failures)
        worst = "; they count as badly as the worst that did not" if result.best is not None else ""
        notes.append(f"{title}: {len(failures)} of {len(result.outcomes)} trials have no score ({kinds}){worst}")
    return notes


def _why(outcome: Outcome) -> str:
    return "is not a number" if outcome.status == "done" else outcome.status.replace("_", " ")
