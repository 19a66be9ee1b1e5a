"""The fields of a record that a table can show, with the unit in which each is written unless a definition says other.

`bench.records.fields` reads them off a record; `docs/tables.md` says for users what each one is.
"""

PARAMETERS = ("trainable", "method_parameters", "head", "training_only", "stored", "kept", "base_total")
PEAKS = ("load_peak", "train_peak", "train_peak_reserved", "evaluate_peak", "predicted_peak")
PARTS = ("frozen_weights", "trainable_weights", "gradients", "optimiser_state", "activations", "rest")
FORMS = ("adapted", "merged", "bare")
SECONDS = (
    "load_seconds", "prepare_seconds", "train_seconds", "evaluate_seconds", "total_seconds", "step_seconds", "step_p95",
)  # fmt: skip

# Field → unit, one of `definition.UNITS`. Memory is bytes in a record, everything else is as its unit says.
QUANTITIES: dict[str, str] = {
    **dict.fromkeys(PARAMETERS, "count"),
    **dict.fromkeys([*PEAKS, *PARTS, *(f"inference_{form}_peak" for form in FORMS)], "GB"),
    **dict.fromkeys([*SECONDS, *(f"inference_{form}_seconds" for form in FORMS)], "s"),
    **dict.fromkeys(["utilisation", "inference_slowdown"], "percent"),
    **dict.fromkeys(["steps", "tokens_per_second", "flops_per_second", "adapter_bytes"], "count"),
    **dict.fromkeys(["curve_points", "curve_best_step"], "count"),
    **dict.fromkeys(["curve_first", "curve_best", "curve_last", "curve_fluctuation"], "score"),
}
