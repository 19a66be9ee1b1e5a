"""What a decoder writes: the same in batches as alone and as step by step, whatever a method puts in front of it."""

import io
import logging.config
from contextlib import redirect_stderr

import pytest
import torch
from peft import PromptTuningConfig, get_peft_model
from transformers import AutoModelForCausalLM, GPT2Config

from bench.configuration.compose import Configurations
from bench.data.example import Padding
from bench.evaluation.generation import Search, padded_in_front, write
from bench.evaluation.inference import Inference
from bench.evaluation.metrics import TEXTS, scorers_of
from bench.evaluation.squad import exact, overlap
from bench.tasks.build import task_of
from tests.evaluation.test_batches import Numbers

PROMPTS = [[5, 9, 23], [7, 8, 60, 44, 31, 12, 80], [99], [3, 3, 17, 2, 51]]
SEARCH = Search(beams=1, max_new_tokens=6)


def inference(batch_size):
    return Inference(Numbers(), Padding(0), batch_size)


def step_by_step(model, prompt):
    """The most likely token, again and again, each from a forward pass of its own over all before it."""
    tokens = list(prompt)
    for _ in range(SEARCH.max_new_tokens):
        ids = torch.tensor([tokens])
        with torch.inference_mode():
            following = int(model(input_ids=ids, attention_mask=torch.ones_like(ids)).logits[0, -1].argmax())
        tokens.append(following)
        if following == Numbers.eos_token_id:
            break
    return " ".join(str(token) for token in tokens[len(prompt) :] if token > 1)


@pytest.mark.parametrize("method", ["full", "lora", "prompt_tuning", "prefix_tuning", "adapter_s", "mam"])
def test_a_decoder_writes_in_batches_what_it_writes_step_by_step(adapted, method):
    sizes = {"prompt_tuning": ["method.num_virtual_tokens=4"], "adapter_s": ["method.bottleneck=8"]}
    model = adapted(method, *sizes.get(method, []))
    examples = [{"input_ids": prompt} for prompt in PROMPTS]
    expected = [step_by_step(model, prompt) for prompt in PROMPTS]
    assert len(set(expected)) > (method != "mam")  # which says one thing alone at random weights
    for batch_size in (1, 4):
        assert write(model, examples, inference(batch_size), SEARCH) == expected


def test_padding_in_front_of_a_prompt_moves_no_absolute_position():
    """peft leaves position ids out where it puts virtual tokens in front; GPT-2 would count padding."""
    torch.manual_seed(0)
    sizes = {"n_embd": 64, "n_layer": 2, "n_head": 4, "n_positions": 64, "bos_token_id": 1, "eos_token_id": 1}
    base = AutoModelForCausalLM.from_config(GPT2Config(vocab_size=100, **sizes))
    model = get_peft_model(base, PromptTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=4)).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.2)
    examples = [{"input_ids": prompt} for prompt in PROMPTS]
    assert write(model, examples, inference(4), SEARCH) == [step_by_step(model, prompt) for prompt in PROMPTS]


def test_what_follows_a_stop_is_left_out(adapted):
    [whole] = write(adapted("full"), [{"input_ids": PROMPTS[0]}], inference(1), SEARCH)
    stop = whole.split()[2]
    assert whole.startswith(write(adapted("full"), [{"input_ids": PROMPTS[0]}], inference(1), SEARCH, stop)[0])
    assert write(adapted("full"), [{"input_ids": PROMPTS[0]}], inference(1), SEARCH, stop) != [whole]


def test_padding_moves_to_the_front():
    batch = Padding(0)([{"input_ids": [5, 6, 7]}, {"input_ids": [8]}])
    moved = padded_in_front(batch)
    assert moved["input_ids"].tolist() == [[5, 6, 7], [0, 0, 8]]
    assert moved["attention_mask"].tolist() == [[1, 1, 1], [0, 0, 1]]


@pytest.mark.parametrize(
    ("reference", "prediction", "same", "f1"),
    [
        ("the Cat sat", "cat sat.", 1, 1),
        ("a big dog", "big dogs", 0, 0.5),
        ("red red blue", "red green", 0, 0.4),
        ("the", "an", 1, 1),
        ("yes", "", 0, 0),
    ],
)
def test_answers_are_compared_as_squad_does(reference, prediction, same, f1):
    assert exact(reference, prediction) == same
    assert overlap(reference, prediction) == pytest.approx(f1)


def test_rouge_is_googles():
    [one, two, longest] = scorers_of(["rouge1", "rouge2", "rougeL"], TEXTS, ())
    right, said = ["the cat sat on the mat"], ["the cat was on the mat"]
    assert one.score(right, said) == pytest.approx(5 / 6)
    assert two.score(right, said) == pytest.approx(3 / 5)
    assert longest.score(right, said) == pytest.approx(5 / 6)


def test_rouge_closes_nothing_where_logging_is_configured_anew():
    """As each sweep does; absl, on which rouge-score stands, would close what was stderr when it was made."""
    notebooks = io.StringIO()
    with redirect_stderr(notebooks):
        [rouge] = scorers_of(["rouge1"], TEXTS, ())
        from absl.logging import get_absl_handler

        get_absl_handler().python_handler.setStream(notebooks)  # as it is when it is imported here
        assert rouge.score(["a"], ["a"]) == 1
    logging.config.dictConfig({"version": 1, "disable_existing_loggers": False})
    assert not notebooks.closed


@pytest.mark.parametrize("model", ["miniature/t5", "miniature/llama"])
def test_the_miniature_has_a_task_of_writing_for_both_families(model):
    with Configurations() as configurations:
        task = task_of(configurations.cell([f"model={model}", "task=miniature/paraphrase"]))
    assert (task.way, task.main_metric, task.head()) == ("generate", "rougeL", None)
