"""What numbers and words a setting may be: one table, checked before any work begins.

A bound is where a number stops to mean something: no float32 beyond its largest, no seed that a random generator does
not take. It is never a judgement of what works well.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bench.errors import UserError

LARGEST = 3.4028234663852886e38  # of float32: what is larger is infinite where it is used


@dataclass(frozen=True)
class Range:
    """An interval of numbers.

    Attributes:
        least: the smallest that may be.
        most: the largest.
        open: whether `least` itself is left out.
        below: whether `most` itself is left out.
        whole: whether only whole numbers may be.
    """

    least: float
    most: float
    open: bool = False
    below: bool = False
    whole: bool = False

    def __contains__(self, value: float) -> bool:
        """Whether a number lies in the interval; not a number lies in none."""
        above = value > self.least if self.open else value >= self.least
        within = above and (value < self.most if self.below else value <= self.most)
        return within and (not self.whole or isinstance(value, int))

    def __str__(self) -> str:
        """The rule in words: "greater than 0 and at most 1"."""
        lower = f"greater than {self.least:g}" if self.open else f"{self.least:g} or more"
        upper = "finite" if self.most == LARGEST else f"{'below' if self.below else 'at most'} {int(self.most)}"
        return f"{lower}, {upper}{', a whole number' if self.whole else ''}"


POSITIVE = Range(0, LARGEST, open=True)
NOT_NEGATIVE = Range(0, LARGEST)
SHARE = Range(0, 1)
BELOW_ONE = Range(0, 1, below=True)
PART = Range(0, 1, open=True, below=True)
SECONDS = Range(0, 1e7, open=True)  # four months
EXAMPLES = Range(1, 10**12, whole=True)
WORKERS = Range(1, 10**5, whole=True)

# By the keys of the command line. What is null is not asked for.
RANGES: Mapping[str, Range] = {
    "seed": Range(0, 2**31 - 1, whole=True),  # numpy takes 32 bits, from which several processes' seeds are reckoned
    "threads": Range(1, 1024, whole=True),
    "processes": Range(1, 1024, whole=True),
    "checkpoint_seconds": Range(0, 1e7),
    "model.int8_threshold": NOT_NEGATIVE,
    "training.batch_size": Range(1, 10**6, whole=True),
    "training.micro_batch_size": Range(1, 10**6, whole=True),
    "training.max_length": Range(1, 10**7, whole=True),
    "training.epochs": Range(0, 10**6, open=True),
    "training.max_steps": Range(1, 10**9, whole=True),
    "training.learning_rate": POSITIVE,
    "training.head_learning_rate": POSITIVE,
    "training.warmup": SHARE,
    "training.weight_decay": NOT_NEGATIVE,
    "training.beta1": BELOW_ONE,  # the moments are divided by 1 − beta
    "training.beta2": BELOW_ONE,
    "training.epsilon": POSITIVE,
    "training.max_grad_norm": POSITIVE,
    "training.evaluations": Range(0, 10**6, whole=True),
    "training.evaluation_batch_size": Range(1, 10**6, whole=True),
    "training.evaluation_tokens": Range(1, 10**10, whole=True),
    "training.log_every": Range(1, 10**9, whole=True),
    "data.limit_train": EXAMPLES,
    "data.limit_evaluation": EXAMPLES,
    "data.synthetic_shortest": Range(1, 10**7, whole=True),
    "data.selection_share": PART,
    "data.selection_seed": Range(0, 2**31 - 1, whole=True),
}
CHOICES: Mapping[str, tuple[str, ...]] = {
    "device": ("auto", "cpu", "cuda"),
    "distributed": ("none", "ddp", "fsdp"),
    "on_oom": ("record", "shrink"),
}

LOOSE = (*CHOICES, *(key for key in RANGES if "." not in key))  # keys of no section


def check_number(key: str, value: Any, allowed: Range | None = None) -> None:
    """Refuse what is no number, not finite, or out of its range.

    Args:
        key: as on the command line, for the message.
        value: as given; None is not asked for, and passes.
        allowed: None: that of `RANGES`.

    Raises:
        UserError: one line, with the key and the rule.
    """
    allowed = RANGES[key] if allowed is None else allowed
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise UserError(f"{key}={_plain(value)} must be a number: {allowed}")
    if value not in allowed:
        raise UserError(f"{key}={_plain(value)} must be {allowed}")


def check_choice(key: str, value: Any) -> None:
    """Refuse a word that is none of a key's `CHOICES`.

    Raises:
        UserError: one line, with the key and the choices.
    """
    choices = CHOICES[key]
    if value not in choices:
        raise UserError(f"{key}={_plain(value)} must be {', '.join(choices[:-1])} or {choices[-1]}")


def check_section(section: str, values: Mapping[str, Any]) -> None:
    """Check every number of a section of a cell's configuration, "" for the keys of none; and that no text is empty.

    Raises:
        UserError: one of them is out of its range.
    """
    prefix = f"{section}." if section else ""
    for name, value in values.items():
        key = f"{prefix}{name}"
        if key in RANGES:
            check_number(key, value)
        elif key in CHOICES:
            check_choice(key, value)
        elif isinstance(value, str) and not value.strip():
            raise UserError(f"{key}= is empty; leave it out, or give it a value")


def _plain(value: Any) -> str:
    """A value for a message; a number with thousands of digits is cut."""
    text = str(value)
    return text if len(text) <= 40 else f"{text[:37]}…"
