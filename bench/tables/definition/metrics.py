"""What the metric in a column is, as the records have it."""

import orjson

from bench.records.metric import LOWER, Metric, from_dict
from bench.tables.definition.frame import Records


def metric_of(records: Records, task: str, name: str) -> Metric:
    """The metric `name` of `task`, as the newest record that says so has it; else what its name says."""
    cells = records.cells[records.cells["task"] == task].sort_values("end", ascending=False)
    for text in cells["about"].dropna().unique():
        told = orjson.loads(text)
        if isinstance(told, dict) and name in told:
            return from_dict(name, told[name])
    return from_dict(name, None)


def main_better(records: Records, tasks: list[str]) -> str:
    """Which way the main metrics of all `tasks` are better; "none" where they do not agree."""
    cells = records.cells[records.cells["task"].isin(tasks)].drop_duplicates("task")
    named = [(task, main) for task, main in zip(cells["task"], cells["main"], strict=True) if isinstance(main, str)]
    ways = {metric_of(records, task, main).better for task, main in named}
    return ways.pop() if len(ways) == 1 else "none"


def metric_notes(metrics: dict[str, Metric]) -> list[str]:
    """What a reader must know of the metrics of a table, by their column's title."""
    lower = [title for title, metric in metrics.items() if metric.better == LOWER]
    assumed = [title for title, metric in metrics.items() if metric.assumed]
    notes = [f"lower is better: {', '.join(lower)}"] if lower else []
    if assumed:
        notes.append(f"higher is taken for better, as the task does not say: {', '.join(assumed)}")
    return notes
