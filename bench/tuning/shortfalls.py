"""What does not hold of a comparison, or has to be said with its figures: each a clause without its full stop."""

from collections.abc import Iterable, Iterator, Sequence

from bench.records.fields import FIELDS
from bench.records.schema import Record, Status
from bench.tables import Table
from bench.tables.content.contest import Contest
from bench.tuning.result import Result

SEEDS = 5  # of the final cells; of fewer, a test finds little and an interval is a guess
TRIALS = 8  # their points are three eighths of a decade apart
LISTED = 4  # warnings


def listed(words: Iterable[str]) -> str:
    """`a, b and c`, each once; of a set, in order of the alphabet."""
    known = sorted(words) if isinstance(words, set | frozenset) else list(dict.fromkeys(words))
    return " and ".join([", ".join(known[:-1]), known[-1]]) if len(known) > 1 else "".join(known)


def shortfalls(results: Sequence[Result], final: Sequence[Record], table: Table, contest: Contest) -> list[str]:
    """All of them, the gravest first.

    Args:
        results: of the search.
        final: records of the final cells.
        table: of these.
        contest: of these.
    """
    found = [
        *_of_search(results),
        *_of_selection(results, table),
        *_of_final(results, final, table),
        *_of_tests(contest),
    ]
    return [*found, *_of_machines([*(one.record for result in results for one in result.outcomes), *final])]


def _of_search(results: Sequence[Result]) -> Iterator[str]:
    for result in results:
        title, outcomes = result.study.title, result.outcomes
        if result.is_unsupported:
            yield f"{title}: method and model do not go together"
            continue
        if result.failures:
            yield f"{title}: {len(result.failures)} of {len(outcomes)} trials have no score"
        if result.best is None:
            yield f"{title}: nothing could be chosen, and it is not in the comparison"
            continue
        yield from (f"{title}: {edge}" for edge in result.study.space.edges(result.best.parameters))
    if not (pruner := results[0].study.protocol.pruner).is_none:
        first = pruner.share(pruner.rungs - 1)
        yield f"trials were stopped by their scores from {first} of the training on: who learns late is undervalued"
    fewest = min(len(result.outcomes) for result in results)
    if fewest < TRIALS:
        yield f"{fewest} trials are fewer than {TRIALS}: where the best rate lies is hardly known"


def _of_selection(results: Sequence[Result], table: Table) -> Iterator[str]:
    """Where methods were not chosen alike."""
    counts = {len(result.outcomes) for result in results}
    if len(counts) > 1 and results[0].study.protocol.seconds is None:
        yield f"methods had between {min(counts)} and {max(counts)} trials"
    yield from dict.fromkeys(
        f"{result.study.cell.method}: {result.study.space.remark}" for result in results if result.study.space.remark
    )
    knobs = {result.study.cell.method for result in results if len(result.study.space.dimensions) > 1}
    if knobs and knobs != {result.study.cell.method for result in results}:
        yield f"{listed(knobs)} had a setting searched beside the learning rate, in as many trials; others had none"
    cells = table.records.cells
    if best := {str(method) for method in cells.loc[cells["kept_best"].astype(bool), "method"]}:
        yield f"{listed(best)}: scores are the best of several evaluations on the reported rows (training.keep_best)"
    if given := {str(method) for method in cells.loc[cells["chosen_by"] == "", "method"]}:
        yield f"{listed(given)}: records of settings that no search chose are among the figures"


def _of_final(results: Sequence[Result], final: Sequence[Record], table: Table) -> Iterator[str]:
    failed: dict[str, int] = {}
    for record in final:
        if record.status != Status.done:
            failed[record.cell.method] = failed.get(record.cell.method, 0) + 1
    for method, count in failed.items():
        yield f"{count} of the final cells of {method} did not end in a score"
    seeds = {record.cell.seed for record in final}
    if len(seeds) < SEEDS:
        yield f"{len(seeds)} seeds are fewer than {SEEDS}: intervals are wide, and tests find large differences only"
    here = {(result.study.cell.model, result.study.cell.task, result.study.cell.method) for result in results}
    there = set(table.records.cells[["model", "task", "method"]].itertuples(index=False, name=None))
    if earlier := {method for model, task, method in there if (model, task, method) not in here}:
        yield f"the figures have cells of an earlier comparison in the same folder too ({listed(earlier)})"
    if cut := {str(text) for text in table.records.cells["trial"]} - {""}:
        yield f"cells were cut short: {listed(cut)}"
    if table.miniature:
        yield "miniature: artificial data and small models, which say nothing of real ones"
    warnings = list(dict.fromkeys(warning for record in final for warning in record.warnings))
    yield from (f"the records warn: {warning}" for warning in warnings[:LISTED])
    if len(warnings) > LISTED:
        yield f"the records have {len(warnings) - LISTED} more warnings"


def _of_tests(contest: Contest) -> Iterator[str]:
    units = {one.unit for task in contest.tasks for one in task.standings if one.method != contest.against}
    if "none" in units or "" in units:
        yield "some differences have no test: one shared seed or none, and no predictions that give the score"
    if "items" in units:
        yield "some tests are of one seed, and say nothing of others"


def _of_machines(records: Sequence[Record]) -> Iterator[str]:
    devices = {str(FIELDS["accelerator"](record)) for record in records}
    if len(devices) > 1:
        yield f"cells ran on different devices ({listed(devices)}): seconds do not compare"
    versions = {str(record.environment.get("libraries")) for record in records}
    if len(versions) > 1:
        yield "cells ran with different versions of libraries"
    states = [record.environment.get("git") or {} for record in records]
    if len({state.get("commit") for state in states}) > 1:
        yield "cells were run by different commits of the benchmark"
    if any(state.get("dirty") for state in states):
        yield "the benchmark's code had changes that no commit has"
