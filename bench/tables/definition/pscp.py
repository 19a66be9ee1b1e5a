"""PSCP, PEFT-Bench's score: what a method reaches, less for what it takes (Belanec et al., https://arxiv.org/abs/2511.21285).

    PSCP = score × (1 + P / C_P)^−β_P × (1 + F / C_F)^−β_F × (1 + M / C_M)^−β_M

P are the trainable parameters, F the operations that a forward pass takes beyond the bare model's, M the peak of memory
while training. The constants are those of the authors' code, https://github.com/kinit-sk/PEFT-Factory at ff2e819a:
`scripts/peftbench/cal_psqp.py` makes their table (94 GB are an H100 NVL's; 10 TFLOP "would mean that its better to use
the base model"), `PSCPArguments` in `src/llamafactory/hparams/finetuning_args.py` has them and the exponents as
defaults. They take F of one text of 512 tokens; here it is of an example of the cell's training inputs.
"""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from functools import lru_cache

import numpy as np
import orjson
import pandas as pd

from bench.configuration.ranges import NOT_NEGATIVE, POSITIVE, check_number
from bench.errors import UserError
from bench.records.metric import HIGHER, from_dict

KEY = "pscp."  # in front of a constant's name on the command line
SCALES = {1.0: 100.0, 100.0: 1.0}  # the largest value of a metric → what makes a score of 0…100 of it


@dataclass(frozen=True)
class Constants:
    """What the costs are divided by, and the exponents of what comes of it.

    Attributes:
        parameters: C_P, a count.
        operations: C_F, floating-point operations.
        memory: C_M, bytes.
        beta_parameters, beta_operations, beta_memory: 0 leaves a cost out.
    """

    parameters: float = 5e8
    operations: float = 1e13
    memory: float = 94e9
    beta_parameters: float = 1.0
    beta_operations: float = 1.0
    beta_memory: float = 1.0

    def __post_init__(self) -> None:
        """Refuse what is divided by zero, and exponents below it; raises UserError."""
        for name, value in asdict(self).items():
            check_number(f"{KEY}{name}", value, NOT_NEGATIVE if name.startswith("beta_") else POSITIVE)

    @classmethod
    def of(cls, words: Mapping[str, str]) -> "Constants":
        """Read those that a command line names, `pscp.memory=24e9`.

        Raises:
            UserError: a value that is no number, or out of its range.
        """
        given = {}
        for name in cls.__dataclass_fields__:
            if (word := words.get(f"{KEY}{name}")) is not None:
                try:
                    given[name] = float(word)
                except ValueError:
                    raise UserError(f"{KEY}{name}={word} must be a number") from None
        return cls(**given)

    def words(self) -> list[str]:
        """As on a command line, those that are not the default."""
        usual = asdict(Constants())
        return [f"{KEY}{name}={value:g}" for name, value in asdict(self).items() if value != usual[name]]

    def changed(self) -> Iterator[tuple[str, "Constants"]]:
        """Each constant halved and doubled, the others as they are; those that are 0 stay so."""
        for name, value in asdict(self).items():
            for factor, word in ((0.5, "halved"), (2.0, "doubled")):
                if value:
                    yield f"{name} {word}", replace(self, **{name: factor * value})


def pscp(score: pd.Series, parameters: pd.Series, operations: pd.Series, memory: pd.Series, by: Constants) -> pd.Series:
    """The formula above.

    Args:
        score: 0…100.
        parameters: trainable ones.
        operations: beyond the bare model's.
        memory: bytes.
        by: the constants.
    """
    return (
        score
        * (1 + parameters / by.parameters) ** -by.beta_parameters
        * (1 + operations / by.operations) ** -by.beta_operations
        * (1 + memory / by.memory) ** -by.beta_memory
    )


def pscp_of(cells: pd.DataFrame, by: Constants) -> pd.Series:
    """Of each cell by its main metric; NaN where a cost was not measured, or the metric is no share of the best.

    Args:
        cells: with the columns of records.
        by: the constants.
    """
    told = zip(cells["main"], cells["about"], cells["metrics"], strict=True)
    score = pd.Series([_score(*one) for one in told], index=cells.index, dtype=float)
    parameters, operations, memory = (
        pd.to_numeric(cells[name], errors="coerce").astype(float)
        for name in ("trainable", "extra_operations", "train_peak")
    )
    return pscp(score, parameters, operations, memory, by)


def _score(main: object, about: str, metrics: Mapping[str, float | None]) -> float:
    """The main metric in 0…100; NaN where there is none, it is below zero, or it is not of such a kind."""
    value = metrics.get(main) if isinstance(main, str) else None
    return float("nan") if value is None or value < 0 else value * _scale(str(main), about)


@lru_cache(maxsize=4096)
def _scale(main: str, about: str) -> float:
    told = orjson.loads(about)
    metric = from_dict(main, told.get(main) if isinstance(told, dict) else None)
    return np.nan if metric.better != HIGHER or metric.high is None else SCALES.get(metric.high, np.nan)
