"""Small cells that several tests run, and what they leave."""

from pathlib import Path

MODELS = {"encoder": "miniature/roberta", "encoder_decoder": "miniature/t5", "decoder": "miniature/llama"}
TASKS = {"encoder": "miniature/sst2", "encoder_decoder": "miniature/wmt16", "decoder": "miniature/mmlu"}
# Enough to train a little, in about a second.
SHORT = (
    "training.max_steps=6",
    "training.epochs=3",
    "data.limit_train=96",
    "data.limit_evaluation=12",
    "training.log_every=2",
)


def trained_file(record: Path) -> Path:
    """The tensors that were trained, in whichever form, beside a record."""
    (found,) = (record.parent / "trained").glob("*.safetensors")
    return found
