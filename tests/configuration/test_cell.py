"""A cell's name and identity."""

from bench.configuration.compose import Configurations
from bench.configuration.experiment import grid_overrides
from bench.configuration.folder import CONFIGS
from bench.configuration.schema import CellConfig


def test_the_id_is_readable_and_ends_in_a_hash_of_the_settings(compose):
    cell = compose("task=miniature/cola", "method=bitfit", "seed=3")
    assert cell.id == f"miniature_roberta-miniature_cola-bitfit-s3-{cell.config_hash[:8]}"


def test_what_decides_the_result_changes_the_hash(compose):
    bare = compose()
    for change in ("seed=1", "training.learning_rate=0.5", "method.r=4", "data.limit_train=5", "model.weights=random"):
        assert compose(change).config_hash != bare.config_hash, change


def test_where_and_how_it_is_run_does_not(compose):
    bare = compose()
    for change in ("results_dir=elsewhere", "device=cpu", "threads=1", "force=true", "experiment=miniature/glue"):
        assert compose(change).config_hash == bare.config_hash, change


def test_what_it_is_called_does_not(compose):
    plain, composed = compose("method=lora"), compose("method=mam")
    for change in ("model.title=Mine", "task.title=Mine", "method.title=Mine", "method.paper=Mine"):
        assert compose("method=lora", change).id == plain.id, change
    assert compose("method=mam", "method.parts.prefix.title=Mine").id == composed.id
    assert compose("method=mam", "method.parts.prefix.length=4").id != composed.id


def test_models_that_differ_in_their_path_only_are_two(compose):
    assert compose("model.path=/a").id != compose("model.path=/b").id


def test_every_yaml_composes_and_carries_its_file_name():
    with Configurations() as configurations:
        for group in ("model", "task", "method"):
            for name in configurations.options(group):
                config = configurations.compose([f"{group}={name}"])
                assert config[group].name == name, f"configs/{group}/{name}.yaml"


def test_every_experiment_names_known_choices_and_its_file():
    with Configurations() as configurations:
        for name in configurations.options("experiment"):
            experiment = configurations.compose([f"experiment={name}"]).experiment
            assert experiment.name == name
            for overrides in grid_overrides(experiment.grid, {}):
                for key, _, value in (override.partition("=") for override in overrides):
                    if key in ("model", "task", "method"):
                        assert value in configurations.options(key)


def test_the_schema_is_the_one_place_of_defaults():
    assert CellConfig.__dataclass_fields__.keys() >= {"model", "task", "method", "training", "data", "seed"}
    assert (CONFIGS / "config.yaml").is_file()
