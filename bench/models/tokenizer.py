"""Load a model's tokenizer, and cut text as the model was trained on it.

transformers makes up a tokenizer of special tokens alone where a folder has none, and for some model types it reads a
folder's vocabulary only and cuts text by rules of its own. Neither happens here in silence.
"""

import json
from collections.abc import Sequence
from typing import Any

import tokenizers
from transformers import (
    AutoTokenizer,
    PretrainedConfig,
    PreTrainedTokenizerBase,
    PreTrainedTokenizerFast,
)
from transformers.utils.hub import cached_file

from bench.configuration.schema import Family, ModelConfig
from bench.errors import UserError
from bench.models.load import from_hub
from bench.models.source import is_local, source_of
from bench.models.tokenizer_files import FILE, check_files, check_vocabulary_files, has_vocabulary

FEWEST = 3  # tokens beside the special ones; what transformers makes up has two at most
# Ordinary text: pieces of words, numbers, signs, lines. That one class puts a space in front and another does not is
# nothing that a prompt shows, so none begins with one.
PROBES = (
    "The following are multiple choice questions (with answers) about  art.\n\nWhat's 3 plus 1234?\nA. 1\nAnswer: A",
    "translate English to Romanian: He'd said: \"Don't!\" - twice; e.g. at www.example.org, 50% off (2nd try).",
    "Straße, naïve, Größe, școală, 今天天气很好, Привет\tw1 w2, FOO_bar x=y+z[0]",
)  # fmt: skip


def load_tokenizer(config: ModelConfig) -> PreTrainedTokenizerBase:
    """Load the tokenizer that lies beside the model's weights.

    Raises:
        UserError: there is none, or files of it are missing, damaged or pointers only.
    """
    source = source_of(config)
    local = is_local(config)
    if local:
        check_files(source)
    try:
        tokenizer = from_hub(config, AutoTokenizer)
    except UserError as error:
        if local and not has_vocabulary(source):
            raise UserError(
                f"{source} has no tokenizer; copy its files ({FILE} and others) beside the weights"
            ) from error
        raise
    except Exception as error:  # of whatever kind: each library has its own for a file that it does not understand
        raise UserError(f"cannot read the tokenizer of {source}: {_words(error)}; copy its files once more") from error
    if not isinstance(tokenizer, PreTrainedTokenizerBase):
        raise UserError(f"{source} has no tokenizer; copy its files ({FILE} and others) beside the weights")
    if local:
        check_vocabulary_files(source, tokenizer)
    if len(ordinary_tokens(tokenizer)) < FEWEST:
        raise UserError(
            f"{source} has no tokenizer: transformers made one of special tokens alone, which knows no word; copy the "
            f"model's tokenizer ({FILE} and others) beside the weights"
        )
    return _as_the_file_says(config, tokenizer, source)


def _as_the_file_says(config: ModelConfig, tokenizer: PreTrainedTokenizerBase, source: str) -> PreTrainedTokenizerBase:
    """The same tokenizer, or where its class cuts text otherwise than `tokenizer.json` does, that of the file.

    The class fills in what the file does not say: special tokens, and which inputs the model takes.
    """
    file = cached_file(
        source,
        FILE,
        revision=config.revision or "main",
        local_files_only=True,
        _raise_exceptions_for_missing_entries=False,
    )
    if file is None or type(tokenizer) is PreTrainedTokenizerFast:
        return tokenizer
    told = tokenizers.Tokenizer.from_file(str(file))
    told.no_truncation()
    told.no_padding()
    if [told.encode(text, add_special_tokens=False).ids for text in PROBES] == _cut(tokenizer):
        return tokenizer
    known = told.get_vocab()
    named = {
        name: token for name, token in tokenizer.special_tokens_map.items() if isinstance(token, str) and token in known
    }
    options: dict[str, Any] = {"model_input_names": list(tokenizer.model_input_names), **named}
    of_file = from_hub(config, PreTrainedTokenizerFast, **options)
    assert isinstance(of_file, PreTrainedTokenizerBase)
    return of_file


def ordinary_tokens(tokenizer: PreTrainedTokenizerBase) -> dict[str, int]:
    """Token → id of the vocabulary that text is cut into, without special tokens and those added later."""
    added = {*tokenizer.get_added_vocab(), *tokenizer.all_special_tokens}
    return {token: index for token, index in tokenizer.get_vocab().items() if token not in added}


def padding_token(
    tokenizer: PreTrainedTokenizerBase | None, architecture: PretrainedConfig, family: Family, rows: int
) -> int:
    """The token that batches are padded with: one that the model's embedding of `rows` rows has.

    It is masked, so any will do (LLaMA has none of its own); but RoBERTa counts positions by its own padding token.
    """
    own: list[int | None] = [getattr(architecture, "pad_token_id", None)]
    named: list[int | None] = []
    if tokenizer is not None:
        named = [tokenizer.pad_token_id, tokenizer.unk_token_id, tokenizer.eos_token_id]
    candidates = own + named if family == Family.encoder else named + own
    return next((token for token in candidates if token is not None and 0 <= token < rows), 0)


def end_token(tokenizer: PreTrainedTokenizerBase) -> int:
    """The token that ends what a model writes.

    Raises:
        UserError: the tokenizer has none; or marks texts by language (mBART, M2M-100, NLLB), which nobody tells.
    """
    if hasattr(type(tokenizer), "src_lang"):
        raise UserError(
            f"the tokenizer of {tokenizer.name_or_path} marks each text with its language, and no task says which; a "
            "model of this kind can be trained with a task head, answer=head, and not to write"
        )
    if not isinstance(tokenizer.eos_token_id, int):
        raise UserError(
            f"the tokenizer of {tokenizer.name_or_path} has no end token, and every text to be learned ends in one; "
            "say eos_token in its tokenizer_config.json"
        )
    return tokenizer.eos_token_id


def unknown_token(tokenizer: PreTrainedTokenizerBase) -> int | None:
    """The token of what the vocabulary does not have, whether or not the configuration names it; None for none."""
    if isinstance(tokenizer.unk_token_id, int):
        return tokenizer.unk_token_id
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None:
        return None
    if isinstance(backend.model, tokenizers.models.Unigram):  # it shows its own in no other way
        number = json.loads(backend.to_str())["model"].get("unk_id")
        return number if isinstance(number, int) else None
    name = getattr(backend.model, "unk_token", None)
    found = None if name is None else backend.token_to_id(name)
    return found if isinstance(found, int) else None


def prompt_tokens(tokenizer: PreTrainedTokenizerBase, texts: Sequence[str]) -> list[list[int]]:
    """The tokens of texts that something is to follow: what the tokenizer itself puts behind a text is left out."""
    rows: list[list[int]] = tokenizer(list(texts))["input_ids"] if texts else []
    behind = _behind(tokenizer)
    return [row[: len(row) - behind] for row in rows]


def _behind(tokenizer: PreTrainedTokenizerBase) -> int:
    """How many special tokens (`</s>`, `[SEP]`) the tokenizer puts behind a text."""
    text = PROBES[0]
    whole, bare = list(tokenizer(text)["input_ids"]), _bare(tokenizer, text)
    in_front = next((at for at in range(len(whole)) if whole[at : at + len(bare)] == bare), None)
    return 0 if in_front is None else len(whole) - in_front - len(bare)


def _cut(tokenizer: PreTrainedTokenizerBase) -> list[list[int]] | None:
    """The tokens of the probes; None where the tokenizer breaks over them."""
    try:
        return [_bare(tokenizer, text) for text in PROBES]
    except Exception:  # the library's own; rules of a class on a vocabulary that they do not fit
        return None


def _bare(tokenizer: PreTrainedTokenizerBase, text: str) -> list[int]:
    return list(tokenizer(text, add_special_tokens=False)["input_ids"])


def _words(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
