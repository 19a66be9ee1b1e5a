"""The worked example of docs/models.md: a type without an entry, with its structure in the user's own YAML."""

import json
import re

import pytest
import yaml

from bench.cli.commands import run_command
from scripts.document_models import PAGE

SMALL = {  # in place of the checkpoint
    "model_type": "starcoder2", "vocab_size": 128, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2,
    "num_attention_heads": 4, "num_key_value_heads": 2, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2,
}  # fmt: skip
CELL = (
    "model=starcoder2_3b", "model.weights=random", "task=miniature/mmlu", "method=adapter_pfeiffer",
    "method.bottleneck=4", "data.synthetic=true", "data.limit_train=4", "training.max_steps=1",
)  # fmt: skip


@pytest.fixture
def mine(tmp_path):
    """The file of the page where it says, with small random weights."""
    text, path = re.search(r"```yaml\n(# (mine/model/\S+)\n.*?)```", PAGE.read_text(), flags=re.DOTALL).groups()
    file = tmp_path / path
    file.parent.mkdir(parents=True)
    file.write_text(text + yaml.safe_dump({"architecture": SMALL}))
    return file


def bench(command, file, *arguments):
    return run_command([command, "--config-dir", str(file.parents[1]), *CELL, *arguments])


def test_the_example_trains_and_its_record_says_whose_the_structure_is(mine, tmp_path):
    assert bench("run", mine, f"results_dir={tmp_path}") == 0
    record = json.loads(next(tmp_path.glob("runs/*/record.json")).read_bytes())
    assert record["status"] == "done"
    assert record["environment"]["structure"] == {"from": "user"}
    assert record["origins"]["model.structure.stacks"].endswith("model/starcoder2_3b.yaml")


def test_discover_finds_what_the_example_says(mine, capsys):
    written = yaml.safe_load(mine.read_text())["structure"]
    assert bench("show", mine, "model.structure=discover", "format=json") == 0
    assert json.loads(capsys.readouterr().out)["structure"]["entry"] == written
    assert bench("show", mine, "model.structure=discover") == 0
    assert yaml.safe_dump({"structure": written}, sort_keys=False).strip() in capsys.readouterr().out


def test_a_mistake_in_it_ends_the_run_in_one_line_and_leaves_no_record(mine, tmp_path, capsys):
    mine.write_text(mine.read_text().replace("mlp.c_proj", "mlp.proj"))
    assert bench("run", mine, f"results_dir={tmp_path}") == 2
    said = capsys.readouterr().err.strip().splitlines()[-1]
    assert "model.structure: Starcoder2ForCausalLM has no model.layers.0.mlp.proj; did you mean" in said
    assert not list(tmp_path.glob("runs/*/record.json"))


def test_a_key_that_is_none_is_refused_before_anything_is_done(mine, capsys):
    mine.write_text(mine.read_text().replace("place: before", "palce: before"))
    assert bench("show", mine) == 2
    assert "feed_forward 'palce'; did you mean place?" in capsys.readouterr().err


def test_with_it_the_cell_is_another(compose):
    assert compose("model.structure=discover").id != compose().id
