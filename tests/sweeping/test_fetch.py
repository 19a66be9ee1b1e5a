"""What `bench fetch` gets: each model and each split once, and nothing that is local."""

from collections.abc import Callable

import pytest

from bench.configuration.cell import Cell
from bench.configuration.compose import Configurations
from bench.configuration.schema import ModelConfig
from bench.errors import UserError
from bench.sweeping import fetch
from bench.sweeping.selection import selected


def test_local_cells_need_nothing(compose: Callable[..., Cell]) -> None:
    said: list[str] = []
    local = compose("model=encoder", "model.path=/models/mine", "task=glue/rte", "data.root=/data")
    random = compose("model=roberta_base", "model.weights=random", "data.synthetic=true", "task=glue/rte")
    fetch.fetch_all([compose(), local, random], said.append)
    assert said == ["nothing to fetch: models and data are local"]


def test_each_thing_once(compose: Callable[..., Cell], monkeypatch: pytest.MonkeyPatch) -> None:
    class Rows:
        def rows(self) -> list[int]:
            return [1, 2, 3]

    def download(model: ModelConfig) -> str:
        return f"/cache/{model.hub}"

    monkeypatch.setattr(fetch, "offline_if_unreachable", lambda: False)
    monkeypatch.setattr(fetch, "_download", download)
    monkeypatch.setattr(fetch, "locate", lambda published, split, data: Rows())
    said: list[str] = []
    cells = [
        compose("model=roberta_base", f"task=glue/{task}", f"method={m}")
        for task in ("rte", "cola")
        for m in ("lora", "full")
    ]
    fetch.fetch_all(cells, said.append)
    assert said == [
        "model FacebookAI/roberta-base: /cache/FacebookAI/roberta-base",
        "data nyu-mll/glue/rte, split train: 3 rows",
        "data nyu-mll/glue/rte, split validation: 3 rows",
        "data nyu-mll/glue/cola, split train: 3 rows",
        "data nyu-mll/glue/cola, split validation: 3 rows",
    ]


def test_an_experiment_needs_each_model_and_task_once() -> None:
    with Configurations() as configurations:
        cells = selected(["experiment=survey/glue"], configurations.compose)
        assert len(cells) == 2 * 8 * 13
        assert len(fetch.differing(cells)) == 2 * 8
        with pytest.raises(UserError, match="did you mean roberta_base"):
            selected(["experiment=survey/glue", "model=roberta_bas"], configurations.compose)
