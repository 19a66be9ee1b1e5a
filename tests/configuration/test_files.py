"""Configuration files are read once in a command; what is composed from them is what Hydra makes of them."""

import pytest
from hydra._internal.config_repository import ConfigRepository
from hydra.core.global_hydra import GlobalHydra
from omegaconf import OmegaConf

from bench.configuration.compose import Configurations
from bench.errors import UserError

CELLS = [
    ["experiment=survey/memory", "model=t5_base", "task=wmt16", "method=ia3"],
    ["model=miniature/llama", "task=miniature/mmlu", "method=qlora", "training.epochs=2"],
    ["model=t5_large", "task=wmt16", "method=lora", "+model.architecture.dropout_rate=0"],
    ["model=miniature/t5", "task=miniature/wmt16", "method=adapter_s", "training={epochs: 1}"],
    ["hydra/launcher=slurm", "method=peft/any", "peft.type=LOHA", "task=glue/stsb"],
    [],
]


def composed(configurations):
    return [OmegaConf.to_container(configurations.compose(cell)) for cell in CELLS]


def test_what_is_composed_is_what_hydra_s_own_repository_gives():
    with Configurations() as configurations:
        first, again = composed(configurations), composed(configurations)
        loader = GlobalHydra.instance().config_loader()
        loader.repository = ConfigRepository(loader.get_search_path())
        own = composed(configurations)
    assert first == own
    assert again == own, "composing changes what it is given, so it must be given copies"


def test_a_file_is_read_once(monkeypatch):
    read = []
    with Configurations() as configurations:
        sources = GlobalHydra.instance().config_loader().get_sources()
        kind = type(next(source for source in sources if source.scheme() == "file"))
        load = kind.load_config
        monkeypatch.setattr(
            kind, "load_config", lambda source, config_path: read.append(config_path) or load(source, config_path)
        )
        composed(configurations)
        composed(configurations)
    assert len(read) > 10
    assert len(read) == len(set(read))


def test_the_next_command_sees_what_was_changed(tmp_path):
    method = tmp_path / "method" / "mine.yaml"
    method.parent.mkdir()
    with Configurations(str(tmp_path)) as configurations, pytest.raises(UserError, match="unknown method 'mine'"):
        configurations.compose(["method=mine"])
    for rank in (1, 2):
        method.write_text(f"_target_: x.Y\nname: mine\nr: {rank}")
        with Configurations(str(tmp_path)) as configurations:
            assert configurations.compose(["method=mine"]).method.r == rank


def test_a_folder_of_one_composition_is_not_one_of_the_next(tmp_path):
    (tmp_path / "method").mkdir()
    (tmp_path / "method" / "mine.yaml").write_text("_target_: x.Y\nname: mine\nr: 1")
    with Configurations() as configurations:
        asked = ["method=mine", f"hydra.searchpath=[file://{tmp_path}]"]
        assert configurations.compose(asked).method.r == 1
        with pytest.raises(UserError, match="unknown method 'mine'"):
            configurations.compose(["method=mine"])
