"""Small mirrors written by the tests, a tokenizer made on the spot, and the real data where there are any."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet
import pytest
from transformers import PreTrainedTokenizerBase

from bench.configuration.schema import DataConfig, Family, ModelConfig
from bench.models.tokenizer import load_tokenizer

REAL = Path(os.environ.get("BENCH_TEST_DATA", Path(__file__).parents[2] / "shared" / "data"))


@pytest.fixture
def real_data() -> Path:
    """The mirror of real data; its own README says what it holds."""
    if not (REAL / "nyu-mll" / "glue").is_dir():
        pytest.skip("no real data: neither BENCH_TEST_DATA nor ../shared/data is there")
    return REAL


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Every test caches for itself."""
    monkeypatch.setenv("BENCH_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture(scope="session")
def tokenizer() -> PreTrainedTokenizerBase:
    """The shipped encoder's."""
    return load_tokenizer(ModelConfig("miniature/roberta", "tiny", Family.encoder, shipped="roberta"))


@pytest.fixture(scope="session")
def decoder_tokenizer() -> PreTrainedTokenizerBase:
    """The shipped decoder's."""
    return load_tokenizer(ModelConfig("miniature/llama", "tiny", Family.decoder, shipped="llama"))


@pytest.fixture
def mirror(tmp_path: Path) -> Callable[..., DataConfig]:
    """Write rows as one split of a mirror, in parquet or JSON lines."""

    def write(where: str, split: str, rows: list[dict[str, Any]], kind: str = "parquet") -> DataConfig:
        folder = tmp_path / "mirror" / where
        folder.mkdir(parents=True, exist_ok=True)
        if kind == "parquet":
            pa.parquet.write_table(pa.Table.from_pylist(rows), folder / f"{split}-00000-of-00001.parquet")
        else:
            (folder / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        return DataConfig(root=str(tmp_path / "mirror"), any_size=True)

    return write
