"""Our likelihoods of whole answers against lm-evaluation-harness: a decoder and an encoder-decoder, one run.

    pip install -e '.[lm-eval]'
    python -m scripts.compare_options [--questions 200]

The questions are the miniature's exam. Its answers are a word each; so that there is something to add up, words of the
next question stand behind each, more with every answer. They are scored by the miniature's LLaMA and T5. Both sides get
the same token ids. For each model it prints how far the log-probabilities are apart at most, in how many questions the
same answer is the likeliest, and ours over theirs in speed (above 1: faster).
"""

import argparse
import time
from typing import Any

import torch

import bench.system.quiet  # noqa: F401  # before the libraries that it silences
from bench.configuration.compose import Configurations
from bench.data.example import Padding
from bench.data.published import MMLU
from bench.data.source import locate
from bench.evaluation.continuations import Option, log_probabilities
from bench.evaluation.inference import Inference
from bench.models.load import load_architecture, load_model
from bench.models.tokenizer import load_tokenizer, prompt_tokens

MODELS = ("miniature/llama", "miniature/t5")


def main() -> None:
    """Score the same options twice, with either model."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--questions", type=int, default=200)
    count = parser.parse_args().questions
    with Configurations() as configurations:
        cells = [configurations.cell([f"model={name}", "task=miniature/mmlu"]) for name in MODELS]
    for cell in cells:
        rows = locate(MMLU, "test", cell.data, miniature=True).rows().slice(0, count).to_pylist()
        model, tokenizer = load_model(cell.base, load_architecture(cell.base, None)).eval(), load_tokenizer(cell.base)
        compare(cell.model, model, tokenizer, rows)


def compare(name: str, model: Any, tokenizer: Any, rows: list[dict[str, Any]]) -> None:
    """Print how both sides agree on a model."""
    written = model.config.is_encoder_decoder
    questions = [f"{row['question']}\nAnswer:" for row in rows]
    prompts = tokenizer(questions)["input_ids"] if written else prompt_tokens(tokenizer, questions)
    answers = [
        [tokenizer(text, add_special_tokens=False)["input_ids"] for text in written_out(row, rows[at - 1])]
        for at, row in enumerate(rows)
    ]
    options = [Option(at, tokens, 1.0) for at, some in enumerate(answers) for tokens in some]
    examples = [{"input_ids": prompt} for prompt in prompts]
    inference = Inference(tokenizer, Padding(tokenizer.pad_token_id), 32)
    log_probabilities(model, examples[:1], options[: len(answers[0])], inference)  # warm
    begin = time.perf_counter()
    ours = torch.tensor(log_probabilities(model, examples, options, inference)).view(len(rows), -1)
    middle = time.perf_counter()
    theirs = lm_eval(model, tokenizer, prompts, options).view(len(rows), -1)
    ratio = (time.perf_counter() - middle) / (middle - begin)
    same = int((ours.argmax(dim=1) == theirs.argmax(dim=1)).sum())
    print(
        f"{name}: {len(options)} answers of {min(len(one.tokens) for one in options)} to "
        f"{max(len(one.tokens) for one in options)} tokens; log-probabilities differ by at most "
        f"{(ours - theirs).abs().max():.1e}; the same answer in {same} of {len(rows)}; speed {ratio:.2f}"
    )


def written_out(row: dict[str, Any], other: dict[str, Any]) -> list[str]:
    """The answers to a question, with one word, two, three, four of another question behind them."""
    words = str(other["question"]).split()
    return [" ".join([choice, *words[: at + 1]]) for at, choice in enumerate(row["choices"])]


def lm_eval(model: Any, tokenizer: Any, prompts: list[list[int]], options: list[Option]) -> torch.Tensor:
    """Log-probabilities by lm-eval's Hugging Face backend, `(options,)`."""
    from lm_eval.models.huggingface import HFLM

    backend = "seq2seq" if model.config.is_encoder_decoder else "causal"
    harness = HFLM(pretrained=model, tokenizer=tokenizer, backend=backend, max_length=512, batch_size=32)
    requests = [((str(at), ""), prompts[one.example], one.tokens) for at, one in enumerate(options)]
    found = harness._loglikelihood_tokens(requests, disable_tqdm=True, override_bs=32)
    return torch.tensor([value for value, _ in found])


if __name__ == "__main__":
    main()
