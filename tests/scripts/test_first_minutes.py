"""`scripts/first_minutes_on_a_gpu.sh` to its end on the CPU, and what its checks say of records that are wrong."""

import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from bench.records.schema import MemorySplit, PhaseMemory, Status
from bench.records.store import write_record
from scripts.check_first_minutes import main
from tests.tables.made_records import make_record

ROOT = Path(__file__).parents[2]
SPLIT = MemorySplit(1000, 100, 100, 200, 500, 100)


def made(losses=(1.0, 0.5), split=SPLIT, seconds=0.1, sharing=1, **options):
    record = make_record(split=split, train_peak=sum(vars(split).values()), **options)
    if record.metrics is not None:
        record.metrics.losses = [{"step": step, "loss": loss} for step, loss in enumerate(losses)]
    record.environment |= {"sharing": sharing, "shrunk": []}
    record.time.step_p50 = seconds
    return record


@pytest.fixture
def check(tmp_path, capsys):
    """Make a check of records, each in a results folder of its own; returns the exit code and the line."""

    def call(name, *records):
        folders = [tmp_path / str(number) for number in range(len(records))]
        for folder, record in zip(folders, records, strict=True):
            write_record(record, folder / "runs" / "cell")
        code = main([name, *map(str, folders)])
        return code, capsys.readouterr().out.strip()

    return call


def test_two_runs_of_a_cell_are_the_same(check):
    assert check("same", made(), made(seconds=0.11)) == (0, "the same losses and bytes; 1.10 times the time for a step")


@pytest.mark.parametrize(
    ("other", "said"),
    [
        (made(losses=(1.0, 0.6)), "losses of 0.5 and 0.6"),
        (made(losses=(1.0,)), "2 and 1 losses"),
        (made(split=replace(SPLIT, activations=501)), "activations: 500 and 501 bytes"),
        (made(seconds=0.2), "the second took 2.00 times the first's time for a step"),
        (made(status=Status.failed), "failed: it broke"),
    ],
    ids=["losses", "fewer", "bytes", "times", "failed"],
)
def test_two_runs_of_a_cell_are_not_the_same(check, other, said):
    assert check("same", made(), other) == (1, said)


def test_times_are_not_judged_where_cells_share_a_gpu(check):
    code, said = check("same", made(), made(seconds=0.2, sharing=2))
    assert code == 0
    assert said.endswith("2.00 times the time for a step (not judged: 2 cells shared it)")


def test_a_prediction_that_does_not_meet_the_peak(check):
    record = made()
    record.memory.train_peak_predicted = replace(SPLIT, activations=1000)
    assert check("prediction", record)[0] == 1
    record.memory.train_peak_predicted = replace(SPLIT, activations=540)
    assert check("prediction", record) == (0, "predicted 0.0 MB, measured 0.0 MB: +2.0%")


def test_a_cell_that_was_to_run_on_the_cpu_and_did_not(check):
    assert check("on_a_cpu", made()) == (1, "it ran on GPU")


def test_a_cell_that_began_anew_was_not_resumed(check):
    assert check("resumed", made(), made()) == (1, "it began anew")


def test_a_cell_whose_memory_sufficed_shows_nothing(check):
    assert check("shrunk", made()) == (1, "memory sufficed: nothing was shown")


def test_a_cell_on_one_process_is_none_on_two(check):
    record = made()
    record.memory.ranks = [{"train": PhaseMemory()}]
    assert check("on_two", record) == (1, "the record has 1 processes")


EXPECTED = ["ok", "skipped", "ok", "ok", "ok", "ok", "ok", "ok", "ok", "ok", "ok"]


@pytest.mark.slow
def test_on_the_cpu_every_step_but_the_gpu_s_tests_is_ok(tmp_path):
    environment = os.environ | {"OUT": str(tmp_path), "PYTHON": sys.executable, "CUDA_VISIBLE_DEVICES": ""}
    script = ROOT / "scripts" / "first_minutes_on_a_gpu.sh"
    result = subprocess.run([script], env=environment, capture_output=True, text=True, check=False)
    assert re.findall(r"^ ?\d+ .*?: (ok|FAILED|skipped)\b", result.stdout, re.MULTILINE) == EXPECTED, result.stdout
    assert "the tests marked gpu: skipped: no CUDA device" in result.stdout
    assert result.returncode == 0


def test_what_another_run_left_is_not_taken_for_this_one_s(tmp_path):
    (tmp_path / "run").mkdir()
    script = ROOT / "scripts" / "first_minutes_on_a_gpu.sh"
    result = subprocess.run(
        [script], env=os.environ | {"OUT": str(tmp_path)}, capture_output=True, text=True, check=False
    )
    assert (result.returncode, result.stdout) == (125, "")
    assert result.stderr == f"OUT={tmp_path} is not empty: what is there would be taken for this run's\n"


def test_a_step_that_fails_is_counted_and_ends_nothing(tmp_path):
    """With an interpreter that knows nothing, every step fails that is not skipped."""
    fake = tmp_path / "python"
    fake.write_text('#!/bin/sh\ncase "$1" in -c) echo 0 ;; *) echo "nothing works"; exit 1 ;; esac\n')
    fake.chmod(0o755)
    environment = os.environ | {"OUT": str(tmp_path / "out"), "PYTHON": str(fake)}
    script = ROOT / "scripts" / "first_minutes_on_a_gpu.sh"
    result = subprocess.run([script], env=environment, capture_output=True, text=True, check=False)
    verdicts = re.findall(r"^ ?\d+ .*?: (ok|FAILED|skipped)\b", result.stdout, re.MULTILINE)
    assert verdicts == [{"ok": "FAILED"}.get(verdict, verdict) for verdict in EXPECTED]
    assert result.returncode == 10
    assert "one NF4 cell by bench run: FAILED nothing works" in result.stdout
