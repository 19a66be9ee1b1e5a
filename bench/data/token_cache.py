"""Tokenised data, kept on disk under a name made of all that they depend on, and shared by cells and processes."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import tokenizers
import transformers
from transformers import PreTrainedTokenizerBase

from bench.errors import UserError
from bench.identity.sources import source_of
from bench.models.tokenizer import PROBES
from bench.system.cache import cache_folder, write_once

ROWS_AT_A_TIME = 5000  # bounds the memory that Python's lists of tokens take
Columns = dict[str, list[Any]]


def cached(key: list[Any], build: Callable[[], pa.Table]) -> pa.Table:
    """Read the table that `key` names from the cache, mapped into memory; or build and keep it.

    Args:
        key: everything that decides the table's content, as plain data; the code of this folder is added.
        build: makes the table where there is none yet.
    """
    text = json.dumps([key, CODE], sort_keys=True, default=str)
    file = cache_folder() / "tokens" / f"{hashlib.sha256(text.encode()).hexdigest()[:32]}.arrow"
    if file.exists():
        try:
            return _read(file)
        except pa.ArrowInvalid:
            file.unlink(missing_ok=True)  # damaged; made anew
    table = build()
    try:
        write_once(file, lambda path: _write(table, path))
    except OSError as error:
        raise UserError(
            f"cannot keep tokenised data in {file.parent}: {error}; BENCH_CACHE=FOLDER names another"
        ) from error
    return _read(file)


def encode(rows: pa.Table, encoder: Callable[[Columns], Columns], schema: pa.Schema) -> pa.Table:
    """Apply `encoder` to a table, some rows at a time.

    Args:
        rows: the text.
        encoder: from columns of a few rows to columns of tokens; may return fewer rows.
        schema: of the result.
    """
    batches = rows.to_batches(max_chunksize=ROWS_AT_A_TIME)
    return pa.Table.from_batches(
        [pa.RecordBatch.from_pydict(encoder(batch.to_pydict()), schema=schema) for batch in batches], schema=schema
    )


def tokenizer_fingerprint(tokenizer: PreTrainedTokenizerBase) -> str:
    """A hash of everything that decides what `tokenizer` makes of text, whatever it was used for before.

    Its vocabulary and rules, its special and added tokens, its templates, from which end it cuts, which inputs it gives
    (segments or none); and what all of them make of a few texts, for a class that has rules in code.
    """
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is not None:
        state = json.loads(backend.to_str())
        state.pop("truncation", None)  # the last call's
        state.pop("padding", None)
    else:
        state = sorted(tokenizer.get_vocab().items())
    described = [
        [f"{kind.__module__}.{kind.__qualname__}" for kind in type(tokenizer).__mro__],
        state,
        str(tokenizer.special_tokens_map),
        sorted(tokenizer.get_added_vocab().items()),
        tokenizer.truncation_side,
        list(tokenizer.model_input_names),
        [tokenizer(text).data for text in PROBES],
        tokenizer(*PROBES[:2]).data,
    ]
    return hashlib.sha256(json.dumps(described, sort_keys=True).encode()).hexdigest()[:16]


def from_outside(task: object) -> list[Any]:
    """What a task's class from outside the package adds to a key: its settings, and the code behind it."""
    package = __name__.partition(".")[0]
    kinds = [kind for kind in type(task).__mro__ if kind.__module__.partition(".")[0] not in (package, "builtins")]
    named = [f"{kind.__module__}.{kind.__qualname__}" for kind in kinds]
    code = [(source_of(name) or {}).get("digest") for name in named]
    return [named, code, vars(task)] if kinds else []


def _read(file: Path) -> pa.Table:
    with pa.memory_map(str(file)) as source:
        return pa.ipc.open_file(source).read_all()


def _write(table: pa.Table, path: Path) -> None:
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)


def _code() -> list[str]:
    """Versions of what turns text into tokens, our own code included: another template, another table."""
    digest = hashlib.sha256()
    package = Path(__file__).parents[1]
    code = ("data/*.py", "tasks/*.py", "models/tokenizer*.py")
    for file in sorted(path for pattern in code for path in package.glob(pattern)):
        digest.update(file.read_bytes())
    return [digest.hexdigest(), transformers.__version__, tokenizers.__version__]


CODE = _code()
