"""Answers of any number of tokens: found within the text, and compared as the whole texts are."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn
from transformers import AutoModelForCausalLM, MistralConfig

from bench.data.example import Example
from bench.errors import UserError
from bench.evaluation.answers import Answers, answers_after
from bench.evaluation.inference import Inference
from bench.evaluation.multiple_choice import choose, shared_prompts, whole_prompts
from tests.tokens import LETTERS, SPECIAL, made

END = "\nAnswer:"
ABCD = [" A", " B", " C", " D"]
SEVERAL = Answers(0, [9], [[5], [6, 7], [6, 8, 20], [5, 21]])


def ids(*tokens: str) -> list[int]:
    return [[*SPECIAL, *LETTERS].index(token) for token in tokens]


def test_a_letter_with_its_space_is_one_token(tmp_path: Path) -> None:
    tokenizer = made(tmp_path, words=(*LETTERS, *ABCD), pattern=r" [A-D]|[\s\S]")
    assert answers_after(tokenizer, END, ABCD) == Answers(
        0, [], [[len(SPECIAL) + len(LETTERS) + index] for index in range(4)]
    )


def test_the_space_may_be_a_token_of_its_own(tmp_path: Path) -> None:
    answers = answers_after(made(tmp_path), END, ABCD)
    assert answers == Answers(0, ids(" "), [ids("A"), ids("B"), ids("C"), ids("D")])
    assert answers.differ_in_one_token
    assert answers.room == 1
    assert answers.after([1, 2]) == [1, 2, *ids(" ")]


def test_a_tokenizer_without_spaces(tmp_path: Path) -> None:
    words = ("Answer:", "A", "B", "C", "D")
    answers = answers_after(made(tmp_path, words=words, pattern=None), END, ABCD)
    assert answers == Answers(0, [], [[5], [6], [7], [8]])


def test_a_prompts_end_may_be_joined_with_the_answer(tmp_path: Path) -> None:
    joined = (": A", ": B", ": C", ": D")
    answers = answers_after(made(tmp_path, words=(*LETTERS, *joined), pattern=r": [A-D]|[\s\S]"), END, ABCD)
    first = len(SPECIAL) + len(LETTERS)
    assert answers == Answers(1, [], [[first + index] for index in range(4)])
    assert answers.after([7, 8, *ids(":")]) == [7, 8]


def test_answers_of_several_tokens(tmp_path: Path) -> None:
    answers = answers_after(made(tmp_path), END, [" yes", " no", " yeah"])
    assert answers.begin == ids(" ")
    assert answers.rest == [ids("y", "e", "s"), ids("n", "o"), ids("y", "e", "a", "h")]
    assert answers.room == 4


def test_an_answer_that_another_goes_on_from(tmp_path: Path) -> None:
    answers = answers_after(made(tmp_path), END, [" A", " AB"])
    assert (answers.begin, answers.rest) == (ids(" "), [ids("A"), ids("A", "B")])


@pytest.mark.parametrize("answers", [[" A", " A"], [" A", ""], [" A", " %", " B"]])
def test_answers_that_cannot_be_told_apart_are_refused(answers: list[str], tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot tell the answers"):
        answers_after(made(tmp_path), END, answers)


def prompts() -> list[Example]:
    generator = torch.Generator().manual_seed(3)
    made: list[Example] = []
    for group in range(2):
        prefix = torch.randint(3, 90, (20 + group,), generator=generator).tolist()
        for index in range(7):
            own = torch.randint(3, 90, (1 + index % 4,), generator=generator).tolist()
            made.append({"input_ids": prefix + own, "group": group})
    return [*made, {"input_ids": [3, 4, 5], "group": 2}, {"input_ids": [8], "group": 3}]


@torch.inference_mode()
def plainly(model: nn.Module, examples: list[Example], answers: Answers) -> torch.Tensor:
    """Each continuation's log-probability from the logits of the whole text, one text at a time."""
    rows = []
    for example in examples:
        prompt, scores = [*example["input_ids"], *answers.begin], []
        for rest in answers.rest:
            text = torch.tensor([[*prompt, *rest]])
            likely = model(input_ids=text).logits[0].float().log_softmax(dim=-1)
            scores.append(sum(likely[len(prompt) + at - 1, token].item() for at, token in enumerate(rest)))
        rows.append(scores)
    return torch.tensor(rows)


@pytest.mark.parametrize(("batch_size", "tokens"), [(1, None), (5, None), (64, 100)])
@pytest.mark.parametrize("method", ["full", "lora"])
def test_whole_continuations_are_scored_as_plainly_computed(
    method: str,
    batch_size: int,
    tokens: int | None,
    adapted: Callable[..., nn.Module],
    inference: Callable[..., Inference],
) -> None:
    model, run = adapted(method), inference(batch_size, tokens)
    wanted = plainly(model, prompts(), SEVERAL)
    torch.testing.assert_close(shared_prompts(model, prompts(), run, SEVERAL), wanted, rtol=0, atol=1e-4)
    torch.testing.assert_close(whole_prompts(model, prompts(), run, SEVERAL), wanted, rtol=0, atol=1e-4)
    assert choose(model, prompts(), run, SEVERAL) == wanted.argmax(dim=1).tolist()
    assert "whole continuation" in run.notes["answers"]


def test_virtual_tokens_in_front_change_nothing_of_it(
    adapted: Callable[..., nn.Module], inference: Callable[..., Inference]
) -> None:
    model = adapted("prompt_tuning")
    whole = whole_prompts(model, prompts(), inference(4), SEVERAL)
    torch.testing.assert_close(shared_prompts(model, prompts(), inference(4), SEVERAL), whole, rtol=0, atol=1e-4)


def test_a_model_that_forgets_compares_continuations_too(inference: Callable[..., Inference]) -> None:
    torch.manual_seed(0)
    config = MistralConfig(
        vocab_size=100, hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, sliding_window=8,
    )  # fmt: skip
    model = AutoModelForCausalLM.from_config(config).eval()
    assert choose(model, prompts(), inference(4), SEVERAL) == plainly(model, prompts(), SEVERAL).argmax(dim=1).tolist()


def test_one_token_after_a_shared_beginning_is_what_the_whole_would_say(
    adapted: Callable[..., nn.Module], inference: Callable[..., Inference]
) -> None:
    model, answers = adapted("full"), Answers(0, [9], [[5], [6], [7]])
    found = shared_prompts(model, prompts(), inference(4), answers).log_softmax(dim=1)
    torch.testing.assert_close(found, plainly(model, prompts(), answers).log_softmax(dim=1), rtol=0, atol=1e-4)
