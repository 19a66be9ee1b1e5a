"""Cells that are filled in are the cells that Hydra composes."""

import json

import pytest

from bench.configuration import expansion
from bench.configuration.compose import Configurations
from bench.configuration.expansion import Expansion, Kept
from bench.errors import UserError
from bench.sweeping.selection import selected
from bench.system.sealed import sealed, unsealed

EXPERIMENTS = [name for name in Configurations().options("experiment") if name != "runs"]


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("BENCH_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def configurations():
    with Configurations() as configurations:
        yield configurations


def expand(configurations, overrides):
    return list(Expansion(configurations.compose, configurations.folders).cells(overrides))


@pytest.mark.parametrize("every", [False, pytest.param(True, marks=pytest.mark.slow)], ids=["some", "every"])
@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_the_cells_of_shipped_experiments(configurations, experiment, every):
    arguments = [f"experiment={experiment}", "seed=0,7", "training.learning_rate=3e-4,1e-3", "results_dir=elsewhere"]
    cells = selected(arguments, configurations.compose)
    if not every:
        cells = cells[:: max(1, len(cells) // 9)]
    first, again = expand(configurations, cells), expand(configurations, cells)
    assert first == again, "the same from what was kept"
    for made, overrides in zip(first, cells, strict=True):
        composed = configurations.cell(overrides)
        assert made == composed
        assert made.id == composed.id


ONE_BY_ONE = {
    "a list among plain values": ["task.subjects=[a,b]", "seed=1"],
    "a key of the whole section": ["training={batch_size: 8}", "seed=1"],
    "a value in the schema's words": ["training.schedule=cosine", "training.precision=bf16"],
    "a number where a fraction is wanted": ["training.epochs=3", "training.weight_decay=1"],
    "nothing": ["training.max_grad_norm=null", "threads=2"],
    "truth": ["save_trained=false", "data.any_size=true"],
    "text with a space": ["data.root='a b'"],
    "a text with a reference": ["data.root='runs/${seed}'"],
    "a setting of the method": ["method.r=4", "seed=2"],
    "a reference": ["seed=${training.batch_size}"],
    "peft's own settings": ["method=peft/any", "peft.type=LOHA", "peft.r=4", "seed=1"],
    "a whole number with leading zeros": ["method.r=4", "data.root=007"],
}


@pytest.mark.parametrize("case", ONE_BY_ONE)
def test_whatever_is_given(configurations, case):
    base = ["model=miniature/llama", "task=miniature/mmlu"]
    assert expand(configurations, [[*base, *ONE_BY_ONE[case]]]) == [configurations.cell([*base, *ONE_BY_ONE[case]])]


RATES = "training.learning_rate='${for_family:{encoder: 1e-4, decoder: 2e-4}}'"


def test_a_setting_goes_by_the_family_of_the_model(configurations):
    cells = [[f"model=miniature/{name}", RATES, "seed=3"] for name in ("roberta", "llama")]
    made = expand(configurations, cells)
    assert [cell.training.learning_rate for cell in made] == [1e-4, 2e-4]
    assert made == [configurations.cell(overrides) for overrides in cells]


@pytest.mark.parametrize(
    ("setting", "named"),
    [(RATES, "encoder_decoder"), (RATES.replace("decoder", "decodr"), "did you mean decoder")],
)
def test_a_family_without_a_value_and_one_that_is_none_are_refused(configurations, setting, named):
    with pytest.raises(UserError, match=rf"^training\.learning_rate: .*{named}"):
        configurations.cell(["model=miniature/t5", setting])


def test_another_tasks_training_brings_its_settings_by_method(configurations):
    chosen = configurations.cell(["task=miniature/sst2", "training=glue/cola", "method=bitfit"])
    assert chosen.training == configurations.cell(["task=glue/cola", "method=bitfit"]).training
    assert chosen.training.learning_rate == 1e-3
    assert not chosen.training.chosen_by, "what a search chose was chosen for the task's own training"


def test_own_tasks_take_the_rate_that_was_used_with_the_family(tmp_path):
    (tmp_path / "training").mkdir()
    (tmp_path / "training" / "mine.yaml").write_text("defaults:\n  - /training/_own@_here_\n")
    with Configurations(str(tmp_path)) as configurations:
        rates = {
            (name, method): configurations.cell(
                [f"model=miniature/{name}", f"method={method}", "training=mine"]
            ).training.learning_rate
            for name in ("roberta", "t5", "llama")
            for method in ("full", "lora", "ia3", "bitfit")
        }
    for method in ("full", "lora", "ia3"):
        assert len({rates[name, method] for name in ("roberta", "t5", "llama")}) > 1, method
    assert rates["llama", "lora"] == 2e-4


@pytest.mark.parametrize("wrong", ["training.lr=1", "training.batch_size=many", "training.learning_rate=-1", "seed=x"])
def test_what_hydra_refuses_is_refused(configurations, wrong):
    with pytest.raises(UserError) as expected:
        configurations.cell([wrong])
    with pytest.raises(UserError) as found:
        expand(configurations, [[wrong]])
    assert str(found.value) == str(expected.value)


REFERRING = {
    "a plain reference": "wait: ${seed}",
    "one above": "of: ${training}",
    "a relative one": "wait: ${..seed}",
    "one within the other": "wait: ${training.${key}}\nkey: epochs",
    "the environment": "wait: ${oc.env:HOME}",
}


@pytest.mark.parametrize("kind", REFERRING)
def test_a_value_that_others_refer_to_is_left_to_hydra(tmp_path, kind):
    (tmp_path / "method").mkdir()
    lines = "_target_: x.Y\nname: mine\ntitle: Mine\ncategory: other\npaper: none\n"
    (tmp_path / "method" / "mine.yaml").write_text(lines + REFERRING[kind].replace("${key}", "${method.key}"))
    given = ["method=mine", "seed=5", "training.epochs=2"]
    with Configurations(str(tmp_path)) as configurations:
        assert expand(configurations, [given]) == [configurations.cell(given)]


def test_a_changed_configuration_is_composed_anew(tmp_path):
    method = tmp_path / "method" / "mine.yaml"
    method.parent.mkdir()
    lines = "_target_: x.Y\nname: mine\ntitle: Mine\ncategory: other\npaper: none\nr: "
    for rank in (1, 2):
        method.write_text(f"{lines}{rank}")
        with Configurations(str(tmp_path)) as configurations:
            assert expand(configurations, [["method=mine"]])[0].config["method"]["r"] == rank


def test_what_was_kept_spares_hydra(configurations, monkeypatch):
    expand(configurations, [["seed=1"]])

    def compose(overrides):
        raise AssertionError(f"composed again: {overrides}")

    assert len(list(Expansion(compose, configurations.folders).cells([["seed=2"], ["seed=3"]]))) == 2


def test_a_damaged_or_unwritable_cache_does_no_harm(configurations, tmp_path, monkeypatch):
    expand(configurations, [["seed=1"]])
    for file in (tmp_path / "cache").rglob("*.json"):
        file.write_text("{")
    assert expand(configurations, [["seed=1"]]) == [configurations.cell(["seed=1"])]
    monkeypatch.setattr(expansion, "write_once", lambda *_: (_ for _ in ()).throw(OSError(28, "full")))
    assert expand(configurations, [["seed=1", "method=ia3"]]) == [configurations.cell(["seed=1", "method=ia3"])]


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace("bench.methods", "evil.methods"),
        lambda text: text.replace('"allow_pickle": false', '"allow_pickle": true'),
        lambda text: text[64:],
        lambda text: "0" * 64 + text[64:],
    ],
)
def test_a_cache_that_somebody_else_wrote_is_not_read(configurations, tmp_path, change):
    expand(configurations, [["seed=1"]])
    (file,) = (tmp_path / "cache").rglob("*.json")
    changed = change(file.read_text())
    assert changed != file.read_text()
    file.write_text(changed)
    assert expand(configurations, [["seed=1"]]) == [configurations.cell(["seed=1"])]


def test_a_kept_composition_names_no_class_but_those_of_the_configurations(configurations, tmp_path):
    expand(configurations, [["seed=1"]])
    (file,) = (tmp_path / "cache").rglob("*.json")
    groups = json.loads(unsealed(file.read_bytes()))
    for group in groups.values():
        group["config"]["method"]["inner"] = [{"_target_": "os.system"}]
    file.write_bytes(sealed(json.dumps(groups).encode()))
    assert expand(configurations, [["seed=1"]]) == [configurations.cell(["seed=1"])]


def test_a_cache_of_another_shape_is_none(configurations, tmp_path):
    expand(configurations, [["seed=1"]])
    (file,) = (tmp_path / "cache").rglob("*.json")
    (choices,) = json.loads(unsealed(file.read_bytes()))
    entries = ({"config": {}, "references": []}, {"config": 3, "references": 3}, [], None)
    for text in ("[]", "3", "[" * 100_000, *(json.dumps({choices: entry}) for entry in entries)):
        file.write_bytes(sealed(text.encode()))
        assert Kept(configurations.folders).get((choices,)) is None
