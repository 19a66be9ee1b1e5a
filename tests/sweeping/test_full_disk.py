"""A disk that is full, played by a limit on the size of files: clear words, and no damaged record."""

import resource
import subprocess
import sys

import pytest

from bench.records.schema import Status
from bench.records.store import read_record
from bench.running.runner import run_cell
from tests.cells import SHORT

SETTINGS = ("method=bitfit", *SHORT, "checkpoint_seconds=0")


@pytest.fixture
def bench_run(compose, tmp_path):
    """`bench run` by a process whose files may have so many bytes; the data are in the cache already."""
    run_cell(compose(*SETTINGS, f"results_dir={tmp_path / 'before'}"))

    def call(size):
        return subprocess.run(
            [sys.executable, "-m", "bench", "run", f"results_dir={tmp_path / 'results'}", *SETTINGS],
            capture_output=True, text=True, check=False,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size)),
        )  # fmt: skip

    return call


def test_what_was_trained_does_not_fit(bench_run, tmp_path):
    result = bench_run(60_000)
    assert result.returncode == 1
    assert "Traceback" not in result.stderr
    assert "cannot write" in result.stderr
    (path,) = (tmp_path / "results").rglob("record.json")
    record = read_record(path)
    assert record.status == Status.failed
    assert "trained/state.safetensors" in record.error.message
    assert "File too large" in record.error.message
    assert len(record.metrics.losses) == 3, "checkpoints that cannot be written do not stop the training"
    assert "no checkpoint after step 1" in record.environment["checkpoint_notes"][0]
    assert not list((tmp_path / "results").rglob("*.safetensors*"))


def test_not_even_the_record_fits(bench_run, tmp_path):
    result = bench_run(2_000)
    assert result.returncode == 2
    lines = result.stderr.strip().splitlines()
    assert lines[-1].startswith("bench: cannot write the record")
    assert lines[-1].endswith("File too large")
    assert not list((tmp_path / "results").rglob("record.json*"))
