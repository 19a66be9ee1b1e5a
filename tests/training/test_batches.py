"""Which examples go together."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from bench.data.example import IGNORED, Padding
from bench.training.batches import epoch_order, padded_count, target_count, token_count

LENGTHS = st.lists(st.integers(1, 200), min_size=1, max_size=300)


@given(LENGTHS, st.integers(1, 16), st.booleans(), st.integers(0, 5))
def test_an_epoch_has_every_example_once_in_full_batches(lengths, batch_size, grouped, seed):
    batches = epoch_order(lengths, batch_size, grouped, torch.Generator().manual_seed(seed))
    assert sorted(index for batch in batches for index in batch) == list(range(len(lengths)))
    assert sorted(map(len, batches))[1:] == [batch_size] * (len(batches) - 1)


def test_rounding_up_stays_within_the_length_that_fits_the_model():
    padding = Padding(token=0, multiple=8, most=511)
    assert [padding.length(length) for length in (1, 8, 505, 511)] == [8, 8, 511, 511]
    assert padding.length(600) == 600, "longer ones were let through by somebody else: nothing is cut off here"
    assert padding([{"input_ids": [1] * 510, "labels": 0}])["input_ids"].shape == (1, 511)


def test_grouping_saves_padding_and_still_shuffles():
    lengths = torch.randint(5, 100, (2000,), generator=torch.Generator().manual_seed(0)).tolist()

    def padded(grouped, seed=0):
        order = epoch_order(lengths, 16, grouped, torch.Generator().manual_seed(seed))
        return order, sum(len(batch) * max(lengths[i] for i in batch) for batch in order)

    grouped, cost = padded(True)
    assert cost < 1.1 * sum(lengths) < padded(False)[1]
    assert grouped != padded(True, seed=1)[0]
    assert grouped == padded(True)[0]
    longest = [max(lengths[i] for i in batch) for batch in grouped]
    assert longest != sorted(longest, reverse=True)


def test_padding_fills_on_the_right_and_marks_it():
    batch = Padding(token=9, multiple=4)(
        [
            {"input_ids": [1, 2, 3], "labels": [5]},
            {"input_ids": [1, 2, 3, 4, 5], "labels": [6, 7]},
        ]
    )
    assert batch["input_ids"].tolist() == [[1, 2, 3, 9, 9, 9, 9, 9], [1, 2, 3, 4, 5, 9, 9, 9]]
    assert batch["attention_mask"].sum(dim=1).tolist() == [3, 5]
    assert batch["labels"].tolist() == [[5, IGNORED, IGNORED, IGNORED], [6, 7, IGNORED, IGNORED]]
    assert target_count(batch) == 3
    assert token_count(batch, targets_apart=False) == 8
    assert token_count(batch, targets_apart=True) == 11


def test_labels_of_whole_examples_are_numbers():
    batch = Padding(token=0)([{"input_ids": [1], "labels": 1}, {"input_ids": [1, 2], "labels": 0}])
    assert batch["labels"].tolist() == [1, 0]
    assert target_count(batch) == 2
    scores = Padding(token=0)([{"input_ids": [1], "labels": 2.5}])["labels"]
    assert scores.dtype == torch.float32


def test_labels_that_are_one_number_each_are_no_tokens_of_an_encoder_decoder():
    padding = Padding(token=0)
    classes = padding([{"input_ids": [5, 6, 7], "labels": 1}, {"input_ids": [5], "labels": 0}])
    assert (token_count(classes, True), padded_count(classes, True), target_count(classes)) == (4, 6, 2)
    texts = padding([{"input_ids": [5, 6, 7], "labels": [8, 9]}, {"input_ids": [5], "labels": [8]}])
    assert (token_count(texts, True), padded_count(texts, True), target_count(texts)) == (7, 10, 3)
