"""Without a network and with nothing cached: one clear line, soon, and a way out."""

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from bench.configuration.schema import DataConfig, Family, ModelConfig
from bench.data.source import locate
from bench.errors import UserError
from bench.models.tokenizer import load_tokenizer
from bench.system import hub
from tests.glue import GLUE

ROBERTA = ModelConfig("roberta_base", "tiny", Family.encoder, hub="FacebookAI/roberta-base")
REFUSES, SILENT = "http://127.0.0.1:9", "http://10.255.255.1"


@pytest.fixture(params=[REFUSES, SILENT])
def unreachable(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A hub that cannot be reached, and an empty cache, with nothing said about being offline."""
    import datasets
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "ENDPOINT", request.param)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", False)
    hub._reachable.cache_clear()
    yield
    hub._reachable.cache_clear()


@pytest.mark.usefixtures("unreachable")
def test_a_model_and_data_are_missed_within_ten_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    begin = time.monotonic()
    with pytest.raises(UserError, match=r"FacebookAI/roberta-base is not on this machine.*`bench fetch`.*model.path="):
        load_tokenizer(ROBERTA)
    with pytest.raises(UserError, match=r"nyu-mll/glue/cola, split train are not on this.*`bench fetch`.*data.root="):
        locate(GLUE["cola"], "train", DataConfig())
    assert time.monotonic() - begin < 10


def test_the_command_line_says_it_in_one_line(bench_process: Callable[..., Any], tmp_path: Path) -> None:
    environment = {**os.environ, "HF_ENDPOINT": REFUSES, "HF_HOME": str(tmp_path / "hf")}
    environment.pop("HF_HUB_OFFLINE", None)
    settings = ("model=roberta_base", "task=glue/cola", "method=lora")
    for command, missing in (("run", "FacebookAI/roberta-base"), ("fetch", "the hub cannot be reached")):
        ended = bench_process(command, *settings, env=environment)
        assert ended.returncode == 2
        assert ended.stderr.count("\n") == 1
        assert missing in ended.stderr
        assert "bench fetch" in ended.stderr
    assert not list(tmp_path.rglob("record.json"))
