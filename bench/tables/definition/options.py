"""What a user may ask of a table beyond its definition."""

from collections.abc import Mapping
from dataclasses import dataclass

from bench.errors import UserError, unknown_name
from bench.tables.statistics.summary import STATISTICS


@dataclass(frozen=True)
class Options:
    """Options of `make_table`.

    Attributes:
        statistic: over seeds, "mean" or "median".
        interval: shows a bootstrap confidence interval over seeds instead of the standard deviation.
        level: of the interval.
        compare: a method, such as `full`; entries that differ from it (paired test, p < 0.05) get an asterisk.
    """

    statistic: str = "mean"
    interval: bool = False
    level: float = 0.95
    compare: str | None = None

    def __post_init__(self) -> None:
        if self.statistic not in STATISTICS:
            raise unknown_name("statistic", self.statistic, STATISTICS)
        if not 0 < self.level < 1:
            raise UserError(f"level={self.level} must be between 0 and 1")

    def words(self) -> list[str]:
        """The options as on a command line, those that are not the default."""
        words = [] if self.statistic == "mean" else [f"statistic={self.statistic}"]
        words += ["interval=true"] if self.interval else []
        words += [f"level={self.level:g}"] if self.interval and self.level != 0.95 else []
        return words + ([] if self.compare is None else [f"compare={self.compare}"])

    @classmethod
    def of(cls, words: Mapping[str, str]) -> "Options":
        """Read the options among a command line's settings.

        Raises:
            UserError: a value that is none.
        """
        interval, level = words.get("interval", "false"), words.get("level", "0.95")
        if interval not in ("true", "false"):
            raise UserError(f"interval={interval} must be true or false")
        try:
            number = float(level)
        except ValueError:
            raise UserError(f"level={level} must be between 0 and 1") from None
        return cls(words.get("statistic", "mean"), interval == "true", number, words.get("compare"))
