"""The data sets as their publishers have them: columns, splits, label sets and row counts.

Label sets and counts are those of the hub's dataset cards (`nyu-mll/glue`, `wmt/wmt16`, `tatsu-lab/alpaca`,
`cais/mmlu`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from bench.data.schema import Choices, Column, Label, Score, Text, Translation


@dataclass(frozen=True)
class Published:
    """One data set.

    Attributes:
        repository: on the hub; also the folder below a mirror's root.
        subset: the hub's configuration name and the mirror's subfolder; None where there is one only.
        columns: the rule for each column that is read.
        rows: how many rows each split has; a split that is not named may have any number.
    """

    repository: str
    subset: str | None
    columns: Mapping[str, Column]
    rows: Mapping[str, int] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Repository and subset, as in a mirror's folders."""
        return f"{self.repository}/{self.subset}" if self.subset else self.repository


def _glue(subset: str, texts: tuple[str, ...], label: Column, **rows: int) -> Published:
    return Published("nyu-mll/glue", subset, {**dict.fromkeys(texts, Text()), "label": label}, rows)


_ENTAILMENT = Label(("entailment", "not_entailment"))
_SENTENCES = ("sentence1", "sentence2")

GLUE: dict[str, Published] = {
    "cola": _glue("cola", ("sentence",), Label(("unacceptable", "acceptable")), train=8551, validation=1043),
    "sst2": _glue("sst2", ("sentence",), Label(("negative", "positive")), train=67349, validation=872),
    "mrpc": _glue("mrpc", _SENTENCES, Label(("not_equivalent", "equivalent")), train=3668, validation=408),
    "stsb": _glue("stsb", _SENTENCES, Score(0, 5), train=5749, validation=1500),
    "qqp": _glue(
        "qqp", ("question1", "question2"), Label(("not_duplicate", "duplicate")), train=363846, validation=40430
    ),
    "mnli": _glue(
        "mnli", ("premise", "hypothesis"), Label(("entailment", "neutral", "contradiction")),
        train=392702, validation_matched=9815, validation_mismatched=9832,
    ),
    "qnli": _glue("qnli", ("question", "sentence"), _ENTAILMENT, train=104743, validation=5463),
    "rte": _glue("rte", _SENTENCES, _ENTAILMENT, train=2490, validation=277),
}  # fmt: skip

MMLU = Published(
    "cais/mmlu",
    "all",
    {"question": Text(), "subject": Text(), "choices": Choices(4), "answer": Label(tuple("ABCD"))},
    {"dev": 285, "validation": 1531, "test": 14042},
)

ALPACA = Published(
    "tatsu-lab/alpaca",
    None,
    {"instruction": Text(), "input": Text(optional=True), "output": Text()},
    {"train": 52002},
)

_WMT16_ROWS = {"ro-en": {"train": 610320, "validation": 1999, "test": 1999}}


def wmt16(subset: str, source: str, target: str) -> Published:
    """WMT16's pair `subset`, read in the languages `source` and `target`."""
    return Published("wmt/wmt16", subset, {"translation": Translation((source, target))}, _WMT16_ROWS.get(subset, {}))


# As the GLUE paper defines them, table 1; the first is the one that tables show.
GLUE_METRICS: dict[str, tuple[str, ...]] = {
    "cola": ("matthews_correlation",),
    "sst2": ("accuracy",),
    "mrpc": ("accuracy", "f1"),
    "stsb": ("pearson", "spearman"),
    "qqp": ("accuracy", "f1"),
    "mnli": ("accuracy",),
    "qnli": ("accuracy",),
    "rte": ("accuracy",),
}
