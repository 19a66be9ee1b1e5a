"""What a user may ask of a table beyond its definition."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from bench.errors import UserError, unknown_name
from bench.tables.definition.pscp import KEY, Constants
from bench.tables.definition.quantities import QUANTITIES
from bench.tables.statistics.summary import STATISTICS

WORDS = (
    "statistic", "interval", "level", "compare", "selection", "mix_selection", "columns", "show",
    "caption", "label", "siunitx",
    *(f"{KEY}{name}" for name in Constants.__dataclass_fields__),
)  # fmt: skip  # that `Options.of` reads

LABEL = re.compile(r"[A-Za-z0-9:._/-]+")


@dataclass(frozen=True)
class Options:
    """Options of `make_table`.

    Attributes:
        statistic: over seeds, "mean" or "median".
        interval: shows a bootstrap confidence interval over seeds instead of the standard deviation.
        level: of the interval.
        compare: a method, such as `full`; scores that can be told apart from its own get an asterisk.
        selection: shows the cells with `data.score_on=selection`, and no others.
        mix_selection: shows cells whose settings were chosen on the reported rows beside others.
        columns: fields that stand beside what the definition shows.
        show: the columns to show, in this order; empty: all. Tests, marks and notes are of the whole table.
        caption: instead of the definition's title.
        label: of the table in LaTeX; None: `tab:` and the table's name.
        siunitx: LaTeX's figures stand with their points below each other, by that package.
        pscp: the constants of the column `pscp`.
    """

    statistic: str = "mean"
    interval: bool = False
    level: float = 0.95
    compare: str | None = None
    selection: bool = False
    mix_selection: bool = False
    columns: tuple[str, ...] = ()
    show: tuple[str, ...] = ()
    caption: str | None = None
    label: str | None = None
    siunitx: bool = False
    pscp: Constants = field(default_factory=Constants)

    def __post_init__(self) -> None:
        if self.statistic not in STATISTICS:
            raise unknown_name("statistic", self.statistic, STATISTICS)
        if not 0 < self.level < 1:
            raise UserError(f"level={self.level} must be between 0 and 1")
        for name in self.columns:
            if name not in QUANTITIES:
                raise unknown_name("column", name, QUANTITIES)
        if self.caption is not None and not self.caption.strip():
            raise UserError("caption= needs a text")
        if self.label is not None and not LABEL.fullmatch(self.label):
            raise UserError(f"label={self.label} must be of letters, digits and -_:./, as in label=tab:glue")

    def words(self) -> list[str]:
        """The options as on a command line, those that are not the default."""
        words = [] if self.statistic == "mean" else [f"statistic={self.statistic}"]
        words += ["interval=true"] if self.interval else []
        words += [f"level={self.level:g}"] if self.interval and self.level != 0.95 else []
        words += [] if self.compare is None else [f"compare={self.compare}"]
        words += ["selection=true"] if self.selection else []
        words += ["mix_selection=true"] if self.mix_selection else []
        words += [f"columns={','.join(self.columns)}"] if self.columns else []
        words += [f"show={','.join(self.show)}"] if self.show else []
        words += [] if self.caption is None else [f"caption={self.caption}"]
        words += [] if self.label is None else [f"label={self.label}"]
        words += ["siunitx=true"] if self.siunitx else []
        return words + self.pscp.words()

    @classmethod
    def of(cls, words: Mapping[str, str]) -> "Options":
        """Read the options among a command line's settings.

        Raises:
            UserError: a value that is none.
        """
        level = words.get("level", "0.95")
        flags = {name: words.get(name, "false") for name in ("interval", "selection", "mix_selection", "siunitx")}
        for name, word in flags.items():
            if word not in ("true", "false"):
                raise UserError(f"{name}={word} must be true or false")
        asked = {name: word == "true" for name, word in flags.items()}
        try:
            number = float(level)
        except ValueError:
            raise UserError(f"level={level} must be between 0 and 1") from None
        columns, show = (
            tuple(dict.fromkeys(words[key].split(","))) if key in words else () for key in ("columns", "show")
        )
        return cls(
            statistic=words.get("statistic", "mean"), level=number, compare=words.get("compare"), columns=columns,
            show=show, caption=words.get("caption"), label=words.get("label"), pscp=Constants.of(words), **asked,
        )  # fmt: skip
