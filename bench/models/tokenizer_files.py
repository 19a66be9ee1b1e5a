"""The files of a tokenizer in a local folder: are they there, and are they what their names say?"""

import json
from pathlib import Path

from transformers import PreTrainedTokenizerBase

from bench.errors import UserError
from bench.system.git_lfs import is_pointer

FILE = "tokenizer.json"
# What holds a vocabulary where there is no such file; of older kinds, which transformers converts.
VOCABULARIES = (
    "vocab.json", "vocab.txt", "tokenizer.model", "spiece.model", "sentencepiece.bpe.model", "spm.model",
    "tiktoken.model", "tekken.json",
)  # fmt: skip
FILES = (
    FILE, *VOCABULARIES, "merges.txt", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json",
)  # fmt: skip


def check_files(folder: str) -> None:
    """Refuse a tokenizer's files that cannot be what their names say.

    Raises:
        UserError: one is a pointer of git-LFS, empty, or no JSON.
    """
    for name in FILES:
        file = Path(folder) / name
        if not file.is_file():
            continue
        if is_pointer(file):
            raise UserError(f"{file} is a pointer of git-LFS, the file itself was not fetched: `git lfs pull` there")
        content = file.read_bytes()
        if not content.strip():
            raise UserError(f"{file} is empty; copy the tokenizer's files once more")
        if file.suffix == ".json":
            try:
                told = json.loads(content)
            except ValueError as error:
                raise UserError(f"{file} is no JSON: {error}; copy the tokenizer's files once more") from error
            if not isinstance(told, dict):
                raise UserError(f"{file} holds no mapping; copy the tokenizer's files once more")


def has_vocabulary(folder: str) -> bool:
    """Whether a folder holds any file that a tokenizer's words may be in."""
    return any((Path(folder) / name).is_file() for name in (*VOCABULARIES, FILE))


def check_vocabulary_files(folder: str, tokenizer: PreTrainedTokenizerBase) -> None:
    """Refuse a tokenizer whose class reads its vocabulary from files that the folder does not have.

    Raises:
        UserError: the names of the files that are missing.
    """
    there = {path.name for path in Path(folder).iterdir()}
    if FILE in there:
        return
    wanted = {kind: name for kind, name in tokenizer.vocab_files_names.items() if name != FILE}
    pair = [wanted[kind] for kind in ("vocab_file", "merges_file") if kind in wanted]
    if len(pair) == 2:  # byte pairs: one without the other cuts into letters
        missing = [name for name in pair if name not in there]
    else:
        missing = [] if {*wanted.values(), *VOCABULARIES} & there else [*wanted.values()]
    if missing:
        raise UserError(
            f"{folder} has no tokenizer: {FILE} is missing, and so is {', '.join(missing)}; copy the model's tokenizer "
            "beside the weights"
        )
