"""Alpaca's instructions as a training set.

Taori et al. 2023, https://github.com/tatsu-lab/stanford_alpaca; the prompt is that repository's. The loss is taken on
the response only, as in QLoRA's authors' code.
"""

import pyarrow as pa
from transformers import PreTrainedTokenizerBase

from bench.configuration.schema import DataConfig, Family
from bench.data.example import IGNORED
from bench.data.published import ALPACA
from bench.data.source import locate
from bench.data.token_cache import Columns, cached, encode, tokenizer_fingerprint
from bench.models.tokenizer import end_token, prompt_tokens

PROMPT = (
    "Below is an instruction that describes a task. Write a response that appropriately completes the request.\n\n"
    "### Instruction:\n{instruction}\n\n### Response:"
)
PROMPT_WITH_INPUT = (
    "Below is an instruction that describes a task, paired with an input that provides further context. "
    "Write a response that appropriately completes the request.\n\n"
    "### Instruction:\n{instruction}\n\n### Input:\n{input}\n\n### Response:"
)
LEFT_OUT = b"rows_left_out"
COLUMNS = pa.schema([("input_ids", pa.list_(pa.int32())), ("labels", pa.list_(pa.int32()))])


def alpaca_table(
    tokenizer: PreTrainedTokenizerBase,
    max_length: int,
    data: DataConfig,
    split: str,
    *,
    miniature: bool,
    family: Family = Family.decoder,
) -> tuple[pa.Table, str]:
    """Read and tokenise Alpaca's training rows.

    A row whose prompt alone fills `max_length` has nothing to learn from and is left out; `rows_left_out` counts them.

    Returns:
        `input_ids` and `labels` of each example, and the fingerprint of the rows. A decoder's input is prompt and
        response, its labels are `IGNORED` on the prompt; an encoder-decoder reads the one and writes the other.

    Raises:
        UserError: the tokenizer has no end token, which every response ends in.
    """
    located, end = locate(ALPACA, split, data, miniature), end_token(tokenizer)

    def tokenise(rows: Columns) -> Columns:
        prompts = [
            (PROMPT_WITH_INPUT if source else PROMPT).format(instruction=instruction, input=source)
            for instruction, source in zip(rows["instruction"], rows["input"], strict=True)
        ]
        prompt_ids = prompt_tokens(tokenizer, prompts)
        response_ids = tokenizer(rows["output"], add_special_tokens=False)["input_ids"]
        columns: Columns = {"input_ids": [], "labels": []}
        for prompt, response in zip(prompt_ids, response_ids, strict=True):
            if len(prompt) < max_length and family == Family.encoder_decoder:
                columns["input_ids"].append([*prompt, end])
                columns["labels"].append([*response[: max_length - 1], end])
            elif len(prompt) < max_length:
                tokens = [*prompt, *response, end][:max_length]
                columns["input_ids"].append(tokens)
                columns["labels"].append([IGNORED] * len(prompt) + tokens[len(prompt) :])
        return columns

    def build() -> pa.Table:
        rows = located.rows().slice(0, data.limit_train)
        table = encode(rows, tokenise, COLUMNS)
        return table.replace_schema_metadata({LEFT_OUT: str(len(rows) - len(table))})

    key = ["alpaca", family, located.key, tokenizer_fingerprint(tokenizer), max_length, data.limit_train]
    return cached(key, build), located.fingerprint


def rows_left_out(table: pa.Table) -> int:
    """How many rows `alpaca_table` left out of `table`."""
    return int(table.schema.metadata[LEFT_OUT])
