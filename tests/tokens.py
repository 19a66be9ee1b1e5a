"""Tokenizers made on the spot, as files in a model's folder."""

import json
from pathlib import Path

from tokenizers import Regex, Tokenizer, models, pre_tokenizers, processors
from transformers import PreTrainedTokenizerBase

from bench.configuration.schema import Family, ModelConfig
from bench.models.tokenizer import load_tokenizer
from tests.tiny import tiny_config

SPECIAL = ("<pad>", "<s>", "</s>", "<unk>")  # the ids of `tiny_config`
NAMES = {"pad_token": "<pad>", "bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}
LETTERS = tuple("\n :.?ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")
ANY_CHARACTER = r"[\s\S]"


def write_tokenizer(
    folder: Path,
    words: tuple[str, ...] = LETTERS,
    *,
    pattern: str | None = ANY_CHARACTER,
    single: str = "<s> $A",
    pair: str = "<s> $A </s> $B:1 </s>:1",
    without: tuple[str, ...] = (),
    **config: object,
) -> Path:
    """A vocabulary of `words`, cut where `pattern` says (None: at spaces), with its templates and configuration."""
    folder.mkdir(parents=True, exist_ok=True)
    ids = {token: index for index, token in enumerate([*SPECIAL, *words])}
    tokenizer = Tokenizer(models.WordLevel(ids, unk_token="<unk>"))
    split = pre_tokenizers.WhitespaceSplit() if pattern is None else pre_tokenizers.Split(Regex(pattern), "isolated")
    tokenizer.pre_tokenizer = split
    tokenizer.post_processor = processors.TemplateProcessing(
        single=single, pair=pair, special_tokens=[(token, ids[token]) for token in SPECIAL]
    )
    tokenizer.save(str(folder / "tokenizer.json"))
    told = {"tokenizer_class": "PreTrainedTokenizerFast", **NAMES, **config}
    (folder / "tokenizer_config.json").write_text(json.dumps({k: v for k, v in told.items() if k not in without}))
    return folder


def model_folder(folder: Path, family: str = "decoder", **changes: object) -> Path:
    """A folder with a model's configuration, as far as a tokenizer looks at it."""
    tiny_config(family, **changes).save_pretrained(folder)
    return folder


def tokenizer_in(folder: Path, family: str = "decoder") -> PreTrainedTokenizerBase:
    """What the harness loads from there."""
    return load_tokenizer(ModelConfig("mine", "tiny", Family(family), path=str(folder)))


def made(folder: Path, family: str = "decoder", **told: object) -> PreTrainedTokenizerBase:
    """Write it, and load it."""
    write_tokenizer(model_folder(folder, family), **told)  # type: ignore[arg-type]
    return tokenizer_in(folder, family)
