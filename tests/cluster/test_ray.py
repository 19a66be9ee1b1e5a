"""`hydra/launcher=ray` on a running cluster of one node, and on one of its own."""

import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cells import SHORT
from tests.cluster.one_node_slurm import free_port
from tests.cluster.sweeps import LONG, STEPS, finish, outcome_of_wrecks, records, search, start, until
from tests.wrecks import write_wrecks

pytestmark = pytest.mark.cluster
RAY = "hydra/launcher=ray"
# A token of the tests' own; Ray would otherwise look for one, or put one, in the user's home.
ENVIRONMENT = os.environ | {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}


@pytest.fixture
def head() -> Iterator[str]:
    """The address of a running Ray with two CPUs and one GPU, which it only counts."""
    pytest.importorskip("ray", reason="the extra `ray` is not installed")
    folder, port = tempfile.mkdtemp(prefix="ray"), free_port()  # its sockets' names have to be short
    command = [str(Path(sys.executable).with_name("ray")), "start", "--head", "--block", f"--port={port}",
               "--num-cpus=2", "--num-gpus=1", f"--temp-dir={folder}",
               "--include-dashboard=false", "--disable-usage-stats", "--object-store-memory=80000000"]  # fmt: skip
    environment = ENVIRONMENT | {"PYTHONPATH": os.pathsep.join(sys.path)}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        assert process.stdout is not None
        said = []
        for line in process.stdout:
            said.append(line)
            if "Ray runtime started" in line:
                break
        else:
            pytest.fail("".join(said))
        yield f"127.0.0.1:{port}"
    finally:
        process.terminate()
        process.communicate(timeout=30)
        shutil.rmtree(folder, ignore_errors=True)


def test_a_running_cluster_shares_a_gpu_and_every_cell_ends_in_a_record(head, tmp_path):
    mine = write_wrecks(tmp_path / "mine")
    settings = (f"hydra.launcher.address={head}", "hydra.launcher.gpus=0.5", "hydra.launcher.retries=1")
    # device=cpu: the cluster only counts its GPU, and device=auto refuses a GPU that was given and cannot be used
    wrecks = ("--config-dir", str(mine), "method=wreck", "method.how=exit,raise,none", "device=cpu")
    code, errors = finish(start(tmp_path, ENVIRONMENT, RAY, *wrecks, *settings, *SHORT))
    assert code == 1, errors
    found = outcome_of_wrecks(tmp_path)
    assert found["none"].environment["sharing"] == 2, "the record says that its times are disturbed"
    exits = tmp_path / "results" / "runs" / found["exit"].cell.id
    assert (exits / "claim-2.json").exists(), "it was tried once more"

    code, errors = finish(start(tmp_path, ENVIRONMENT, RAY, settings[0], "seed=7", "hydra.launcher.gpus=2", *SHORT))
    assert code == 2
    assert errors.splitlines()[-1] == "bench: a cell asks for 2 GPU, the Ray cluster has 1"


def test_a_cell_whose_process_dies_goes_on_from_its_checkpoint(tmp_path):
    pytest.importorskip("ray", reason="the extra `ray` is not installed")
    sweep = start(tmp_path, ENVIRONMENT, RAY, *STEPS)
    until(lambda: bool(list(tmp_path.rglob("checkpoint/step-*.json"))), sweep)
    (claim,) = tmp_path.rglob("claim-1.json")
    os.kill(json.loads(claim.read_text())["pid"], signal.SIGKILL)
    code, errors = finish(sweep)
    assert code == 0, errors
    (record,) = records(tmp_path)
    assert record.status == "done"
    assert [attempt["step"] > 0 for attempt in record.environment["resumed"]] == [True]
    assert record.time.steps == 400
    assert not list(tmp_path.rglob("attempt-*.json")), "it ended once"


def test_a_search_s_trials_run_on_it_round_after_round(tmp_path):
    pytest.importorskip("ray", reason="the extra `ray` is not installed")
    search(tmp_path, ENVIRONMENT, RAY, *SHORT)


def test_interrupting_the_sweep_ends_its_cells(tmp_path):
    pytest.importorskip("ray", reason="the extra `ray` is not installed")
    sweep = start(tmp_path, ENVIRONMENT, RAY, *LONG)
    until(lambda: bool(list(tmp_path.rglob("claim-1.json"))), sweep)
    (claim,) = tmp_path.rglob("claim-1.json")
    worker = json.loads(claim.read_text())["pid"]
    sweep.send_signal(signal.SIGINT)
    code, errors = finish(sweep)
    assert code == 130
    assert "the same command goes on" in errors
    until(lambda: not Path(f"/proc/{worker}").exists(), seconds=20)
