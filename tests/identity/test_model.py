"""What tells one model's files from another's."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from bench.identity import digests, model

SMALL = {"a.weight": np.arange(6, dtype=np.float32).reshape(2, 3), "b.bias": np.zeros(2, np.float32)}


def checkpoint(folder: Path, shards=({},), **configuration) -> dict:
    """A model's folder: one file, or several with an index; as the section of a cell's configuration."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps({"model_type": "roberta", **configuration}))
    if len(shards) == 1:
        save_file(shards[0], folder / "model.safetensors")
    else:
        names = [f"model-{number}.safetensors" for number in range(len(shards))]
        for name, shard in zip(names, shards, strict=True):
            save_file(shard, folder / name)
        index = {tensor: name for name, shard in zip(names, shards, strict=True) for tensor in shard}
        (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": index}))
    return {"path": str(folder), "weights": "pretrained", "architecture": {}}


def digest(section) -> str:
    return model.weights(section)["digest"]


def test_the_same_weights_elsewhere_or_in_other_shards_are_the_same(tmp_path):
    first = digest(checkpoint(tmp_path / "one", [SMALL]))
    assert digest(checkpoint(tmp_path / "two", [SMALL])) == first
    parts = [{name: tensor} for name, tensor in SMALL.items()]
    assert digest(checkpoint(tmp_path / "three", parts)) == first


@pytest.mark.parametrize("large", [False, True])
def test_another_value_type_shape_or_name_is_another(tmp_path, large, monkeypatch):
    monkeypatch.setattr(digests, "WHOLE", 0 if large else digests.WHOLE)
    base = SMALL | ({"c": np.zeros(1 << 20, np.float32)} if large else {})
    changes = [
        base | {"a.weight": SMALL["a.weight"] + 1},
        base | {"a.weight": SMALL["a.weight"].view(np.int32)},
        base | {"a.weight": SMALL["a.weight"].reshape(3, 2)},
        {"A.weight" if name == "a.weight" else name: tensor for name, tensor in base.items()},
        base | ({"c": np.full(1 << 20, 1e-9, np.float32)} if large else {"c": np.zeros(1)}),
    ]
    found = {digest(checkpoint(tmp_path / str(number), [one])) for number, one in enumerate([base, *changes])}
    assert len(found) == 1 + len(changes)


def test_a_file_that_was_replaced_under_its_old_time_is_seen(tmp_path):
    section = checkpoint(tmp_path, [SMALL])
    file = tmp_path / "model.safetensors"
    before, times = digest(section), file.stat()
    save_file(SMALL | {"b.bias": np.ones(2, np.float32)}, file)
    os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert digest(section) != before


def test_a_file_is_read_once_while_it_stays_as_it_is(tmp_path, monkeypatch):
    section = checkpoint(tmp_path, [SMALL])
    before = digest(section)
    monkeypatch.setattr(digests, "_samples", None)
    assert digest(section) == before


def test_what_is_no_checkpoint_has_a_digest_or_none(tmp_path):
    section = checkpoint(tmp_path, [SMALL])
    assert model.weights({"path": str(tmp_path / "nowhere")}) is None
    (tmp_path / "model.safetensors").write_text("version https://git-lfs.github.com/spec/v1")
    pointer = digest(section)
    (tmp_path / "model.safetensors").write_bytes(b"\xff" * 40)
    assert digest(section) != pointer
    (tmp_path / "model.safetensors").unlink()
    assert model.weights(section) is None
    (tmp_path / "model.safetensors.index.json").write_text('{"weight_map": {"a": "gone.safetensors"}}')
    assert model.weights(section) is None


def test_only_the_files_that_the_model_is_loaded_from_count(tmp_path):
    section = checkpoint(tmp_path, [SMALL])
    before = digest(section)
    (tmp_path / "pytorch_model.bin").write_bytes(b"another format of the same")
    assert digest(section) == before
    save_file(SMALL | {"b.bias": np.ones(2, np.float32)}, tmp_path / "chosen.safetensors")
    (tmp_path / "config.json").write_text('{"transformers_weights": "chosen.safetensors"}')
    chosen = digest(section)
    assert chosen != before
    (tmp_path / "model.safetensors").unlink()
    assert digest(section) == chosen


def test_a_pickle_counts_where_the_user_lets_it_be_read(tmp_path):
    section = checkpoint(tmp_path, [SMALL])
    (tmp_path / "model.safetensors").rename(tmp_path / "pytorch_model.bin")
    assert model.weights(section) is None
    assert digest(section | {"allow_pickle": True})


def test_random_weights_are_what_their_architecture_is(tmp_path):
    spelt = {"weights": "random", "architecture": {"model_type": "roberta", "hidden_size": 8}, "hub": "x/y"}
    assert digest(spelt) == digest(spelt | {"title": "another"})
    assert digest(spelt) != digest(spelt | {"architecture": {"model_type": "roberta", "hidden_size": 16}})
    from_file = checkpoint(tmp_path, [SMALL]) | {"weights": "random"}
    before = digest(from_file)
    checkpoint(tmp_path, [SMALL], hidden_size=16)
    assert digest(from_file) != before


def test_the_configuration_counts_but_not_who_wrote_it(tmp_path):
    before = model.configuration(checkpoint(tmp_path, [SMALL]))
    assert model.configuration(checkpoint(tmp_path, [SMALL], transformers_version="9", _name_or_path="x")) == before
    assert model.configuration(checkpoint(tmp_path, [SMALL], hidden_act="relu")) != before
    section = checkpoint(tmp_path, [SMALL])
    (tmp_path / "generation_config.json").write_text('{"num_beams": 3}')
    assert model.configuration(section) != before


def test_each_of_a_tokenizers_files_counts(tmp_path):
    section, found = checkpoint(tmp_path, [SMALL]), set()
    assert model.tokenizer(section) is None
    for name in ("tokenizer.json", "tokenizer_config.json", "vocab.txt", "merges.txt", "spiece.model", "a.tiktoken"):
        (tmp_path / name).write_text("{}")
        found.add(model.tokenizer(section))
    (tmp_path / "tokenizer.json").write_text("{ }")
    found.add(model.tokenizer(section))
    assert len(found) == 7
    (tmp_path / "README.md").write_text("of no matter")
    assert model.tokenizer(section) in found


def test_the_hubs_snapshot_is_found_in_its_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    section = {"hub": "owner/name", "revision": None, "path": None, "shipped": None}
    assert model.weights(section) is None
    (tmp_path / "models--owner--name" / "refs").mkdir(parents=True)
    (tmp_path / "models--owner--name" / "refs" / "main").write_text("c0ffee")
    checkpoint(tmp_path / "models--owner--name" / "snapshots" / "c0ffee", [SMALL])
    assert model.weights(section)["revision"] == "c0ffee"
    assert model.weights(section | {"revision": "c0ffee"}) == model.weights(section)
