"""Ten thousand finished cells: a sweep and a status look at all of them in seconds."""

import json
import resource
import subprocess
import sys
from dataclasses import asdict

import pytest

from bench.configuration.compose import Configurations
from bench.identity.fingerprints import fingerprints_of
from bench.miniature.mirror import generator_fingerprint
from bench.records.schema import CellIdentity, Metrics, Record, Status
from bench.records.store import FILE
from bench.sweeping.selection import select_cells

GRID = """
name: many
grid:
  - model: miniature/roberta
    task: [miniature/sst2, miniature/cola]
    method: [lora, ia3]
    seed: [{seeds}]
    training.learning_rate: [{rates}]
"""
SECONDS = 10  # of processor time, about twice what an idle machine needs: a busy one shares its cores and caches


def seconds_of(*arguments):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    result = subprocess.run([sys.executable, "-m", "bench", *arguments], capture_output=True, text=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, result


@pytest.mark.parametrize("count", [400, pytest.param(10_000, marks=pytest.mark.slow)])
def test_thousands_of_finished_cells_are_looked_at_in_seconds(tmp_path, count):
    (tmp_path / "experiment").mkdir()
    seeds, rates = range(count // 200), (f"{step}e-5" for step in range(1, 51))
    text = GRID.format(seeds=", ".join(map(str, seeds)), rates=", ".join(rates))
    (tmp_path / "experiment" / "many.yaml").write_text(text)
    arguments = ["experiment=many", f"results_dir={tmp_path / 'results'}"]
    with Configurations(str(tmp_path)) as configurations:
        cells = select_cells(arguments, configurations.compose, configurations.folders)
    assert len(cells) == count
    curve = [{"step": step, "loss": 0.5} for step in range(20)]
    made = fingerprints_of(next(iter(cells.values()))[1].config)
    split = {"digest": "0" * 32, "files": ["train.parquet"], "generator": generator_fingerprint()}
    made |= {"data": {f"nyu-mll/glue/sst2/{name}": split for name in ("train", "validation")}}
    for folder, (_, cell) in cells.items():
        metrics = Metrics("accuracy", {"accuracy": 0.5}, losses=curve)
        record = Record(CellIdentity.of(cell), Status.done, {"host": "here"}, metrics=metrics, fingerprints=made)
        folder.mkdir(parents=True)
        # As the store does, without waiting for the disk.
        (folder / FILE).write_text(json.dumps(asdict(record), indent=1))

    seconds, swept = seconds_of("sweep", "--config-dir", str(tmp_path), *arguments)
    assert f"{count} cells, {count} done already, 0 to run" in swept.stderr
    assert seconds < SECONDS

    seconds, looked = seconds_of("status", "--config-dir", str(tmp_path), *arguments)
    assert looked.stdout == f"many: {count} cells, {count} done\n"
    assert seconds < SECONDS
