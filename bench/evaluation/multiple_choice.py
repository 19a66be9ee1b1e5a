"""Choose among answers with a decoder: the most likely of a few next tokens."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from transformers import PreTrainedTokenizerBase

from bench.data.example import Example
from bench.errors import UserError
from bench.evaluation.batching import in_batches
from bench.evaluation.inference import Inference
from bench.evaluation.shared_prefix import go_on, obstacle, prompt_groups, run_prefix


def choose(model: nn.Module, examples: Sequence[Example], run: Inference, answers: list[int]) -> list[int]:
    """For each prompt, in their order, the index of the answer whose token is most likely to follow.

    How the prompts were run, and why if their beginnings were not shared, is noted in `run.notes`.

    Args:
        model: a decoder, possibly wrapped by a method.
        examples: the prompts; those of one `group` begin alike.
        run: padding, the limits of a batch, and the notes.
        answers: the token of each answer, see `letter_tokens`.
    """
    why_not = obstacle(model)
    run.notes["prompts"] = "prefix shared" if why_not is None else f"run whole: {why_not}"
    scores = whole_prompts(model, examples, run, answers) if why_not else shared_prompts(model, examples, run, answers)
    return [int(choice) for choice in scores.argmax(dim=1).tolist()]


@torch.inference_mode()
def shared_prompts(model: nn.Module, examples: Sequence[Example], run: Inference, answers: list[int]) -> Tensor:
    """Run what the prompts of a group have in common once, and their ends in batches.

    The tokens of a batch are counted with the prefix, which attention puts in front of each row.

    Returns:
        Logits of the answers' tokens after each prompt, `(prompts, answers)`, fp32 on the CPU.
    """
    model.eval()
    prompts = [example["input_ids"] for example in examples]
    scores = torch.empty(len(prompts), len(answers))
    for group in prompt_groups(prompts, [example["group"] for example in examples]):
        if not group.prefix:
            alone = [examples[index] for index in group.members]
            scores[group.members] = whole_prompts(model, alone, run, answers)
            continue
        length = len(group.prefix)
        with last_position_only(model, torch.tensor([length - 1]), length):
            prefix = run_prefix(model, group.prefix)
        ends = [{"input_ids": prompts[index][length:]} for index in group.members]
        for places, batch in in_batches(model, ends, run.padding, run.batch_size, tokens=run.tokens, extra=length):
            with last_position_only(model, _last(batch), batch["input_ids"].shape[1]):
                logits = go_on(model, prefix, batch)[:, 0, answers]
            scores[[group.members[place] for place in places]] = logits.float().cpu()
    return scores


@torch.inference_mode()
def whole_prompts(model: nn.Module, examples: Sequence[Example], run: Inference, answers: list[int]) -> Tensor:
    """The same scores with every prompt run from its beginning."""
    scores = torch.empty(len(examples), len(answers))
    plain = [{"input_ids": example["input_ids"]} for example in examples]
    for indices, batch in in_batches(model, plain, run.padding, run.batch_size, tokens=run.tokens):
        with last_position_only(model, _last(batch), batch["input_ids"].shape[1]):
            scores[indices] = model(**batch).logits[:, 0, answers].float().cpu()
    return scores


def _last(batch: dict[str, Tensor]) -> Tensor:
    return batch["attention_mask"].sum(dim=1) - 1


@contextmanager
def last_position_only(model: nn.Module, last: Tensor, length: int) -> Iterator[None]:
    """Within the block the language-model head sees only the last real position of each row.

    The vocabulary's logits at all positions would dwarf the rest of the memory. A hook on the head works for every
    method alike, also where virtual tokens make the hidden states longer than the input.

    Args:
        model: any decoder.
        last: index of each row's last real token, `(batch,)`.
        length: of the padded input.
    """

    def select(module: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        hidden = inputs[0]
        virtual = hidden.shape[1] - length
        rows = torch.arange(hidden.shape[0], device=hidden.device)
        return (hidden[rows, last.to(hidden.device) + virtual].unsqueeze(1), *inputs[1:])

    head = model.get_output_embeddings()  # type: ignore[operator]
    handle = head.register_forward_pre_hook(select)
    try:
        yield
    finally:
        handle.remove()


def letter_tokens(tokenizer: PreTrainedTokenizerBase, letters: str) -> list[int]:
    """The token of each letter as it follows a space, which is how it follows "Answer:".

    Raises:
        UserError: the tokenizer has no token of its own for one of them.
    """
    tokens = [tokenizer(f" {letter}", add_special_tokens=False)["input_ids"][-1] for letter in letters]
    if len(set(tokens)) < len(tokens) or tokenizer.unk_token_id in tokens:
        raise UserError(f"the tokenizer cannot tell the answers {', '.join(letters)} apart")
    return tokens
