"""What is refused: one clear line, exit code 2, before any run."""

import pytest

from tests.tuning.test_tune import score

METHOD = "defaults: [/method/lora@_here_, _self_]\nname: mine\nsearch: {}\n"
MISTAKES = {
    "no trials": (["trials=0"], "trials=0 must be 1 or more"),
    "a word for trials": (["trials=many"], "trials=many must be a number"),
    "no such sampler": (["sampler=tep"], "unknown sampler 'tep'; did you mean tpe"),
    "no such pruner": (["pruner=hyperbnd"], "unknown pruner 'hyperbnd'; did you mean hyperband"),
    "two experiments": (["experiment=miniature/glue,miniature/mmlu"], "name the experiment, one"),
    "a seed that is reported": (["tuning_seeds=0"], "tuning_seeds=0 is a seed that the experiment reports"),
    "a seed given to be reported": (["seed=5,1000"], "tuning_seeds=1000 is a seed that the experiment reports"),
    "a seed twice": (["tuning_seeds=1000,1000"], "names a seed twice"),
    "a rate that is searched": (["training.learning_rate=1e-4"], "method.search.learning_rate=[low,high]"),
    "failed ones again": (["only=failed"], "trials that failed count as trials"),
    "neither true nor false": (["dry_run=yes"], "dry_run=yes must be true or false"),
    "several settings for one choice": (["training.epochs=1,2"], "with several settings (training.epochs=1, train"),
    "a forecast's GPU without a forecast": (["gpu=A100"], "gpu= is for the forecast of dry_run=true"),
    "more than a whole GPU": (
        ["dry_run=true", "utilisation=2"],
        "utilisation=2.0 must be greater than 0",
    ),
    "a word for a share": (["dry_run=true", "utilisation=half"], "utilisation=half must be a number"),
    "an empty name": (["out="], "out= is empty"),
    "a word that says nothing of stale ones": (["rerun=all"], "unknown rerun 'all'"),
}
SPACES = {
    "an empty range": ("{learning_rate: [1e-2, 1e-5]}", "low=0.01 must be below high=1e-05"),
    "one number": ("{learning_rate: 1e-3}", "must be [low, high]"),
    "a rate of zero": ("{learning_rate: [0, 1e-3]}", "must be greater than 0"),
    "rates in a list": ("{learning_rate: {values: [1e-4, 1e-3]}}", "is a range, [low, high]"),
    "rates on a linear scale": ("{learning_rate: {low: 1e-5, high: 1e-2, log: false}}", "logarithmic scale"),
    "a knob that the method lacks": ("{rank: [4, 8]}", "unknown setting to search of method 'mine': 'rank'; known: al"),
    "two knobs": ("{r: [4, 8], dropout: [0.0, 0.1]}", "names r, dropout beside the learning rate; one knob at most"),
    "a list of one": ("{r: {values: [4]}}", "must be a list of two or more different"),
    "an unknown key": ("{r: {low: 4, hihg: 8}}", "'hihg'; did you mean high"),
    "no mapping": ("[1e-5, 1e-2]", "must be a mapping of settings to ranges"),
    "words for numbers": ("{r: [few, many]}", "must be numbers"),
    "a value that the method refuses": ("{r: [-4, 8]}", "must be 1 or more"),
}


def check(result, expected, tmp_path):
    assert result.returncode == 2, result.stdout + result.stderr
    assert expected in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1, result.stderr
    assert not list(tmp_path.rglob("record.json"))


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_on_the_command_line(tune, tmp_path, mistake):
    arguments, expected = MISTAKES[mistake]
    check(tune(score, "method=lora", *arguments), expected, tmp_path)


@pytest.mark.parametrize("mistake", SPACES)
def test_a_space_that_is_none(tune, tmp_path, mistake):
    search, expected = SPACES[mistake]
    (tmp_path / "mine" / "method").mkdir(parents=True)
    (tmp_path / "mine" / "method" / "mine.yaml").write_text(METHOD.replace("{}", search))
    (tmp_path / "mine" / "experiment").mkdir()
    (tmp_path / "mine" / "experiment" / "own.yaml").write_text(
        "name: own\ntitle: Own\ngrid: [{model: miniature/roberta, task: miniature/sst2, method: mine, seed: 0}]\n"
    )
    result = tune(score, "--config-dir", "mine", "experiment=own", "method=mine")
    check(result, expected, tmp_path)


def test_a_study_of_another_space_is_refused_before_any_run(tune, tmp_path):
    log = tmp_path / "log"
    tune(score, "method=lora", "trials=2", log=log)
    before = log.read_text()
    for changed, expected in {
        "method.search.learning_rate=[1e-4,1e-1]": "another space (learning_rate 1e-05…0.01, now learning_rate 0.0001",
        "sampler=tpe": "another sampler (qmc, now tpe)",
        "tuning_seeds=1001": "another tuning seeds ([1000], now [1001])",
        "training.epochs=1": "another settings;",
    }.items():
        result = tune(score, "method=lora", "trials=4", changed, log=log)
        assert result.returncode == 2
        assert expected in result.stderr
        assert len(result.stderr.strip().splitlines()) == 1
    assert log.read_text() == before


def test_a_study_by_other_code_is_refused(tune, monkeypatch):
    tune(score, "method=lora", "trials=2")
    monkeypatch.setattr("bench.tuning.sequence.SEED", 1)
    from bench.tuning.sequence import points

    points.cache_clear()
    result = tune(score, "method=lora", "trials=2")
    points.cache_clear()
    assert result.returncode == 2
    assert "was made by other code" in result.stderr


def test_a_damaged_journal_is_refused(tune, tmp_path):
    tune(score, "method=lora", "trials=2")
    (journal,) = tmp_path.rglob("journal.log")
    journal.write_text(journal.read_text().replace('"op_code":4', '"op_code":x', 1))
    result = tune(score, "method=lora", "trials=2")
    assert result.returncode == 2
    assert "is damaged" in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("hydra/launcher=slrum", "unknown hydra/launcher 'slrum'"),
        ("workers=0", "workers=0 must be 1 or more"),
        ("results_dir=mine", "not a folder"),
    ],
)
def test_a_launcher_or_a_folder_that_cannot_be(bench, tmp_path, word, expected):
    (tmp_path / "mine").write_text("a file")
    check(bench("tune", "experiment=miniature/glue", "method=lora", word), expected, tmp_path)
