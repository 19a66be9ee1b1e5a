"""How a study's trials ended, and what it has found; read off records."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from bench.records.fields import main_metric
from bench.records.metric import HIGHER, Metric
from bench.records.schema import Record, Status
from bench.tuning.expected import budgets, expected_best, sensitivity
from bench.tuning.journal import Scores
from bench.tuning.sequence import Parameters
from bench.tuning.study import Study

ROUND = 4  # trials that TPE asks for at a time, each study; it learns between two rounds


@dataclass(frozen=True)
class Outcome:
    """How a trial ended.

    Attributes:
        number: of the trial, from 0.
        parameters: by the keys of the command line.
        score: the mean over its seeds, of the longest training that it had; None: it has none.
        status: of that training's records; the first that is not "done".
        record: that training's, the first seed's.
        seconds: of training, all seeds, all that it had.
        device_seconds: of training and evaluation on every device, likewise; of one that failed, what is known.
        cuts: how often the longest training was divided; 0: it was in full.
        cells: that the trial took.
    """

    number: int
    parameters: Parameters
    score: float | None
    status: str
    record: Record
    seconds: float
    device_seconds: float = 0.0
    cuts: int = 0
    cells: int = 1


@dataclass(frozen=True)
class Result:
    """What a study has found."""

    study: Study
    outcomes: list[Outcome]

    @property
    def metric(self) -> Metric:
        """What the scores are."""
        return next((main_metric(one.record) for one in self.outcomes if one.record.metrics), Metric("score"))

    @property
    def scored(self) -> list[Outcome]:
        """The trials that were trained in full and have a score."""
        return [one for one in self.outcomes if one.score is not None and not one.cuts]

    @property
    def best(self) -> Outcome | None:
        """The trial with the best score in full training, of equal ones the first; None where none has a score."""
        sign = _sign(self.metric)
        return max(self.scored, key=lambda one: (sign * (one.score or 0.0), -one.number), default=None)

    @property
    def failures(self) -> list[Outcome]:
        """The trials without a score."""
        return [one for one in self.outcomes if one.score is None]

    @property
    def stopped(self) -> frozenset[int]:
        """The trials that were not trained in full."""
        return frozenset(one.number for one in self.outcomes if one.cuts)

    @property
    def brackets(self) -> list[list[Outcome]]:
        """The trials that competed with each other, in the order of a search; each alone where there is no pruner."""
        members = self.study.protocol.pruner.members(len(self.outcomes))
        return [[self.outcomes[number] for number in numbers] for _, numbers in members]

    @property
    def trainings(self) -> float:
        """As how many trainings in full, of one seed, the trials were long."""
        protocol, count = self.study.protocol, len(self.outcomes)
        return len(protocol.seeds) * (count if protocol.pruner.is_none else protocol.pruner.trainings(count))

    @property
    def device_seconds(self) -> float:
        """What all trials took on every device together, training and evaluation."""
        return sum(one.device_seconds for one in self.outcomes)

    @property
    def is_unsupported(self) -> bool:
        """Whether the method and the model do not go together."""
        return all(one.status == Status.unsupported for one in self.outcomes)

    @property
    def scores(self) -> list[float]:
        """Of all trials, those that failed as badly as the worst that did not; empty where all failed.

        Empty with a pruner too: scores of short trainings do not compare with others, and those in full are picked.
        """
        if not self.study.protocol.pruner.is_none:
            return []
        known = [one.score for one in self.scored if one.score is not None]
        worst = (min if self.metric.better == HIGHER else max)(known, default=0.0)
        return [worst if one.score is None else one.score for one in self.outcomes] if known else []

    @property
    def bought(self) -> dict[int, float]:
        """The expected best score after 1, 2, 4, … trials; with a pruner, what all trials together have found."""
        if not self.study.protocol.pruner.is_none:
            return {} if self.best is None or self.best.score is None else {len(self.outcomes): self.best.score}
        sign = _sign(self.metric)
        scores = [sign * score for score in self.scores]
        return {count: sign * expected_best(scores, count) for count in budgets(len(scores))} if scores else {}

    @property
    def wanted(self) -> int:
        """How many trials the study shall have, by what is known of those that have ended."""
        count, protocol = len(self.outcomes), self.study.protocol
        if protocol.seconds is None:
            return min(protocol.trials, count + ROUND)
        is_over = self.device_seconds > protocol.seconds or count == protocol.trials or self.is_unsupported
        return count if is_over else count + 1

    @property
    def sensitivity(self) -> float | None:
        """The spread of the scores in the middle half of the learning rates."""
        rate = self.study.space.dimensions[0]
        places = [rate.place(one.parameters[rate.key]) for one in self.outcomes]
        return sensitivity(self.scores, places) if self.scores else None


def outcome_of(number: int, parameters: Mapping[str, Any], stints: Mapping[int, Sequence[Record]]) -> Outcome:
    """How a trial ended.

    Args:
        number: of the trial.
        parameters: of it.
        stints: by how often the training was divided, the records of the trial's seeds, one at least.
    """
    cuts = min(stints)
    records, every = stints[cuts], [record for records in stints.values() for record in records]
    statuses = [record.status.value for record in records]
    status = next((status for status in statuses if status != Status.done), Status.done.value)
    seconds, on_devices = sum(record.time.train or 0.0 for record in every), sum(map(device_seconds, every))
    return Outcome(number, parameters, _mean(records), status, records[0], seconds, on_devices, cuts, len(every))


def rank(records: Sequence[Record]) -> float | None:
    """What the records of a stint's seeds are ranked by, larger is better; None: one of them has no score."""
    score = _mean(records)
    return None if score is None else _sign(main_metric(records[0])) * score


def _mean(records: Sequence[Record]) -> float | None:
    scores = [_score(record) for record in records]
    known = [score for score in scores if score is not None]
    return fmean(known) if len(known) == len(scores) else None


def _sign(metric: Metric) -> int:
    return 1 if metric.better == HIGHER else -1


def _score(record: Record) -> float | None:
    """The task's main metric; None where there is none, or it is not a number."""
    if record.status != Status.done or record.metrics is None:
        return None
    score = record.metrics.values.get(record.metrics.main)
    return None if score is None or not math.isfinite(score) else score


def scores_of(result: Result) -> Scores:
    """The scores of a study's trials, larger is better."""
    sign = _sign(result.metric)
    return {one.number: None if one.score is None else sign * one.score for one in result.outcomes}


def device_seconds(record: Record) -> float:
    """Seconds of training and evaluation, times the devices; of an attempt that has neither, all that it took."""
    parts = [part for part in (record.time.train, record.time.evaluate) if part is not None]
    devices = max(1, len(record.memory.ranks)) if record.memory else 1
    return devices * (sum(parts) if parts else record.time.total or 0.0)
