"""Scores do not depend on how evaluation batches are cut or padded."""

import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import AutoModelForSeq2SeqLM, AutoModelForSequenceClassification, RobertaConfig, T5Config

from bench.data.example import Example, Padding
from bench.evaluation.batching import sorted_batches
from bench.evaluation.classification import classify
from bench.evaluation.generation import Search, write
from bench.evaluation.inference import Inference


def texts(seed: int) -> list[Example]:
    generator = torch.Generator().manual_seed(seed)
    lengths = [3, 11, 7, 1, 5, 9, 2]
    return [{"input_ids": torch.randint(4, 50, (length,), generator=generator).tolist()} for length in lengths]


def test_encoder_scores() -> None:
    torch.manual_seed(0)
    config = RobertaConfig(
        vocab_size=50, hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=64,
        max_position_embeddings=40, num_labels=1, type_vocab_size=1,
    )  # fmt: skip
    model = AutoModelForSequenceClassification.from_config(config)
    alone = classify(model, texts(0), Padding(1), 1)
    for batch_size, multiple, tokens in ((3, 1, None), (7, 16, None), (7, 1, 12)):
        together = classify(model, texts(0), Padding(1, multiple), batch_size, tokens)
        torch.testing.assert_close(torch.tensor(together), torch.tensor(alone), rtol=0, atol=1e-5)


class Numbers:
    """Stands for a tokenizer: tokens are written as numbers."""

    eos_token_id = 1

    def batch_decode(self, rows: torch.Tensor, skip_special_tokens: bool) -> list[str]:
        return [" ".join(str(token) for token in row if token > 1) for row in rows.tolist()]


def test_translations() -> None:
    torch.manual_seed(0)
    config = T5Config(
        vocab_size=50, d_model=32, d_kv=8, d_ff=64, num_layers=2, num_heads=4, decoder_start_token_id=0,
        pad_token_id=0, eos_token_id=1,
    )  # fmt: skip
    model = AutoModelForSeq2SeqLM.from_config(config)

    def run(batch_size: int, tokens: int | None) -> list[str]:
        inference = Inference(Numbers(), Padding(0), batch_size, tokens)  # type: ignore[arg-type]
        return write(model, texts(1), inference, Search(beams=2, max_new_tokens=6))

    alone = run(1, None)
    assert len(set(alone)) > 1
    assert run(7, None) == alone
    assert run(7, 60) == alone


@given(
    st.lists(st.integers(1, 40), max_size=30), st.integers(1, 8), st.none() | st.integers(1, 200), st.integers(0, 20)
)
def test_batches_hold_every_example_once_within_their_limits(
    lengths: list[int], batch_size: int, tokens: int | None, extra: int
) -> None:
    batches = sorted_batches(lengths, batch_size, tokens, extra, copies=2)
    assert sorted(index for batch in batches for index in batch) == list(range(len(lengths)))
    for batch in batches:
        assert len(batch) <= batch_size
        longest = max(lengths[index] for index in batch)
        assert tokens is None or len(batch) == 1 or len(batch) * (longest + extra) * 2 <= tokens
    order = [lengths[index] for batch in batches for index in batch]
    assert order == sorted(order, reverse=True)
