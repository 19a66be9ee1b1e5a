"""WMT16 English → Romanian translation; Bojar et al. 2016, https://aclanthology.org/W16-2301.

It is declared in `configs/task/wmt16.yaml`.
"""

from dataclasses import dataclass
from typing import Any, ClassVar

from bench.configuration.schema import Family
from bench.tasks.around import Around

PAIR = "ro-en"  # whose rows the YAML counts


@dataclass(kw_only=True)
class Wmt16(Around):
    """Translate the `source` language's side into the `target`'s.

    Attributes:
        subset: the language pair on the hub; of another than the YAML's nobody counts the rows.
        source, target: keys of the hub's `translation` column.
        prefix: put before the source text.
        train_split: which split to train on.
        beams, max_new_tokens, length_penalty, early_stopping, bleu_tokenizer: see `bench.tasks.generation.Generation`.
    """

    subset: str
    source: str
    target: str
    prefix: str
    train_split: str
    beams: int
    max_new_tokens: int
    length_penalty: float = 1.0
    early_stopping: bool = False
    bleu_tokenizer: str | None = None

    family: ClassVar = Family.encoder_decoder
    inner: ClassVar = ("subset", "source", "prefix", "train_split")
    outer: ClassVar = (
        *Around.outer, "target", "beams", "max_new_tokens", "length_penalty", "early_stopping", "bleu_tokenizer",
    )  # fmt: skip
    packaged: ClassVar = "wmt16"

    def whole(self) -> dict[str, Any]:
        """Without the rows of another pair."""
        whole = super().whole()
        return whole if self.subset == PAIR else whole | {"data": {**whole["data"], "rows": {}}}
