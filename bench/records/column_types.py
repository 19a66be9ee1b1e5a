"""The type of each column of records, whatever their values: a part of the records gives the same columns as all."""

from typing import Any

import pyarrow as pa

from bench.records.fields import CURVE, FIELDS

COLUMNS = ("path", *FIELDS, *CURVE)

# Texts that are the same thousands of times.
REPEATED = ("settings", "grid", "data", "made_of", "experiment", "about", "bleu_tokenizer", "chosen_by")
TEXTS = (
    "path", "id", "model", "model_title", "task", "task_title", "method", "method_title", "mixture", "category",
    "status", "error", "trial", "score_on", "selection_rows", "main", "measure", "accelerator", "host", "end",
    "contradiction",
)  # fmt: skip
WHOLE = (
    "seed", "trainable", "method_parameters", "head", "training_only", "base_total", "load_peak", "train_peak",
    "train_peak_reserved", "evaluate_peak", "frozen_weights", "trainable_weights", "gradients", "optimiser_state",
    "activations", "rest", "predicted_peak", "inference_adapted_peak", "inference_merged_peak", "inference_bare_peak",
    "steps", "adapter_bytes", "sharing", "shrunk", "curve_points", "curve_best_step",
)  # fmt: skip
TYPES = {
    **dict.fromkeys(COLUMNS, pa.float64()),
    **dict.fromkeys(WHOLE, pa.int64()),
    **dict.fromkeys(TEXTS, pa.string()),
    **dict.fromkeys(REPEATED, pa.dictionary(pa.int32(), pa.string())),
    "miniature": pa.bool_(),
    "kept_best": pa.bool_(),
    "metrics": pa.map_(pa.string(), pa.float64()),
    "curve": pa.list_(pa.struct({"step": pa.int64(), "value": pa.float64()})),
}
SCHEMA = pa.schema([(name, TYPES[name]) for name in COLUMNS])


def array_of(name: str, values: Any) -> pa.Array:
    """A column's values in Arrow; a whole number too large to be told from its neighbours is rounded."""
    kind = TYPES[name]
    try:
        return pa.array(values, kind)
    except pa.ArrowInvalid:
        if kind != pa.float64():
            raise
        return pa.array([None if value is None else float(value) for value in values], kind)
