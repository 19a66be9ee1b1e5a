"""Which steps can make a training's peak of memory: known before the first, from the lengths of the examples alone."""

from collections.abc import Sequence
from itertools import chain, islice
from operator import ge

from bench.configuration.schema import TrainingConfig
from bench.data.example import Batching, Example
from bench.training.batches import epochs_of, micro_batches_of

# Of a micro-batch: rows, length, length of the labels, whether a mask is made (of padding, or of texts in one row),
# whether gradients of an earlier one lie beside it, whether the optimizer's state does. More of each never needs less
# memory.
Demand = tuple[int, int, int, bool, bool, bool]


def largest_steps(
    examples: Sequence[Example],
    batching: Batching,
    training: TrainingConfig,
    seed: int,
    *,
    total_steps: int,
    done: int = 0,
) -> set[int]:
    """The first of each kind of steps that no other step exceeds: one of them makes the peak.

    One step, mostly; several where the longest inputs and the longest targets do not come together.

    Args:
        examples: tokenised.
        batching: makes batches of them.
        training: sizes and grouping.
        seed: decides the order, as in `bench.training.loop.batches_of`.
        total_steps: of the training.
        done: steps at the beginning that do not count.

    Returns:
        Numbers of steps, from 1.
    """
    lengths = [len(example["input_ids"]) for example in examples]
    targets = [_length(example.get("labels")) for example in examples]
    micro = training.micro_batch_size or training.batch_size
    steps = chain.from_iterable(epochs_of(lengths, training, seed))
    largest: dict[Demand, int] = {}
    for number, step in islice(enumerate(steps, start=1), done, total_steps):
        for index, piece in enumerate(micro_batches_of(step, micro)[0]):
            size = batching.size([lengths[i] for i in piece], [targets[i] for i in piece])
            demand = (*size, index > 0, number > 1)
            if not any(_covers(other, demand) for other in largest):
                largest = {other: at for other, at in largest.items() if not _covers(demand, other)}
                largest[demand] = number
    return set(largest.values())


def _length(labels: object) -> int:
    return len(labels) if isinstance(labels, list) else 0


def _covers(one: Demand, other: Demand) -> bool:
    return all(map(ge, one, other))
