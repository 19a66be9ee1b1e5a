"""`bench.cell` goes the way of `bench run`: the same cell, the same refusals, the same record."""

import contextlib

import pytest

import bench
from bench.configuration.compose import Configurations

# The same settings as Python has them, and as a command line.
SETTINGS = {
    "method": {"name": "lora", "r": 4},
    "task": "miniature/sst2",
    "training": {"max_steps": 2, "log_every": 1},
    "data": {"limit_train": 64, "limit_evaluation": 16},
    "seed": 5,
}
WORDS = [
    "method=lora", "method.r=4", "task=miniature/sst2", "training.max_steps=2", "training.log_every=1",
    "data.limit_train=64", "data.limit_evaluation=16", "seed=5",
]  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("api")


@pytest.fixture(scope="module")
def ran(folder):
    with contextlib.chdir(folder):
        cell = bench.cell(**SETTINGS)
        return cell, cell.run()


def test_it_is_the_cell_of_the_command_line_and_done_for_it_too(ran, folder):
    from bench.cli.commands import run_command

    cell, record = ran
    with contextlib.chdir(folder), Configurations() as configurations:
        typed = configurations.cell(WORDS)
        assert (cell.id, cell.cell.config, cell.cell.origins) == (typed.id, typed.config, typed.origins)
        written = cell.path.read_bytes()
        assert run_command(["run", *WORDS]) == 0
        assert cell.path.read_bytes() == written  # nothing was run again
        assert cell.run() == record
    assert str(cell.path) == f"results/runs/{cell.id}/record.json"


def test_the_record_is_an_object_with_scores(ran):
    _, record = ran
    assert record.status == "done"
    assert 0 <= record.metrics.values["accuracy"] <= 1
    assert record.parameters.trainable > 0
    assert record.origins["training.max_steps"] == "command line"


def test_what_was_trained_is_loaded_from_its_path(ran, folder):
    with contextlib.chdir(folder):
        assert not bench.load(ran[0].path, device="cpu").training


def test_its_records_are_a_frame_and_its_table_another(ran, folder):
    from bench.api.frames import COLUMNS

    frame = bench.records(folder / "results", settings=["method.r"])
    assert list(frame.columns) == [*COLUMNS, "method.r"]
    [row] = frame.to_dict("records")
    cell, record = ran
    assert (row["id"], row["seed"], row["method.r"], row["status"]) == (cell.id, 5, 4, "done")
    assert row["score"] == record.metrics.values["accuracy"] == row["metrics"]["accuracy"]
    assert row["trainable"] == record.parameters.trainable
    assert row["train_peak"] == record.memory.phases["train"].peak_rss
    assert row["training.max_steps"] == 2
    assert row["curve"][0]["step"] == 2

    table = bench.table("runs", results_dir=folder / "results", columns=["train_peak"])
    assert table["method"].tolist() == ["lora"]
    assert table["sst2.accuracy"].tolist() == [100 * row["score"]]
    assert any(note.startswith("TRIAL RUNS") for note in table.attrs["notes"])
    assert table.attrs["command"].startswith("bench table experiment=runs")


@pytest.mark.parametrize(
    ("ask", "said"),
    [
        (lambda at: bench.records(at / "nowhere"), "no such folder"),
        (lambda at: bench.records(at / "results", settings=["method.rank"]), "unknown setting 'method.rank'"),
        (lambda at: bench.records(at / "results", settings="method.r"), "give a list of names"),
        (lambda at: bench.table("miniature/glue", results_dir=at / "results"), "no records of the experiment"),
        (lambda at: bench.table("runs", results_dir=at / "results", statistic="mode"), "unknown statistic 'mode'"),
        (lambda at: bench.table("runs", results_dir=at / "results", interval="yes"), "must be true or false"),
        (lambda at: bench.table("runs", results_dir=at / "results", pscp={"memory": -1}), "pscp.memory=-1"),
        (lambda at: bench.table("runs", results_dir=at / "results", columns="cost"), "give a list of names"),
    ],
)
def test_mistakes_with_frames(ran, folder, ask, said):
    with pytest.raises(bench.UserError, match=said):
        ask(folder)


def test_no_records_are_a_frame_without_rows(tmp_path):
    frame = bench.records(tmp_path)
    assert frame.empty
    assert frame["score"].dtype == float


def test_a_plan_says_what_it_needs_or_why_that_is_unknown():
    planned = bench.cell(method="bitfit").plan(device_memory="1 GiB")
    assert planned.fits is True
    assert planned.prediction.peak > planned.prediction.parameters.base_total
    with pytest.raises(bench.UserError, match="needs a model of the family 'encoder_decoder'"):
        bench.cell(task="miniature/wmt16").plan()
    with pytest.raises(bench.UserError, match="is no size"):
        bench.cell().plan(device_memory="much")


def test_a_program_of_hydras_keeps_what_it_has_begun():
    from hydra import compose, initialize_config_dir

    from bench.configuration.folder import CONFIGS

    with initialize_config_dir(str(CONFIGS / "method"), version_base="1.3"):
        bench.cell()
        assert compose("bitfit").name == "bitfit"
