"""What the live page is told of a results folder, from its files alone, in the middle of a sweep."""

import json
import shutil
from pathlib import Path

import pytest

from bench.records.owner import Owner
from bench.watching import watch as watching
from bench.watching.logs import log_end
from bench.watching.overview import cells_told, overview
from bench.watching.watch import Watch
from tests.tables.made_records import glue_grid, make_record, save
from tests.watching.places import DEAD, EXPERIMENT, METHODS, TASKS, announce, claim, fill, run


@pytest.fixture(autouse=True)
def every_look_is_new(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "FRESH", 0.0)


@pytest.fixture
def results(tmp_path: Path) -> Path:
    fill(tmp_path)
    return tmp_path


def counts(watch: Watch) -> dict[str, int]:
    return dict(watch.look()[EXPERIMENT].counts)


def test_cells_are_counted_by_state(results):
    found = Watch(results).look()
    assert list(found) == [EXPERIMENT]
    assert found[EXPERIMENT].counts == {
        "done": 36, "failed": 1, "out_of_memory": 1, "running": 1, "interrupted": 1, "not started": 3,
    }  # fmt: skip
    (row,) = [
        row for row in overview("results", found.values())["experiments"][0]["rows"] if row["method"] == "adapter_s"
    ]
    assert row["of"] == [{"out_of_memory": 1}, {"running": 1, "interrupted": 1, "not started": 3}, {"failed": 1}]


def test_a_running_cell_says_how_far_it_is(results):
    (one,) = overview("results", Watch(results).look().values())["experiments"][0]["running"]
    assert (one["phase"], one["step"], one["total"]) == ("train", 30, 90)
    assert one["loss"] == one["losses"][-1]
    assert one["pid"] == Owner.this_process().pid


def test_what_changes_is_seen_at_the_next_look(results):
    watch = Watch(results)
    assert counts(watch)["done"] == 36
    (added,) = save(results, make_record(method="lora", task=TASKS[0], seed=77))
    assert counts(watch)["done"] == 37
    run(results, "lora", TASKS[0], 78)
    assert counts(watch)["running"] == 2
    (results / EXPERIMENT / "running-lora-78" / "claim-1.json").write_text("no claim")
    shutil.rmtree(added.parent)
    assert counts(watch)["done"] == 36
    path = save(results, make_record(method="lora", task=TASKS[0], seed=79))[0]
    path.write_text(path.read_text()[:-9])
    assert counts(watch)["unreadable"] == 1


def test_the_grid_says_what_was_never_started(tmp_path):
    save(tmp_path, make_record(seed=0, grid=glue_grid(["lora", "full"], ["miniature/sst2"], [0, 1])))
    assert counts(Watch(tmp_path)) == {"done": 1, "not started": 3}
    announce(tmp_path, [("cell", "full", "miniature/sst2", 1)])
    assert counts(Watch(tmp_path)) == {"done": 1, "not started": 3}, "one of them is announced now"


def test_remaining_time_is_by_what_cells_like_these_took(results):
    experiment = Watch(results).look()[EXPERIMENT]
    assert experiment.seconds_left == pytest.approx(3 * 12)  # three cells of 100 units, 0.12 s each, one at a time
    assert experiment.sweeps == 1


def test_a_dead_sweep_foretells_nothing(tmp_path):
    dead = Owner("here", Owner.this_process().machine, 2**22 + 1, "0", "2026-01-01T00:00:00+00:00")
    announce(tmp_path, [("cell", "lora", TASKS[0], 0)], dead)
    experiment = Watch(tmp_path).look()[EXPERIMENT]
    assert (experiment.seconds_left, experiment.sweeps, experiment.counts) == (None, 0, {"not started": 1})


def test_what_nobody_knows_yet_is_not_made_up(tmp_path):
    announce(tmp_path, [("cell", "lora", "another/task", 0)], None)
    for path in (tmp_path / EXPERIMENT / ".sweeps").iterdir():
        path.write_text(json.dumps(json.loads(path.read_text()) | {"rates": []}))
    assert Watch(tmp_path).look()[EXPERIMENT].seconds_left is None


def test_files_of_anybody_break_nothing(results):
    place = results / EXPERIMENT
    (place / ".sweeps" / "other.json").write_text('{"owner": 1}')
    (place / "running-adapter_s-1" / ".progress.json").write_text("[" * 100_000)
    claim(results, "of another machine", DEAD)
    (place / "loop").symlink_to(results)
    experiment = Watch(results).look()[EXPERIMENT]
    assert experiment.counts["running"] == 2
    assert overview("results", [experiment])["experiments"][0]["running"]


def test_cells_are_told_a_hundred_at_a_time(tmp_path):
    save(tmp_path, *(make_record(seed=seed) for seed in range(120)))
    experiment = Watch(tmp_path).look()[EXPERIMENT]
    first, rest = (cells_told(experiment, {"method": "lora"}, start) for start in (0, 100))
    assert (first["total"], len(first["cells"]), len(rest["cells"])) == (120, 100, 20)
    assert [cell["seed"] for cell in first["cells"]] == [*range(100)]
    assert first["cells"][0]["score"] == 0.5
    assert cells_told(experiment, {"method": METHODS[0]}, 0)["total"] == 0


def test_the_end_of_a_log_is_plain_text(tmp_path):
    folder = tmp_path / "cell"
    folder.mkdir()
    assert log_end(folder, tmp_path) is None
    (folder / "log.txt").write_bytes(b"x" * 20_000 + b"\n\x1b[31mred\x1b[0m\n1 %\r2 %\nend\xff\x07")
    assert log_end(folder, tmp_path) == "red\n2 %\nend\ufffd"
    (folder / "log.txt").unlink()
    (tmp_path / "secret").write_text("secret")
    (folder / "log.txt").symlink_to(tmp_path / "secret")
    assert log_end(folder, tmp_path) is None
