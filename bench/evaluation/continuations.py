"""Choose among texts of an example's own: the one that the model would most likely write, whole."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from bench.data.example import IGNORED, Example
from bench.evaluation.batching import in_batches
from bench.evaluation.inference import Inference
from bench.evaluation.label_words import encoder_once
from bench.evaluation.multiple_choice import last_positions_only


@dataclass(frozen=True)
class Option:
    """One text to choose. Attributes: example, whose it is; tokens; size, that its log-probability is divided by."""

    example: int
    tokens: list[int]
    size: float


def options_of(examples: Sequence[Example]) -> list[Option]:
    """The options of examples that keep them one behind the other.

    Args:
        examples: `options`, the tokens of all; `counts`, how many are each one's; `sizes`, what each is divided by.
    """
    found = []
    for index, example in enumerate(examples):
        begin = 0
        for count, size in zip(example["counts"], example["sizes"], strict=True):
            found.append(Option(index, example["options"][begin : begin + count], float(size)))
            begin += count
    return found


def likeliest_option(model: nn.Module, examples: Sequence[Example], run: Inference) -> list[int]:
    """For each example, in their order, the index of the option with the highest log-probability by its size.

    Args:
        model: a decoder or an encoder-decoder, possibly wrapped by a method.
        examples: prompts (inputs) with their options, see `options_of`.
        run: padding and the limits of a batch.
    """
    options = options_of(examples)
    best: dict[int, tuple[float, int]] = {}
    seen = [0] * len(examples)
    for option, value in zip(options, log_probabilities(model, examples, options, run), strict=True):
        place, seen[option.example] = seen[option.example], seen[option.example] + 1
        if option.example not in best or value / option.size > best[option.example][0]:
            best[option.example] = value / option.size, place
    return [best[index][1] for index in range(len(examples))]


@torch.inference_mode()
def log_probabilities(
    model: nn.Module, examples: Sequence[Example], options: Sequence[Option], run: Inference
) -> list[float]:
    """Of each option, whole: behind its prompt (a decoder), or as what is written to it (an encoder-decoder)."""
    score = _written if model.config.is_encoder_decoder else _continued  # type: ignore[union-attr]
    return score(model, examples, options, run)


def _continued(model: nn.Module, examples: Sequence[Example], options: Sequence[Option], run: Inference) -> list[float]:
    """Log-probabilities of the options behind their prompts."""
    rows = [{"input_ids": [*examples[one.example]["input_ids"], *one.tokens[:-1]]} for one in options]
    scores = [0.0] * len(options)
    for places, batch in in_batches(model, rows, run.padding, run.batch_size, tokens=run.tokens):
        last = batch["attention_mask"].sum(dim=1) - 1
        count = max(len(options[place].tokens) for place in places)
        with last_positions_only(model, last, batch["input_ids"].shape[1], count):
            likely = model(**batch).logits.float().log_softmax(dim=-1)
        for row, place in enumerate(places):
            tokens = torch.tensor(options[place].tokens, device=likely.device)
            scores[place] = _sum(likely[row, -len(tokens) :], tokens)
    return scores


def _written(model: nn.Module, examples: Sequence[Example], options: Sequence[Option], run: Inference) -> list[float]:
    """Log-probabilities of the options as what an encoder-decoder writes to its input; the encoder runs once."""
    own: dict[int, list[int]] = defaultdict(list)
    for place, option in enumerate(options):
        own[option.example].append(place)
    longest = max((len(one.tokens) for one in options), default=0)
    scores = [0.0] * len(options)
    rows = [{"input_ids": example["input_ids"]} for example in examples]
    for members, batch in in_batches(model, rows, run.padding, run.batch_size, tokens=run.tokens, extra=longest):
        with encoder_once(model):
            for turn in range(max(len(own[member]) for member in members)):
                places = [own[member][min(turn, len(own[member]) - 1)] for member in members]
                written = [options[place].tokens for place in places]
                length = max(map(len, written))
                device = batch["input_ids"].device
                labels = torch.tensor([row + [IGNORED] * (length - len(row)) for row in written], device=device)
                likely = model(**batch, labels=labels).logits.float().log_softmax(dim=-1)
                for row, (place, tokens) in enumerate(zip(places, written, strict=True)):
                    scores[place] = _sum(likely[row, : len(tokens)], torch.tensor(tokens, device=device))
    return scores


def _sum(likely: Tensor, tokens: Tensor) -> float:
    """Of the tokens' log-probabilities, from `(tokens, vocabulary)`."""
    return float(likely.gather(1, tokens.unsqueeze(1)).sum())
