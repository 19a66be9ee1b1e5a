"""What a cell has predicted, beside its record."""

import json
from pathlib import Path
from typing import Any

from bench.records.store import write_atomically

PREDICTIONS = "predictions.json"


def write_predictions(folder: Path, references: dict[str, list[Any]], predictions: dict[str, list[Any]]) -> None:
    """Write references and predictions of each split; paired tests between methods are made from them."""
    folder.mkdir(parents=True, exist_ok=True)
    content = {"references": references, "predictions": predictions}
    write_atomically(folder / PREDICTIONS, json.dumps(content, ensure_ascii=False).encode())
