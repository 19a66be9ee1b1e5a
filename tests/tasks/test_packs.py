"""Packs of declared tasks, on files in the layout of their repositories' cards. None has met the real files."""

import json
from typing import Any

import pyarrow as pa
import pyarrow.parquet
import pytest

from bench.configuration.compose import Configurations
from bench.configuration.schema import DataConfig, Family
from bench.errors import UserError
from bench.tasks.build import task_from

PACKS = ("superglue", "xnli", "pawsx")
# What the cards say the numbers of a label are called.
NAMES: dict[str, list[str]] = {
    "superglue/boolq": ["False", "True"], "superglue/cb": ["entailment", "contradiction", "neutral"],
    "superglue/copa": ["choice1", "choice2"], "superglue/multirc": ["False", "True"],
    "superglue/rte": ["entailment", "not_entailment"], "superglue/wic": ["False", "True"],
    "superglue/wsc": ["False", "True"], "xnli": ["entailment", "neutral", "contradiction"], "pawsx": ["0", "1"],
}  # fmt: skip


def tasks() -> list[str]:
    with Configurations() as configurations:
        return [name for name in configurations.options("task") if name.split("/")[0] in PACKS]


TASKS = tasks()


def config_of(name: str) -> dict[str, Any]:
    with Configurations() as configurations:
        config: dict[str, Any] = configurations.cell([f"task={name}"]).config["task"]
    return config


@pytest.fixture
def written(tmp_path):
    """Files of a task, its labels numbered by `names`."""

    def write(config: dict[str, Any], names: list[str]) -> DataConfig:
        source = config["data"]
        folder = tmp_path / source["hub"] / source["subset"]
        folder.mkdir(parents=True)
        features = {"label": {"names": names, "_type": "ClassLabel"}}
        metadata = {"huggingface": json.dumps({"info": {"features": features}})}
        rows = [
            {**dict.fromkeys(config["text"], f"nu rulbo {at}"), "idx": at, "label": at % len(names)} for at in range(8)
        ]
        for split in source["splits"].values():
            table = pa.Table.from_pylist(rows).replace_schema_metadata(metadata)
            pa.parquet.write_table(table, folder / f"{split}-00000-of-00001.parquet")
        return DataConfig(root=str(tmp_path), any_size=True)

    return write


@pytest.mark.parametrize("name", TASKS)
def test_files_as_the_card_describes_them_are_read_and_prompts_fit_every_family(name, written, tokenizer):
    config = config_of(name)
    assert config["name"] == name
    names = NAMES.get(name) or NAMES[name.split("/")[0]]
    data = written(config, names)
    task = task_from(config).on(Family.encoder)
    found = task.load(tokenizer, 64, data)
    assert len(found.train) == 8
    assert task.head().labels == len(names)
    assert set(found.validation["validation"].references) == set(range(len(names)))
    row = dict.fromkeys(config["text"], "words")
    for family in (Family.encoder_decoder, Family.decoder):
        assert "words" in task_from(config).on(family).template(family, to_answer=True).fill(row)
    with pytest.raises(UserError, match="rows instead of the published"):
        task.load(tokenizer, 64, DataConfig(root=data.root))


def test_labels_numbered_otherwise_are_refused(written, tokenizer):
    config = config_of("superglue/cb")
    data = written(config, ["entailment", "neutral", "contradiction"])
    with pytest.raises(UserError, match="instead of"):
        task_from(config).on(Family.encoder).load(tokenizer, 64, data)
