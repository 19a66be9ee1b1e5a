"""One example as a task gives it, and how several become a batch of tensors: padded, or padding-free."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, overload

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor

# Token ids and labels of one example, as plain lists and numbers: {"input_ids": [...], "labels": ...}.
Example = dict[str, Any]
IGNORED = -100  # a label that does not count in transformers' losses


class Examples(Sequence[Example]):
    """Examples that stay in an Arrow table, mapped from the cache, until they are asked for.

    Hundreds of thousands of lists of Python numbers would take gigabytes; a column of the table is one array.
    """

    def __init__(self, table: pa.Table, columns: Sequence[str]) -> None:
        """Take `columns` of `table`: lists of token ids, or one number for each example."""
        self._rows = int(table.num_rows)
        self._tokens: dict[str, tuple[np.ndarray, np.ndarray]] = {}
        self._numbers: dict[str, np.ndarray] = {}
        for name in columns:
            column = table.column(name).combine_chunks()
            if pa.types.is_list(column.type):
                # `flatten` starts at the first row's offset, `offsets` counts from the start of the buffer.
                offsets = column.offsets.to_numpy()
                self._tokens[name] = (column.flatten().to_numpy(), offsets - offsets[0])
            else:
                self._numbers[name] = column.to_numpy(zero_copy_only=False)

    def __len__(self) -> int:
        return self._rows

    def column(self, name: str) -> np.ndarray:
        """All values of a column one after another: tokens without their borders, or numbers; empty for no column."""
        if name in self._tokens:
            return self._tokens[name][0]
        return self._numbers.get(name, np.empty(0, dtype=np.int64))

    def lists(self, name: str) -> Iterator[np.ndarray]:
        """A column's tokens, row by row, without copying any."""
        values, offsets = self._tokens[name]
        return (values[offsets[row] : offsets[row + 1]] for row in range(self._rows))

    def has_lists(self, name: str) -> bool:
        """Whether a column holds tokens, and no numbers."""
        return name in self._tokens

    @overload
    def __getitem__(self, index: int) -> Example: ...

    @overload
    def __getitem__(self, index: slice) -> list[Example]: ...

    def __getitem__(self, index: int | slice) -> Example | list[Example]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(self._rows))]
        if not -self._rows <= index < self._rows:
            raise IndexError(index)
        row = index % self._rows
        example: Example = {
            name: values[offsets[row] : offsets[row + 1]].tolist() for name, (values, offsets) in self._tokens.items()
        }
        return example | {name: values[row].item() for name, values in self._numbers.items()}


@dataclass(frozen=True)
class Padding:
    """Turns examples into tensors, padded on the right to the longest of the batch.

    Attributes:
        token: the padding token's id.
        multiple: lengths are rounded up to a multiple of this; 8 suits tensor cores.
        segments: whether the model is given the segment ids that a tokenizer numbers the parts of a pair by.
        most: the length that has been found to fit the model; rounding up does not go beyond it.
    """

    token: int
    multiple: int = 1
    segments: bool = True
    most: int | None = None

    def __call__(self, examples: Sequence[Example]) -> dict[str, Tensor]:
        """Stack a batch.

        Returns:
            `input_ids` and `attention_mask` `(batch, length)`; `token_type_ids` of the same shape where the examples
            have them and the model knows them; `labels` where the examples have them: `(batch,)` for one label each,
            `(batch, label length)` padded with −100 for a sequence of them.
        """
        batch = {"input_ids": self._stack([example["input_ids"] for example in examples], self.token)}
        batch["attention_mask"] = self._stack([[1] * len(example["input_ids"]) for example in examples], 0)
        if self.segments and "token_type_ids" in examples[0]:
            batch["token_type_ids"] = self._stack([example["token_type_ids"] for example in examples], 0)
        if "labels" in examples[0]:
            labels = [example["labels"] for example in examples]
            is_sequence = isinstance(labels[0], list)
            batch["labels"] = self._stack(labels, IGNORED) if is_sequence else torch.tensor(labels)
        return batch

    def size(self, lengths: Sequence[int], targets: Sequence[int]) -> tuple[int, int, int, bool]:
        """Of a batch of inputs and labels of so many tokens: rows, their length, that of the labels, any padding."""
        length = self.length(max(lengths))
        return len(lengths), length, self.length(max(targets)), min(lengths) < length

    def length(self, longest: int) -> int:
        """Of all rows of a batch whose longest is of `longest` tokens."""
        rounded = -(-longest // self.multiple) * self.multiple
        return rounded if self.most is None else max(longest, min(rounded, self.most))

    def _stack(self, rows: list[list[int]], fill: int) -> Tensor:
        length = self.length(max(len(row) for row in rows))
        return torch.tensor([row + [fill] * (length - len(row)) for row in rows])


class Flattening:
    """Turns examples of a decoder into one row without padding: a padding-free batch.

    The texts stand one behind the other, and the positions begin anew with each. Attention keeps them apart: that of
    transformers by the positions, where there is no mask and no cache, flash attention by where they begin
    (`cu_seq_lens`). The losses of the texts' tokens are those of a padded batch.
    """

    def __call__(self, examples: Sequence[Example]) -> dict[str, Any]:
        """Put the examples into one row of as many tokens as they have together.

        Returns:
            `input_ids`, `position_ids` and `labels` `(1, tokens)`, the first label of each text ignored, as the token
            in front of it is of another text; `cu_seq_lens_q` and `cu_seq_lens_k` `(texts + 1,)`, where each text
            begins and the last ends, in int32, as flash attention takes them; `max_length_q` and `max_length_k`, the
            longest, on the host; `use_cache`, false.
        """
        lengths = [len(example["input_ids"]) for example in examples]
        begins = torch.tensor([0, *lengths]).cumsum(0, dtype=torch.int32)
        return {
            "input_ids": _row(example["input_ids"] for example in examples),
            "position_ids": _row(range(length) for length in lengths),
            "labels": _row([IGNORED, *example["labels"][1:]] for example in examples),
            "cu_seq_lens_q": begins,
            "cu_seq_lens_k": begins,
            "max_length_q": max(lengths),
            "max_length_k": max(lengths),
            "use_cache": False,
        }

    def size(self, lengths: Sequence[int], targets: Sequence[int]) -> tuple[int, int, int, bool]:
        """Of a batch of texts and labels of so many tokens: one row, its length twice, whether texts are kept apart."""
        return 1, sum(lengths), sum(targets), len(lengths) > 1


Batching = Padding | Flattening  # how examples become a batch


def _row(parts: Iterable[Iterable[int]]) -> Tensor:
    return torch.tensor([[value for part in parts for value in part]])
