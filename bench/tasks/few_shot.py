"""MMLU's prompts: a header, solved examples, the question.

They are those of the authors' code (hendrycks/test, evaluate.py) and of QLoRA's, spaces included: each word of a
subject has one in front, so two stand before the first. Examples that would overflow the model's context are dropped
from the front.
"""

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import pyarrow as pa
from transformers import PreTrainedTokenizerBase

from bench.models.tokenizer import end_token, prompt_tokens

LETTERS = "ABCD"
END = "\nAnswer:"  # of every prompt
Row = Mapping[str, Any]

# `group` numbers the prompts that begin alike: those of one subject with equally many examples.
COLUMNS = pa.schema(
    [
        ("input_ids", pa.list_(pa.int32())),
        ("group", pa.int64()),
        ("subject", pa.string()),
        ("answer", pa.int64()),
        ("dropped", pa.int64()),
    ]
)


def prompt_table(
    tokenizer: PreTrainedTokenizerBase,
    questions: list[Row],
    solved: list[Row],
    shots: int,
    longest: int,
    *,
    goes_on: bool = True,
) -> pa.Table:
    """Tokenise each question with its subject's examples in front.

    Args:
        tokenizer: the model's.
        questions: rows in MMLU's schema.
        solved: the dev questions, any subject.
        shots: examples for each question; fewer where they overflow.
        longest: tokens that a prompt may have; a question longer than that keeps its end.
        goes_on: whether the answer follows the prompt; else the end token does, as an encoder reads a text.

    Returns:
        One row for each question, see `COLUMNS`.
    """
    examples: dict[str, list[Row]] = defaultdict(list)
    for row in solved:
        if len(examples[row["subject"]]) < shots:
            examples[row["subject"]].append(row)
    closing = [] if goes_on else [end_token(tokenizer)]
    longest -= len(closing)
    whole = prompt_tokens(tokenizer, [prompt(row, examples[row["subject"]]) for row in questions])
    groups: dict[tuple[str, int], int] = {}
    columns: dict[str, list[Any]] = {name: [] for name in COLUMNS.names}
    for row, first in zip(questions, whole, strict=True):
        subject = row["subject"]
        tokens, dropped = list(first), 0
        while len(tokens) > longest and dropped < len(examples[subject]):
            dropped += 1
            [tokens] = prompt_tokens(tokenizer, [prompt(row, examples[subject][dropped:])])
        columns["input_ids"].append([*tokens[-longest:], *closing])
        columns["group"].append(groups.setdefault((subject, dropped), len(groups)))
        columns["subject"].append(subject)
        columns["answer"].append(row["answer"])
        columns["dropped"].append(dropped)
    return pa.table(columns, schema=COLUMNS)


def prompt(row: Row, examples: list[Row]) -> str:
    """The text that the answer's letter follows."""
    subject = "".join(f" {word}" for word in row["subject"].split("_"))
    header = f"The following are multiple choice questions (with answers) about {subject}.\n\n"
    return header + "".join(f"{question(e)} {LETTERS[e['answer']]}\n\n" for e in examples) + question(row)


def question(row: Row) -> str:
    """Question, choices, "Answer:"."""
    choices = "".join(f"\n{letter}. {choice}" for letter, choice in zip(LETTERS, row["choices"], strict=True))
    return f"{row['question']}{choices}{END}"
