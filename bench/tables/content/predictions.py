"""The stored predictions of a cell, for paired tests; `bench.records.outputs`, which needs torch, wrote them."""

import json
import os
from dataclasses import dataclass
from typing import Any

from bench.system.plain_files import read_file, why
from bench.system.terminal import warn

FILE = "predictions.json"


@dataclass(frozen=True)
class Predictions:
    """Of the split that the main metric refers to, in the order of the data.

    Attributes:
        references: what should have been said, a list where several texts are right; for MMLU, the answer's index.
        predictions: what the model said.
        groups: for MMLU, each question's subject; None elsewhere.
    """

    references: list[Any]
    predictions: list[Any]
    groups: list[str] | None = None


def read_predictions(record: str) -> Predictions | None:
    """The predictions beside the record at path `record`, first split; None where none were stored.

    A file that cannot be read counts as none; a line on standard error names it.
    """
    path = os.path.join(os.path.dirname(record), FILE)  # not by `Path`: most of 100,000 records have none
    if not os.access(path, os.F_OK):  # mostly; a failure to open takes four times as long
        return None
    try:
        content = json.loads(read_file(path))
        split = next(iter(content["references"]))
        return _paired(content["references"][split], content["predictions"][split])
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        warn(f"{path}: {why(error)}; it is left out")
    except (ValueError, KeyError, TypeError, StopIteration, RecursionError):
        warn(f"{path}: damaged, and left out; run the cell again with force=true")
    return None


def _paired(references: Any, predictions: Any) -> Predictions:
    """Of each list an item for an example, with its group where there is one; raises ValueError or TypeError."""
    if not isinstance(references, list) or not isinstance(predictions, list):
        raise TypeError
    if references and isinstance(references[0], list) and not all(isinstance(one, str) for one in references[0]):
        return Predictions([answer for _, answer in references], predictions, [str(group) for group, _ in references])
    return Predictions(references, predictions)
