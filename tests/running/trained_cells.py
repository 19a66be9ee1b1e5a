"""Small trained cells, and how they are made."""

from bench.records.schema import Status
from bench.running.runner import run_cell
from tests.cells import MODELS, SHORT, TASKS
from tests.conftest import composed

STILL = (*SHORT, "device=cpu", "memory_split=false", "training.max_steps=2")
# A method of the library's, one of our own, and one with virtual tokens; each on a family.
CELLS = {"lora": "encoder", "adapter_s": "decoder", "prompt_tuning": "encoder_decoder"}
# Settings without which a method cannot be had on the small models, or computes each product in 16 bits.
FITTING = {"peft/any": ("peft.type=LOHA", "peft.r=4"), "qlora": ("model.compute_dtype=float32",)}


def run(family, method, results, *more):
    """The record's path."""
    settings = (f"model={MODELS[family]}", f"task={TASKS[family]}", f"method={method}", f"results_dir={results}")
    record, path = run_cell(composed.__wrapped__(*settings, *STILL, *more))
    assert record.status == Status.done, record.error
    return path
