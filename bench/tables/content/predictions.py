"""The stored predictions of a cell, for paired tests; `bench.records.outputs`, which needs torch, wrote them."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.errors import UserError

FILE = "predictions.json"


@dataclass(frozen=True)
class Predictions:
    """Of the split that the main metric refers to, in the order of the data.

    Attributes:
        references: what should have been said; for MMLU, the answer's index.
        predictions: what the model said.
        groups: for MMLU, each question's subject; None elsewhere.
    """

    references: list[Any]
    predictions: list[Any]
    groups: list[str] | None = None


def read_predictions(record: str) -> Predictions | None:
    """The predictions beside the record at path `record`, first split; None where none were stored.

    Raises:
        UserError: the file is damaged.
    """
    path = Path(record).with_name(FILE)
    if not path.exists():
        return None
    try:
        content = json.loads(path.read_bytes())
        split = next(iter(content["references"]))
        references, predictions = content["references"][split], content["predictions"][split]
    except (ValueError, KeyError, TypeError, StopIteration) as error:
        raise UserError(f"{path}: damaged; run the cell again with force=true") from error
    if references and isinstance(references[0], list):
        return Predictions([answer for _, answer in references], predictions, [group for group, _ in references])
    return Predictions(references, predictions)
