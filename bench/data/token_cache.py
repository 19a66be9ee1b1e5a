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
from bench.system.arrow_files import read_arrow, write_arrow
from bench.system.cache import cache_folder

ROWS_AT_A_TIME = 5000  # bounds the memory that Python's lists of tokens take
Columns = dict[str, list[Any]]


def cached(key: list[Any], build: Callable[[], pa.Table]) -> pa.Table:
    """Read the table that `key` names from the cache, mapped into memory; or build and keep it.

    A file that is damaged, or was made of something else, is made anew.

    Args:
        key: everything that decides the table's content, as plain data; the code of this folder is added.
        build: makes the table where there is none yet.

    Raises:
        UserError: the cache cannot be written.
    """
    text = json.dumps([key, CODE], sort_keys=True, default=str)
    name = hashlib.sha256(text.encode())
    file = cache_folder() / "tokens" / f"{name.hexdigest()[:32]}.tokens"
    if (kept := read_arrow(file, name.digest())) is not None:
        return kept
    table = build()
    try:
        write_arrow(table, name.digest(), file)
    except OSError as error:
        raise UserError(
            f"cannot keep tokenised data in {file.parent}: {error}; BENCH_CACHE=FOLDER names another"
        ) from error
    kept = read_arrow(file, name.digest())
    return table if kept is None else kept  # mapped, it takes no memory of its own


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


def _code() -> list[str]:
    """Versions of what turns text into tokens, our own code included: another template, another table."""
    digest = hashlib.sha256()
    package = Path(__file__).parents[1]
    code = ("data/*.py", "tasks/*.py", "models/tokenizer*.py")
    for file in sorted(path for pattern in code for path in package.glob(pattern)):
        digest.update(file.read_bytes())
    return [digest.hexdigest(), transformers.__version__, tokenizers.__version__]


CODE = _code()
