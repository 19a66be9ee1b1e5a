"""What lies in `trained/` is what the cell has left there, or is refused in a line."""

import json
import shutil

import pytest
import torch

from bench.errors import UserError
from bench.records.trained import Trained, read_trained, write_trained

CELL = "a" * 64
STATE = Trained({"head.weight": torch.arange(4.0)}, reason="BitFit is not the peft library's")
PEFT = Trained({"base_model.model.x.lora_A.weight": torch.ones(2, 3)}, {"peft_type": "LORA", "r": 2})


@pytest.mark.parametrize("trained", [STATE, PEFT], ids=["state", "peft"])
def test_it_is_read_as_it_was_written(tmp_path, trained):
    size = write_trained(tmp_path, trained, True, CELL)
    read = read_trained(tmp_path, CELL)
    assert read.form == trained.form
    assert read.settings == trained.settings
    assert read.reason == trained.reason
    assert all(torch.equal(read.tensors[name], tensor) for name, tensor in trained.tensors.items())
    (file,) = (tmp_path / "trained").glob("*.safetensors")
    assert size == file.stat().st_size


def test_a_later_attempt_takes_the_place_of_an_earlier_one(tmp_path):
    write_trained(tmp_path, PEFT, True, CELL)
    write_trained(tmp_path, STATE, True, CELL)
    assert sorted(path.name for path in (tmp_path / "trained").iterdir()) == ["manifest.json", "state.safetensors"]
    assert write_trained(tmp_path, STATE, False, CELL) == 16
    assert not list(tmp_path.iterdir()), "tensors of an attempt whose record is gone belong to nobody"


def test_what_cannot_be_written_leaves_what_was_there(tmp_path):
    write_trained(tmp_path, STATE, True, CELL)
    (tmp_path / "trained").chmod(0o755)
    with pytest.raises(TypeError):
        write_trained(tmp_path, Trained(PEFT.tensors, {"r": object()}), True, CELL)
    assert read_trained(tmp_path, CELL).form == "state"
    assert [path.name for path in tmp_path.iterdir()] == ["trained"]


def flip(path):
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def say(**changed):
    def change(path):
        path.write_text(json.dumps(json.loads(path.read_bytes()) | changed))

    return change


DAMAGE = {
    "a bit": ("adapter_model.safetensors", flip, "the file has changed since it was written"),
    "cut": ("adapter_model.safetensors", lambda path: path.write_bytes(path.read_bytes()[:9]), "the file has changed"),
    "settings": ("adapter_config.json", lambda path: path.write_text('{"r": 4}'), "the file has changed"),
    "gone": ("adapter_config.json", lambda path: path.unlink(), "the file is missing"),
    "no manifest": ("manifest.json", lambda path: path.unlink(), "nobody knows whose tensors"),
    "no JSON": ("manifest.json", lambda path: path.write_text("{"), "no JSON"),
    "a list": ("manifest.json", lambda path: path.write_text("[]"), "not a manifest"),
    "newer": ("manifest.json", say(version=9), "version 9 is newer than the 1 known here; update bench"),
    "form": ("manifest.json", say(form="pickle"), "not a manifest"),
    "files": ("manifest.json", say(files=3), "not a manifest"),
    "foreign": ("manifest.json", say(cell="b" * 64), "is of another cell than the record beside it"),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_what_is_damaged_or_foreign_is_refused_in_a_line(tmp_path, name):
    write_trained(tmp_path, PEFT, True, CELL)
    file, damage, message = DAMAGE[name]
    damage(tmp_path / "trained" / file)
    with pytest.raises(UserError, match=message) as refused:
        read_trained(tmp_path, CELL)
    assert "\n" not in str(refused.value)


def test_nothing_kept_and_links_are_refused(tmp_path):
    with pytest.raises(UserError, match="save_trained=false, or it was moved away"):
        read_trained(tmp_path, CELL)
    write_trained(tmp_path, PEFT, True, CELL)
    elsewhere = tmp_path / "elsewhere"
    shutil.move(tmp_path / "trained/adapter_model.safetensors", elsewhere)
    (tmp_path / "trained/adapter_model.safetensors").symlink_to(elsewhere)
    with pytest.raises(UserError, match="is a link"):
        read_trained(tmp_path, CELL)
