"""Choose among answers with a decoder: the likeliest continuation of a prompt.

Where the answers differ in one token, the most likely next token decides, as in the authors' code for MMLU. Where they
do not, the likelihood of each whole continuation does.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from bench.data.example import Example
from bench.evaluation.answers import Answers
from bench.evaluation.batching import in_batches
from bench.evaluation.inference import Inference
from bench.evaluation.shared_prefix import go_on, obstacle, prompt_groups, run_prefix


def choose(model: nn.Module, examples: Sequence[Example], run: Inference, answers: Answers) -> list[int]:
    """For each prompt, in their order, the index of the answer that is most likely to follow.

    How the prompts were run, and why if their beginnings were not shared, is noted in `run.notes`; so is that answers
    were compared by more than a token.

    Args:
        model: a decoder, possibly wrapped by a method.
        examples: the prompts; those of one `group` begin alike.
        run: padding, the limits of a batch, and the notes.
        answers: what follows a prompt for each, see `answers_after`.
    """
    why_not = obstacle(model)
    run.notes["prompts"] = "prefix shared" if why_not is None else f"run whole: {why_not}"
    if not answers.differ_in_one_token:
        run.notes["answers"] = "compared by the likelihood of the whole continuation"
    scores = whole_prompts(model, examples, run, answers) if why_not else shared_prompts(model, examples, run, answers)
    return [int(choice) for choice in scores.argmax(dim=1).tolist()]


@torch.inference_mode()
def shared_prompts(model: nn.Module, examples: Sequence[Example], run: Inference, answers: Answers) -> Tensor:
    """Run what the prompts of a group have in common once, and their ends in batches.

    The tokens of a batch are counted with the prefix, which attention puts in front of each row.

    Returns:
        Scores of the answers after each prompt, `(prompts, answers)`, fp32 on the CPU: logits of the next token where
        the answers differ in one, else log-probabilities of the continuations.
    """
    model.eval()
    prompts = [answers.after(example["input_ids"]) for example in examples]
    scores = torch.empty(len(prompts), len(answers.rest))
    for group in prompt_groups(prompts, [example["group"] for example in examples]):
        if not group.prefix:
            alone = [examples[index] for index in group.members]
            scores[group.members] = whole_prompts(model, alone, run, answers)
            continue
        length = len(group.prefix)
        with last_positions_only(model, torch.tensor([length - 1]), length):
            prefix = run_prefix(model, group.prefix)
        rows = _rows([prompts[index][length:] for index in group.members], answers)
        batches = in_batches(model, rows.examples, run.padding, run.batch_size, tokens=run.tokens, extra=length)
        for places, batch in batches:
            with last_positions_only(model, _last(batch), batch["input_ids"].shape[1], rows.scored):
                rows.take(places, go_on(model, prefix, batch))
        scores[group.members] = rows.scores()
    return scores


@torch.inference_mode()
def whole_prompts(model: nn.Module, examples: Sequence[Example], run: Inference, answers: Answers) -> Tensor:
    """The same scores with every prompt run from its beginning."""
    rows = _rows([answers.after(example["input_ids"]) for example in examples], answers)
    for places, batch in in_batches(model, rows.examples, run.padding, run.batch_size, tokens=run.tokens):
        with last_positions_only(model, _last(batch), batch["input_ids"].shape[1], rows.scored):
            rows.take(places, model(**batch).logits)
    return rows.scores()


class NextToken:
    """A row for each prompt, scored by the logits of the token that comes next."""

    scored = 1

    def __init__(self, prompts: list[list[int]], answers: Answers) -> None:
        self.examples: list[Example] = [{"input_ids": prompt} for prompt in prompts]
        self._tokens = [token for [token] in answers.rest]
        self._scores = torch.empty(len(prompts), len(self._tokens))

    def take(self, places: list[int], logits: Tensor) -> None:
        """Keep the scores of some rows from `logits`, `(rows, 1, vocabulary)`."""
        self._scores[places] = logits[:, 0, self._tokens].float().cpu()

    def scores(self) -> Tensor:
        """Of all, `(prompts, answers)`."""
        return self._scores


class Continuations:
    """A row for each prompt and answer, scored by the log-probability of the answer's tokens."""

    def __init__(self, prompts: list[list[int]], answers: Answers) -> None:
        self.examples: list[Example] = [
            {"input_ids": [*prompt, *rest[:-1]]} for prompt in prompts for rest in answers.rest
        ]
        self.scored = max(len(rest) for rest in answers.rest)
        self._rest = answers.rest
        self._scores = torch.empty(len(self.examples))

    def take(self, places: list[int], logits: Tensor) -> None:
        """Keep the scores of some rows from `logits`, `(rows, scored, vocabulary)`, which end where the rows do."""
        likely = logits.float().log_softmax(dim=-1)
        for row, place in enumerate(places):
            rest = torch.tensor(self._rest[place % len(self._rest)], device=likely.device)
            own = likely[row, -len(rest) :]
            self._scores[place] = own.gather(1, rest.unsqueeze(1)).sum().cpu()

    def scores(self) -> Tensor:
        """Of all, `(prompts, answers)`."""
        return self._scores.view(-1, len(self._rest))


def _rows(prompts: list[list[int]], answers: Answers) -> NextToken | Continuations:
    return NextToken(prompts, answers) if answers.differ_in_one_token else Continuations(prompts, answers)


def _last(batch: dict[str, Tensor]) -> Tensor:
    return batch["attention_mask"].sum(dim=1) - 1


@contextmanager
def last_positions_only(model: nn.Module, last: Tensor, length: int, count: int = 1) -> Iterator[None]:
    """Within the block the language-model head sees only the last `count` real positions of each row.

    The vocabulary's logits at all positions would dwarf the rest of the memory. A hook on the head works for every
    method alike, also where virtual tokens make the hidden states longer than the input.

    Args:
        model: any decoder.
        last: index of each row's last real token, `(batch,)`.
        length: of the padded input.
        count: positions; a shorter row gives its first one several times.
    """

    def select(module: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        hidden = inputs[0]
        virtual = hidden.shape[1] - length
        rows = torch.arange(hidden.shape[0], device=hidden.device).unsqueeze(1)
        back = torch.arange(count - 1, -1, -1, device=hidden.device)
        places = (last.to(hidden.device).unsqueeze(1) - back).clamp(min=0)
        return (hidden[rows, places + virtual], *inputs[1:])

    head = model.get_output_embeddings()  # type: ignore[operator]
    handle = head.register_forward_pre_hook(select)
    try:
        yield
    finally:
        handle.remove()
