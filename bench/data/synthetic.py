"""Random tokens in the shape of a task's training examples, for experiments about time and memory.

No tokenizer and no data are needed: with `model.weights=random` a cell runs without any download. What is learnt means
nothing, so nothing is scored.
"""

import random
from dataclasses import dataclass

from bench.configuration.schema import DataConfig
from bench.data.example import IGNORED, Example

EXAMPLES = 1024  # where data.limit_train does not say how many


@dataclass(frozen=True)
class Shape:
    """What the random examples look like.

    Attributes:
        count: examples.
        shortest, longest: lengths are uniform between these, in tokens.
        vocabulary: token ids are uniform below this.
        padding: the one token that does not occur: models tell positions by it.
        seed: decides everything.
    """

    count: int
    shortest: int
    longest: int
    vocabulary: int
    padding: int
    seed: int

    @classmethod
    def of(cls, data: DataConfig, longest: int, vocabulary: int, padding: int, seed: int) -> "Shape":
        """The shape that a cell's configuration asks for; inputs of `longest` tokens unless it says otherwise."""
        shortest = min(data.synthetic_shortest or longest, longest)
        return cls(data.limit_train or EXAMPLES, shortest, longest, vocabulary, padding, seed)

    def texts(self) -> list[list[int]]:
        """`count` lists of token ids."""
        return [self._text(random.Random(f"{self.seed} {index}")) for index in range(self.count)]

    def targets(self) -> list[list[int]]:
        """As many again, independent of the first."""
        return [self._text(random.Random(f"{self.seed} target {index}")) for index in range(self.count)]

    def _text(self, generator: random.Random) -> list[int]:
        length = generator.randint(self.shortest, self.longest)
        tokens = generator.choices(range(self.vocabulary - 1), k=length)
        return [token if token < self.padding else token + 1 for token in tokens]


def classification(shape: Shape, labels: int, regression: bool) -> list[Example]:
    """Random texts, each with a label (a score between 0 and 5 for `regression`)."""
    return [
        {"input_ids": text, "labels": float(index % 6) if regression else index % labels}
        for index, text in enumerate(shape.texts())
    ]


def translation(shape: Shape) -> list[Example]:
    """Random texts, each with another one to be generated."""
    pairs = zip(shape.texts(), shape.targets(), strict=True)
    return [{"input_ids": text, "labels": target} for text, target in pairs]


def continuation(shape: Shape) -> list[Example]:
    """Random texts whose second half is to be predicted from the first, as a response from its prompt."""
    return [
        {"input_ids": text, "labels": [IGNORED] * (len(text) // 2) + text[len(text) // 2 :]} for text in shape.texts()
    ]
