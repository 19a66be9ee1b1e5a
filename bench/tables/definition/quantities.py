"""The fields of a record that a table can show: unit, title, and which way each is better.

`bench.records.fields` reads them off a record, but for `pscp`, which `bench.tables.definition.pscp` makes of several;
`docs/tables.md` says for users what each one is.
"""

from dataclasses import dataclass

PARAMETERS = ("trainable", "method_parameters", "head", "training_only", "stored", "kept", "base_total")
PEAKS = ("load_peak", "train_peak", "train_peak_reserved", "evaluate_peak", "predicted_peak")
PARTS = ("frozen_weights", "trainable_weights", "gradients", "optimiser_state", "activations", "rest")
FORMS = ("adapted", "merged", "bare")
SECONDS = (
    "load_seconds", "prepare_seconds", "train_seconds", "evaluate_seconds", "forgetting_seconds", "total_seconds",
    "step_seconds", "step_p95", "search_seconds",
)  # fmt: skip
OPERATIONS = (*(f"inference_{form}_operations" for form in FORMS), "extra_operations", "extra_operations_merged")
PSCP = "pscp"


@dataclass(frozen=True)
class Quantity:
    """What a field is, and the column that `columns=` makes of it.

    Attributes:
        unit: in which a definition's column is written unless it says other; one of `definition.schema.UNITS`. Memory
            is bytes in a record, everything else is as its unit says.
        title: of the column.
        better: "higher", "lower" or "none".
        written: the column's unit where it is another.
        scale: of what is written as a score.
        digits: after the point.
    """

    unit: str
    title: str
    better: str = "none"
    written: str = ""
    scale: float = 100.0
    digits: int = 2


def _count(title: str, better: str = "none") -> Quantity:
    return Quantity("count", title, better)


def _gigabytes(title: str, better: str = "none") -> Quantity:
    return Quantity("GB", title, better)


def _seconds(title: str) -> Quantity:
    return Quantity("s", title, digits=1)


def _milliseconds(title: str, better: str = "none") -> Quantity:
    return Quantity("s", title, better, written="score", scale=1000.0, digits=1)


QUANTITIES: dict[str, Quantity] = {
    "trainable": _count("Trainable"),
    "method_parameters": _count("Method's"),
    "head": _count("Head's"),
    "training_only": _count("For training only"),
    "stored": _count("Stored"),
    "kept": _count("Kept"),
    "base_total": _count("Base"),
    "load_peak": _gigabytes("Load GB"),
    "train_peak": _gigabytes("Peak GB", "lower"),
    "train_peak_reserved": _gigabytes("Reserved GB"),
    "evaluate_peak": _gigabytes("Evaluate GB"),
    "predicted_peak": _gigabytes("Predicted GB"),
    **{part: _gigabytes(f"{part.replace('_', ' ').capitalize()} GB") for part in PARTS},
    **{f"inference_{form}_peak": _gigabytes(f"{form} GB") for form in FORMS},
    "step_seconds": _milliseconds("Step ms", "lower"),
    "step_p95": _milliseconds("95 % ms"),
    "train_seconds": _seconds("Train s"),
    "load_seconds": _seconds("Load s"),
    "prepare_seconds": _seconds("Prepare s"),
    "evaluate_seconds": _seconds("Evaluate s"),
    "forgetting_seconds": _seconds("Forgetting s"),
    "total_seconds": _seconds("Total s"),
    **{f"inference_{form}_seconds": _milliseconds(f"{form} ms") for form in FORMS},
    "inference_slowdown": Quantity("percent", "Slower %", "lower", digits=1),
    **{f"inference_{form}_operations": _count(f"{form} FLOP") for form in FORMS},
    "extra_operations": _count("Extra FLOP", "lower"),
    "extra_operations_merged": _count("Merged extra FLOP"),
    "utilisation": Quantity("percent", "Used %", digits=1),
    "search_trainings": Quantity("plain", "Trainings of the search"),
    "search_seconds": _seconds("Search s"),
    "steps": _count("Steps"),
    "tokens_per_second": _count("Tokens/s", "higher"),
    "flops_per_second": _count("FLOP/s"),
    "adapter_bytes": Quantity("count", "Stored MB", "lower", written="MB"),
    "perplexity_before": Quantity("plain", "Perplexity before"),
    "perplexity_after": Quantity("plain", "Perplexity after"),
    "forgetting": Quantity("plain", "Forgetting", "lower"),
    PSCP: Quantity("plain", "PSCP", "higher"),
    "curve_points": _count("Evaluations"),
    "curve_best_step": _count("Best at step"),
    "curve_first": Quantity("score", "First"),
    "curve_best": Quantity("score", "Best", "higher"),
    "curve_last": Quantity("score", "Last"),
    "curve_fluctuation": Quantity("score", "Fluctuation"),
}
