"""Whole answers compared: batches score what each answer alone scores, by its length where that is asked for."""

import pytest
import torch

from bench.data.example import Padding
from bench.evaluation.continuations import likeliest_option
from bench.evaluation.inference import Inference
from bench.evaluation.label_words import likeliest
from tests.evaluation.test_batches import Numbers
from tests.tiny import Adapted, settings_of, tiny_model

OPTIONS = [[[7, 8], [9, 12, 13, 14], [21]], [[30, 31, 32], [33]], [[40], [41, 42], [43], [44, 45, 46]]]
PROMPTS = [[5, 6], [15, 16, 17, 18, 19], [3]]


def example(prompt, options, sizes):
    flat = [token for option in options for token in option]
    return {"input_ids": prompt, "options": flat, "counts": [len(option) for option in options], "sizes": sizes}


def examples(by_length):
    rows = zip(PROMPTS, OPTIONS, strict=True)
    return [example(p, o, [len(x) if by_length else 1 for x in o]) for p, o in rows]


def alone(model, prompt, option):
    """The log-probability of one answer, token by token from the definition."""
    if model.config.is_encoder_decoder:
        logits = model(input_ids=torch.tensor([prompt]), labels=torch.tensor([option])).logits[0]
    else:
        logits = model(input_ids=torch.tensor([[*prompt, *option]])).logits[0, len(prompt) - 1 : -1]
    likely = logits.log_softmax(dim=-1)
    return sum(float(likely[at, token]) for at, token in enumerate(option))


@pytest.mark.parametrize("by_length", [False, True])
@pytest.mark.parametrize("family", ["decoder", "encoder_decoder"])
def test_the_likeliest_answer_is_chosen(family, by_length):
    model = tiny_model(family)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(1.5)
    expected = []
    for prompt, options in zip(PROMPTS, OPTIONS, strict=True):
        with torch.inference_mode():
            scores = [alone(model, prompt, o) / (len(o) if by_length else 1) for o in options]
        expected.append(max(range(len(scores)), key=scores.__getitem__))
    for size in (1, 16):
        run = Inference(Numbers(), Padding(0), size)
        assert likeliest_option(model, examples(by_length), run) == expected


def test_length_can_decide():
    """Long answers are less likely as a whole; by their length they are not."""
    model = tiny_model("decoder")
    run = Inference(Numbers(), Padding(0), 8)
    long = [7, 8, 9, 10, 11, 12]
    options = [long, [13]]
    [whole] = likeliest_option(model, [example([5, 6], options, [1, 1])], run)
    [by_length] = likeliest_option(model, [example([5, 6], options, [1000, 1])], run)
    assert (whole, by_length) == (1, 0)


@pytest.mark.parametrize("method", ["full", "lora", "prompt_tuning", "prefix_tuning", "propelt_prefix"])
def test_of_words_that_all_examples_share_the_likeliest_is_chosen_too(method):
    """The encoder runs once for all words, whatever a method puts in front of it."""
    model = Adapted(settings_of(method), "encoder_decoder").model.eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(1.5)
    words, expected = [[7, 1], [9, 12, 1], [21, 30, 1]], []
    for prompt in PROMPTS:
        batch = {"input_ids": torch.tensor([prompt]), "attention_mask": torch.ones(1, len(prompt), dtype=torch.long)}
        with torch.inference_mode():
            likely = [model(**batch, labels=torch.tensor([word])).logits[0].log_softmax(dim=-1) for word in words]
        scores = [
            sum(float(rows[at, token]) for at, token in enumerate(word))
            for rows, word in zip(likely, words, strict=True)
        ]
        expected.append(max(range(3), key=scores.__getitem__))
    for size in (1, 4):
        run = Inference(Numbers(), Padding(0), size)
        assert likeliest(model, [{"input_ids": prompt} for prompt in PROMPTS], run, words) == expected
