"""Score a model on a task's splits, and remember the best state along training."""

from dataclasses import asdict, dataclass
from typing import Any

from torch import Tensor, nn

from bench.evaluation.inference import Inference
from bench.methods.base import Method
from bench.models.sharded import whole
from bench.records.metric import Metric
from bench.running.run import Run
from bench.running.tracking import log_evaluation
from bench.tasks.base import Split, Task, TaskData

HIGHER_IS_BETTER = Metric("score")


@dataclass(frozen=True)
class Scores:
    """What an evaluation gives.

    Attributes:
        values: every metric by name.
        parts: the main metric of each part of the data that the task distinguishes, or that its splits tell apart.
        references, predictions: by split, in the same order.
    """

    values: dict[str, float]
    parts: dict[str, float]
    references: dict[str, list[Any]]
    predictions: dict[str, list[Any]]


def evaluate_splits(task: Task, model: nn.Module, splits: dict[str, Split], inference: Inference) -> Scores:
    """Let the model predict every example of the splits, and score the predictions."""
    references = {name: split.references for name, split in splits.items()}
    predictions = {name: task.predict(model, split.examples, inference) for name, split in splits.items()}
    parts = task.breakdown(references, predictions) or _by_part(task, splits, predictions)
    return Scores(task.score(references, predictions), parts, references, predictions)


def _by_part(task: Task, splits: dict[str, Split], predictions: dict[str, list[Any]]) -> dict[str, float]:
    """The main metric of each part that the splits tell apart, of all splits together as of whole ones.

    A part that one of them has no row of is left out.
    """
    parts = {part for split in splits.values() for part in split.parts or ()}
    found = {}
    for part in sorted(parts, key=lambda name: (len(name), name)):  # prompt_2 before prompt_10
        rows = {name: [at for at, own in enumerate(split.parts or ()) if own == part] for name, split in splits.items()}
        if all(rows.values()):
            right = {name: [split.references[at] for at in rows[name]] for name, split in splits.items()}
            said = {name: [predictions[name][at] for at in rows[name]] for name in splits}
            found[part] = task.score(right, said)[task.main_metric]
    return found


def note_metrics(run: Run, task: Task, scores: Scores) -> None:
    """Write into the record what each metric is; say which one nobody knows, and which lies outside its range."""
    assert run.record.metrics is not None
    about = run.record.metrics.about
    for name, value in scores.values.items():
        metric = task.metric(name)
        if name not in about:
            about[name] = metric.to_dict()
            if metric.assumed:
                run.warn(assumption(metric))
        if metric.outside(value):
            low, high = ("…" if bound is None else f"{bound:g}" for bound in (metric.low, metric.high))
            run.warn(f"{name} {value:g} is outside of its range, {low} to {high}")


def note_evaluation(run: Run, task: Task, step: int, scores: Scores) -> None:
    """Write an evaluation along training into the record, and tell the trackers."""
    assert run.record.metrics is not None
    note_metrics(run, task, scores)
    run.record.metrics.curve.append({"step": step, "values": scores.values})
    log_evaluation(run, step, scores.values)


def assumption(metric: Metric) -> str:
    """What is believed of a metric that nobody declared."""
    return (
        f"the metric '{metric.name}' is not known: higher is taken for better, and it is averaged with no other; the "
        "task can declare it in `metrics`"
    )


def scored_on(data: TaskData) -> dict[str, Any]:
    """What a record says of the rows that its scores are of.

    Returns:
        The splits; `along_training`, whether the evaluations along training are of the same rows, so that the best of
        them was chosen on what is reported; and with `data.score_on=selection`, under `selection`, whence the rows are.
    """
    found: dict[str, Any] = {"splits": [*(data.test or data.validation)], "along_training": data.test is None}
    return found if data.scored_on is None else found | {"selection": data.scored_on}


class Best:
    """The evaluation that counts: the last one, or with `keep` the one with the best main metric, and its state."""

    def __init__(self, method: Method, keep: bool, metric: Metric = HIGHER_IS_BETTER) -> None:
        self._method, self._keep, self._metric = method, keep, metric
        self._state: dict[str, Tensor] | None = None
        self._score: float | None = None
        self.scores: Scores | None = None

    def offer(self, model: nn.Module, scores: Scores, score: float) -> None:
        """Take note of an evaluation with main metric `score`; with `keep`, copy the state to the CPU if it is best."""
        if not self._keep:
            self.scores = scores
        elif self.scores is None or self._metric.beats(score, self._score):
            self.scores, self._score = scores, score
            state = self._method.checkpoint_state(model)
            self._state = {name: whole(tensor.detach()).to("cpu", copy=True) for name, tensor in state.items()}

    def restore(self, model: nn.Module) -> None:
        """Put the best state back into the model."""
        if self._state is not None:
            self._method.load_checkpoint_state(model, self._state)

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """The evaluation that counts so far, as tensors and plain values."""
        scores = None if self.scores is None else asdict(self.scores)
        return self._state or {}, {"scores": scores, "kept": self._state is not None, "score": self._score}

    def load_state(self, tensors: dict[str, Tensor], plain: dict[str, Any]) -> None:
        """Put a `state` back."""
        self.scores = None if plain["scores"] is None else Scores(**plain["scores"])
        self._state, self._score = (tensors if plain["kept"] else None), plain["score"]
