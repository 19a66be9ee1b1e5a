"""The fixed set of records behind the golden files: small, with everything that a table can meet in it."""

from pathlib import Path

from bench.records.schema import MemorySplit, Record, Status
from tests.tables.made_records import make_record, save

EXPERIMENT = "miniature/glue"
METHODS = ["full", "ia3", "bitfit", "lora", "mam"]
TASKS = ["miniature/cola", "miniature/sst2", "miniature/mrpc"]
TITLES = {"full": "Full fine-tuning", "ia3": "(IA)³", "bitfit": "BitFit", "lora": "LoRA", "mam": "MAM adapter"}
SIZES = {"full": 1_019_136, "ia3": 2_560, "bitfit": 3_200, "lora": 8_192, "mam": 50_000}


def write_golden_records(results: Path) -> None:
    """Three tasks, five methods, two seeds; one cell failed, one out of memory, one seed and one method missing."""
    records = [
        record
        for method in METHODS[:4]
        for task in TASKS
        for seed in (0, 1)
        if (record := golden_record(method, task, seed)) is not None
    ]
    save(results, *records)


def golden_record(method: str, task: str, seed: int) -> Record | None:
    """One cell of the set; None for the one that was never run."""
    if (method, task, seed) == ("ia3", "miniature/mrpc", 1):
        return None
    at = METHODS.index(method) + 2 * TASKS.index(task) + seed / 3
    scores = {
        "miniature/cola": {"matthews_correlation": 0.1 + at / 16},
        "miniature/sst2": {"accuracy": 0.5 + at / 32},
        "miniature/mrpc": {"accuracy": 0.5 + at / 48, "f1": 0.6 + at / 40},
    }[task]
    status = Status.done
    if (method, task) == ("bitfit", "miniature/sst2"):
        status = Status.out_of_memory if seed else Status.failed
    return make_record(
        "miniature/roberta", task, method, seed, scores, experiment=EXPERIMENT, status=status, trainable=SIZES[method],
        base_total=1_019_136, titles={"model": "miniature RoBERTa", "method": TITLES[method]},
        grid=[{"model": "miniature/roberta", "task": TASKS, "method": METHODS, "seed": [0, 1]}],
        split=MemorySplit(4_000_000, SIZES[method] * 4, SIZES[method] * 4, SIZES[method] * 8, 30_000_000, 1_000_000),
        train_peak=35_000_000 + SIZES[method] * 16,
    )  # fmt: skip
