"""Which files a model's weights are read from, and what is no such file: one line that names it."""

import json

import pytest
import torch
from safetensors.torch import save_file

from bench.errors import UserError
from bench.identity.weight_files import weight_files
from bench.models.checkpoint import Stored, read_checkpoint, stored_tensors

POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 4096\n"
ONE, TWO = "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"


@pytest.fixture
def folder(tmp_path):
    """A model's folder without weights."""
    (tmp_path / "config.json").write_text("{}")
    return tmp_path


def refused(folder, **options):
    with pytest.raises(UserError) as caught:
        read_checkpoint(folder, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def shards(folder, *names, index="model.safetensors.index.json"):
    """Write an index that names a tensor in each of the files, and the files that are safetensors in its folder."""
    for number, name in enumerate(names):
        if name.endswith(".safetensors") and "/" not in name:
            save_file({f"t{number}": torch.zeros(2, 3)}, folder / name)
    content = {"metadata": {}, "weight_map": {f"t{number}": name for number, name in enumerate(names)}}
    (folder / index).write_text(json.dumps(content))


def test_the_shards_that_the_index_names_are_the_files(folder):
    shards(folder, TWO, ONE)
    assert weight_files(folder) == [folder / ONE, folder / TWO]


def test_one_whole_file_goes_before_shards_as_in_transformers(folder):
    shards(folder, ONE, TWO)
    save_file({"t": torch.zeros(1)}, folder / "model.safetensors")
    assert weight_files(folder) == [folder / "model.safetensors"]


def test_a_shard_that_did_not_come_is_named(folder):
    shards(folder, ONE, TWO)
    (folder / TWO).unlink()
    assert TWO in refused(folder)
    assert "allow_pickle" not in refused(folder)


def test_a_tensor_is_in_one_shard_only(folder):
    shards(folder, ONE, TWO)
    (folder / TWO).write_bytes((folder / ONE).read_bytes())
    with pytest.raises(UserError, match=f"{TWO}: t0 is in another shard too"):
        read_checkpoint(folder)


def test_a_pickle_tells_its_tensors_or_is_named(folder):
    torch.save({"a": torch.zeros(2, 3), "b": torch.zeros(1, dtype=torch.int8)}, folder / "pytorch_model.bin")
    found = read_checkpoint(folder, allow_pickle=True).tensors
    assert found == {"a": Stored("F32", (2, 3)), "b": Stored("torch.int8", (1,))}
    for content in (b"no pickle", (folder / "pytorch_model.bin").read_bytes()[:-99]):
        (folder / "pytorch_model.bin").write_bytes(content)
        with pytest.raises(UserError, match=r"pytorch_model\.bin"):
            read_checkpoint(folder, allow_pickle=True)


def test_shards_without_their_index_are_not_guessed_at(folder):
    shards(folder, ONE, TWO)
    (folder / "model.safetensors.index.json").unlink()
    assert "model.safetensors.index.json" in refused(folder)


@pytest.mark.parametrize("name", ["shard.bin", "shard.pt", "weights.safetensors.bin"])
def test_an_index_of_safetensors_names_nothing_else(folder, name):
    (folder / name).write_bytes(b"pickle")
    shards(folder, name)
    assert name in refused(folder)
    assert "index.json" in refused(folder)


@pytest.mark.parametrize("name", ["../elsewhere.safetensors", "/etc/elsewhere.safetensors", "a/../../b.safetensors"])
def test_an_index_does_not_lead_out_of_the_folder(folder, name):
    shards(folder, name)
    assert name in refused(folder)


def test_a_folder_of_links_is_as_good_as_one_of_files(folder, tmp_path):
    shards(folder, ONE)
    (folder / ONE).rename(folder / "blob")
    (folder / ONE).symlink_to(folder / "blob")
    assert weight_files(folder) == [folder / ONE]


@pytest.mark.parametrize("content", ["[]", "{", "{}", '{"weight_map": {}}', '{"weight_map": {"a": 1}}', "\xff"])
def test_an_index_that_is_none_is_named(folder, content):
    (folder / "model.safetensors.index.json").write_text(content, encoding="latin-1")
    assert "model.safetensors.index.json" in refused(folder)


@pytest.mark.parametrize("name", ["model.safetensors", ONE, "model.safetensors.index.json"])
def test_a_git_lfs_pointer_is_called_one(folder, name):
    shards(folder, ONE)
    (folder / name).write_text(POINTER)
    assert name in refused(folder)
    assert "Git LFS" in refused(folder)


@pytest.mark.parametrize("name", ["model.safetensors", ONE, "model.safetensors.index.json"])
def test_an_empty_file_is_called_empty(folder, name):
    shards(folder, ONE)
    (folder / name).write_text("")
    assert name in refused(folder)
    assert "empty" in refused(folder)


def test_pickles_are_files_of_weights_only_where_the_user_says_so(folder):
    (folder / "pytorch_model.bin").write_bytes(b"pickle")
    assert "model.allow_pickle=true" in refused(folder)
    assert weight_files(folder, allow_pickle=True) == [folder / "pytorch_model.bin"]


def test_no_weights_at_all_says_nothing_of_pickle(folder):
    assert "model.safetensors" in refused(folder)
    assert "pickle" not in refused(folder)


def test_the_name_that_the_configuration_gives_goes_first(folder):
    save_file({"t": torch.zeros(1)}, folder / "other.safetensors")
    (folder / "config.json").write_text('{"transformers_weights": "other.safetensors"}')
    assert weight_files(folder) == [folder / "other.safetensors"]
    for name in ("adapter_model.bin", "../other.safetensors", 3):
        (folder / "config.json").write_text(json.dumps({"transformers_weights": name}))
        assert "config.json" in refused(folder)


def test_a_header_tells_the_tensors_without_their_values(folder):
    save_file({"a": torch.zeros(2, 3), "b": torch.zeros((), dtype=torch.bfloat16)}, folder / "model.safetensors")
    assert stored_tensors(folder / "model.safetensors") == {"a": Stored("F32", (2, 3)), "b": Stored("BF16", ())}


@pytest.mark.parametrize("left", [4, 60, -1])
def test_a_file_cut_short_is_named(folder, left):
    save_file({"a": torch.zeros(2, 3)}, file := folder / "model.safetensors")
    file.write_bytes(file.read_bytes()[:left])
    with pytest.raises(UserError, match=r"model\.safetensors: .*again"):
        stored_tensors(file)


def test_a_file_of_another_kind_is_named(folder):
    for content in (
        b"x" * 100,
        (20).to_bytes(8, "little") + b"[1, 2]" + b" " * 14,
        b"\x02" + b"\0" * 7 + b"{}" + b"junk",
    ):
        (folder / "model.safetensors").write_bytes(content)
        with pytest.raises(UserError, match=r"model\.safetensors"):
            stored_tensors(folder / "model.safetensors")
