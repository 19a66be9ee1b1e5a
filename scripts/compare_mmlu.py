"""Our few-shot scoring against lm-evaluation-harness: same model, same prompts, same machine, one run.

    pip install -e '.[lm-eval]'
    python scripts/compare_mmlu.py --data FOLDER [--model FOLDER] [--subjects anatomy astronomy] [--questions 50]
    python scripts/compare_mmlu.py --miniature --model bench/miniature/backbones/llama --subjects sociology

FOLDER is a mirror with `cais/mmlu/all`, as for `data.root`; --miniature takes the package's artificial questions.
Without --model a LLaMA of --layers and --hidden is made with random weights, and a byte-level BPE tokenizer is trained
on the questions, so that prompts have real lengths. Both sides get the same token ids, so neither side's time has
tokenisation in it. lm-eval runs with the batch size that is fastest on a sample, and with its cache that runs the four
answers of a question at once. The two sides take turns, and the fastest of their rounds counts: other work on the
machine slows both. The last line is ours over theirs in speed: above 1 is faster.
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from tokenizers import ByteLevelBPETokenizer
from torch import Tensor
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig, PreTrainedTokenizerFast

import bench.system.quiet  # noqa: F401  # before the libraries that it silences
from bench.configuration.schema import DataConfig
from bench.data.example import Example, Examples, Padding
from bench.data.published import MMLU
from bench.data.source import locate
from bench.evaluation.inference import Inference
from bench.evaluation.multiple_choice import shared_prompts
from bench.tasks.few_shot import Row, prompt, prompt_table
from bench.tasks.mmlu import letters

SAMPLE = 16  # prompts on which lm-eval's batch size is chosen
BATCH_SIZES = (1, 2, 4, 8, 16, 32)
VOCABULARY = 16000


def main() -> None:
    """Score the same questions twice and print what came out."""
    options = arguments()
    torch.manual_seed(0)
    if options.threads:
        torch.set_num_threads(options.threads)
    data = DataConfig(root=None if options.miniature else str(options.data))
    dev: list[Row] = locate(MMLU, "dev", data, options.miniature).rows().to_pylist()
    test: list[Row] = locate(MMLU, "test", data, options.miniature).rows().to_pylist()
    questions = [
        row for name in options.subjects for row in [row for row in test if row["subject"] == name][: options.questions]
    ]
    model, tokenizer = model_and_tokenizer(options, dev, test)
    table = prompt_table(tokenizer, questions, dev, 5, model.config.max_position_embeddings)
    examples = list(Examples(table, ("input_ids", "group")))
    lengths = [len(example["input_ids"]) for example in examples]
    parameters = sum(parameter.numel() for parameter in model.parameters())
    print(f"model: {parameters:,} parameters on {model.device}, {torch.get_num_threads()} threads")
    print(f"prompts: {len(lengths)}, {min(lengths)} to {max(lengths)} tokens, mean {sum(lengths) / len(lengths):.0f}")

    answers = letters(tokenizer)
    inference = Inference(tokenizer, Padding(tokenizer.pad_token_id), 64, options.tokens)
    harness = LmEval(model, tokenizer, [token for [token] in answers.rest])
    harness.choose_batch_size(examples)
    shared_prompts(model, examples[:2], inference, answers)  # warm, as lm-eval is by now
    our_times, their_times = [], []
    for _ in range(options.rounds):
        ours, seconds = timed(lambda: shared_prompts(model, examples, inference, answers).log_softmax(dim=1))
        our_times.append(seconds)
        theirs, seconds = timed(lambda: harness.score(examples).log_softmax(dim=1))
        their_times.append(seconds)
    report("ours", len(examples), our_times)
    report(f"lm-eval, batch size {harness.batch_size}", len(examples), their_times)
    same = (ours.argmax(dim=1) == theirs.argmax(dim=1)).float().mean().item()
    print(
        f"agreement: {same:.2%} of the choices, log-probabilities differ by at most {(ours - theirs).abs().max():.1e}"
    )
    print(f"ratio: {min(their_times)[0] / min(our_times)[0]:.2f}")


def arguments() -> argparse.Namespace:
    """What the user asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--data", type=Path, help="mirror with cais/mmlu/all")
    source.add_argument("--miniature", action="store_true", help="the package's artificial questions")
    parser.add_argument("--model", type=Path, help="a decoder's folder; default: random weights")
    parser.add_argument("--layers", type=int, default=8)
    parser.add_argument("--hidden", type=int, default=512)
    parser.add_argument("--subjects", nargs="+", default=["anatomy", "astronomy"])
    parser.add_argument("--questions", type=int, default=50, help="of each subject")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--tokens", type=int, default=32768, help="of our batches, prefix counted")
    parser.add_argument("--threads", type=int, default=0, help="of torch; default: its own choice")
    return parser.parse_args()


def timed(work: Callable[[], Tensor]) -> tuple[Tensor, tuple[float, float]]:
    """What `work` returns, and the seconds it took: on the clock, and of this process on all processors."""
    clock, processor = time.perf_counter(), time.process_time()
    result = work()
    return result, (time.perf_counter() - clock, time.process_time() - processor)


def report(name: str, questions: int, times: list[tuple[float, float]]) -> None:
    """One line for one side: its fastest round."""
    clock, processor = min(times)
    print(f"{name}: {clock:.2f} s ({processor:.2f} s of processor time), {questions / clock:.2f} questions per second")


def model_and_tokenizer(options: argparse.Namespace, dev: list[Row], test: list[Row]) -> tuple[Any, Any]:
    """The decoder to score with, in fp32 and evaluation mode."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    if options.model is not None:
        tokenizer = AutoTokenizer.from_pretrained(options.model)
        if tokenizer.pad_token_id is None:
            tokenizer.pad_token = tokenizer.unk_token or tokenizer.eos_token
        model: Any = AutoModelForCausalLM.from_pretrained(options.model, dtype=torch.float32)
        return model.to(device).eval(), tokenizer
    backend = ByteLevelBPETokenizer()
    texts = (prompt(row, []) for row in [*dev, *test])
    backend.train_from_iterator(texts, vocab_size=VOCABULARY, special_tokens=["<s>", "</s>"], show_progress=False)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=backend._tokenizer, bos_token="<s>", eos_token="</s>", pad_token="</s>"
    )
    config = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=options.hidden, num_hidden_layers=options.layers,
        num_attention_heads=options.hidden // 64, intermediate_size=int(options.hidden * 2.6875),  # LLaMA's own ratio
        max_position_embeddings=2048,
    )  # fmt: skip
    model = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    return model.to(device).eval(), tokenizer


class LmEval:
    """lm-eval's Hugging Face backend on a model that is already there."""

    def __init__(self, model: Any, tokenizer: Any, answers: list[int]) -> None:
        from lm_eval.models.huggingface import HFLM

        length = model.config.max_position_embeddings
        self._harness = HFLM(pretrained=model, tokenizer=tokenizer, max_length=length, batch_size=1)
        self._answers = answers
        self.batch_size = 1

    def choose_batch_size(self, examples: list[Example]) -> None:
        """Keep the one that is fastest on a sample."""
        sample = examples[:: max(1, len(examples) // SAMPLE)]
        seconds = {}
        for self.batch_size in BATCH_SIZES:
            seconds[self.batch_size] = timed(lambda: self.score(sample))[1]
        self.batch_size = min(seconds, key=lambda size: seconds[size])

    def score(self, examples: list[Example]) -> Tensor:
        """Log-probabilities of the answers after each prompt, `(prompts, answers)`."""
        requests = [((str(i), str(a)), e["input_ids"], [a]) for i, e in enumerate(examples) for a in self._answers]
        found = self._harness._loglikelihood_tokens(requests, disable_tqdm=True, override_bs=self.batch_size)
        return torch.tensor([value for value, _ in found]).view(len(examples), len(self._answers))


if __name__ == "__main__":
    main()
