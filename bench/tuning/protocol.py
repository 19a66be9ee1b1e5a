"""The protocol: ask for trials, run those without a record, take the best; until every study has all of its trials.

Records are the truth. A trial has ended when its cells have records, however these end: one that failed or ran out of
memory is a trial too, and counts as badly as the worst that did not. So a search that was killed goes on with the same
command, and several may work on the same studies. Where seconds are bounded and not trials, each study gets one trial
after the other until those that have ended took more seconds than it has; their records say how long they took, so that
whoever reads them comes to the same number. Where a pruner lets few trials go on, they do by the records too.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench.configuration.cell import Cell
from bench.errors import UserError
from bench.records.glance import look
from bench.records.schema import Record
from bench.records.store import folder_of, results_folder
from bench.sweeping.stale import Glances, Rerun, Verdicts, refuse
from bench.sweeping.task import ELSEWHERE
from bench.tuning.hyperband import Stint
from bench.tuning.journal import Journal, Scores
from bench.tuning.result import Result, outcome_of, rank, scores_of
from bench.tuning.sequence import Parameters, Sampler, points
from bench.tuning.study import Study

LOOK_SECONDS = 2.0  # between two looks at trials that other searches run

Cells = dict[Path, tuple[list[str], Cell]]
Expand = Callable[[Sequence[list[str]]], Sequence[Cell]]  # from overrides to cells
Run = Callable[[Cells], Sequence[str]]  # runs cells, and returns their statuses


@dataclass
class Search:
    """Studies that are worked on together.

    Attributes:
        studies: all with the same protocol.
        expand: from overrides to cells.
        rerun: what becomes of trials made of other weights, data or code than lie there now, as in a sweep.
    """

    studies: Sequence[Study]
    expand: Expand
    rerun: str | None = None
    _cells: dict[tuple[str, ...], Cell] = field(default_factory=dict)

    def run(self, run: Run) -> list[Result]:
        """Work until every study has all of its trials, and return what they have found.

        Raises:
            UserError: a journal of another study; stale trials, and nobody has said what to do; or a cell that was run
                and left no record.
        """
        journals = [Journal(study) for study in self.studies]
        for journal in journals:
            journal.check()
        scores: list[Scores] = [{} for _ in self.studies]
        wanted = [study.protocol.at_first for study in self.studies]
        while True:
            asked = [one.ask(count, known) for one, count, known in zip(journals, wanted, scores, strict=True)]
            self._run_missing(asked, run)
            results = [self._result(study, given) for study, given in zip(self.studies, asked, strict=True)]
            scores = [scores_of(result) for result in results]
            for journal, known, result in zip(journals, scores, results, strict=True):
                journal.tell(known, result.stopped)
            before, wanted = wanted, [result.wanted for result in results]
            if wanted == before:
                return results

    def known(self) -> Cells:
        """The cells of all trials whose parameters can be told before any is run, and of those that records let go on.

        Writes nothing.

        Raises:
            UserError: a file where the results folder should be, a journal of another study, or parameters that are no
                settings.
        """
        for results_dir in {study.cell.config["results_dir"] for study in self.studies}:
            results_folder(results_dir)  # raises for a file where the folder should be
        for journal in map(Journal, self.studies):
            journal.check()
        return self._composed([self._known(study) for study in self.studies], self._rungs)

    @property
    def _rungs(self) -> int:
        return max(study.protocol.pruner.rungs for study in self.studies)

    def _known(self, study: Study) -> Sequence[Parameters]:
        """The parameters of trials, as far as they can be told before any is run."""
        protocol = study.protocol
        if protocol.sampler == Sampler.qmc and protocol.seconds is None:
            return points(study.space, protocol.trials)
        return (Journal(study).parameters() or points(study.space, protocol.at_first))[: protocol.trials]

    def _run_missing(self, asked: Sequence[Sequence[Parameters]], run: Run) -> None:
        """Run the trials' cells that have no record; wait for those that another search runs.

        Rung by rung: which trials go on is known when a rung has ended, its stale cells too that are made again.
        """
        for depth in range(1, self._rungs + 1):
            run_to_records(self._pending(self._composed(asked, depth)), run)

    def _pending(self, cells: Cells) -> Cells:
        """The cells without a record, and stale ones that are to be run again."""
        glances = Glances()
        seen = {folder: glances.at(folder, cell) for folder, (_, cell) in cells.items()}
        verdicts = Verdicts(seen)
        if verdicts.stale and self.rerun is None:
            raise refuse(verdicts.reasons)
        again = set(verdicts.stale) if self.rerun == Rerun.stale else set()
        return {folder: one for folder, one in cells.items() if seen[folder] is None or folder in again}

    def _composed(self, asked: Sequence[Sequence[Parameters]], depth: int) -> Cells:
        """The cells of the trials, as many rungs deep, by their folders."""
        for reached in range(1, depth + 1):  # many at once: who goes on stands in the records of those before
            overrides = [
                one
                for study, given in zip(self.studies, asked, strict=True)
                for number, cuts in self._due(study, given, reached)
                for one in study.trial(given[number], cuts)
            ]
            cells = self._cells_of(overrides)
        return {_folder(cell): (one, cell) for one, cell in zip(overrides, cells, strict=True)}

    def _cells_of(self, overrides: Sequence[list[str]]) -> list[Cell]:
        new = [one for one in overrides if tuple(one) not in self._cells]
        self._cells |= zip(map(tuple, new), self.expand(new), strict=True)
        return [self._cells[tuple(one)] for one in overrides]

    def _due(self, study: Study, given: Sequence[Parameters], depth: int) -> list[Stint]:
        """The stints that there have to be, as many rungs deep, by the records that there are."""
        pruner, scores = study.protocol.pruner, dict[Stint, float | None]()
        for reached in range(1, depth):
            for stint in [one for one in pruner.due(len(given), scores, reached) if one not in scores]:
                records = self._records(study, given, stint)
                if len(records) == len(study.protocol.seeds):
                    scores[stint] = rank(records)
        return pruner.due(len(given), scores, depth)

    def _records(self, study: Study, given: Sequence[Parameters], stint: Stint) -> list[Record]:
        number, cuts = stint
        cells = self._cells_of(study.trial(given[number], cuts))  # new where another search has ended a rung meanwhile
        return [record for cell in cells if (record := look(_folder(cell), cell)) is not None]

    def _result(self, study: Study, given: Sequence[Parameters]) -> Result:
        stints: list[dict[int, list[Record]]] = [{} for _ in given]
        for number, cuts in self._due(study, given, self._rungs):
            stints[number][cuts] = self._records(study, given, (number, cuts))
        outcomes = [outcome_of(number, given[number], ended) for number, ended in enumerate(stints)]
        return Result(study, outcomes)


def run_to_records(pending: Cells, run: Run) -> None:
    """Run cells until each has a record; wait for those that another process runs.

    Raises:
        UserError: a cell that was run and left no record.
    """
    while pending:
        statuses = run(pending)
        left = {folder: one for folder, one in pending.items() if look(folder, one[1]) is None}
        if left and len(left) == len(pending) and ELSEWHERE not in statuses:
            raise UserError(f"{next(iter(left))}: the cell was run and has left no record; its log.txt says why")
        pending = left
        if pending:
            time.sleep(LOOK_SECONDS)


def _folder(cell: Cell) -> Path:
    return folder_of(cell.config["results_dir"], cell)
