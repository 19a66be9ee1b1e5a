"""What the code of a class of the user's own is."""

import sys

from bench.identity.sources import own_classes, source_of


def write(folder, **files):
    for name, text in files.items():
        file = folder / f"{name.replace('__', '/')}.py"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)


def test_classes_of_ones_own_are_found_at_any_depth():
    config = {
        "method": {"_target_": "bench.methods.compose.Compose", "parts": {"a": {"_target_": "mine.Method"}}},
        "task": {"_target_": "other.Task", "metrics": [{"_target_": "mine.Metric"}, 3]},
        "seed": 0,
    }
    assert own_classes(config) == {"mine.Method", "other.Task", "mine.Metric"}


def test_a_change_in_the_file_or_in_what_it_imports_is_seen(tmp_path):
    write(
        tmp_path,
        own="import torch, json\nfrom near import f\nimport pack.deep\n",
        near="from pack import side\n",
        pack__deep="from . import beside\nfrom .side import g\n",
        pack__beside="",
        pack__side="",
        unused="",
    )
    names = ["near.py", "own.py", "pack/beside.py", "pack/deep.py", "pack/side.py"]
    before = source_of("own.Method", [str(tmp_path)])
    assert before["files"] == names
    assert before["folder"] == str(tmp_path)
    for name in names:
        file = tmp_path / name
        text = file.read_text()
        file.write_text(f"{text}# changed\n")
        assert source_of("own.Method", [str(tmp_path)])["digest"] != before["digest"], name
        file.write_text(text)
    (tmp_path / "unused.py").write_text("x = 1")
    assert source_of("own.Method", [str(tmp_path)]) == before


def test_nothing_of_it_is_run(tmp_path):
    write(tmp_path, own="raise SystemExit('imported')", circle="import circle, own")
    assert source_of("circle.X", [str(tmp_path)])["files"] == ["circle.py", "own.py"]
    assert "own" not in sys.modules
    write(tmp_path, broken="def (")
    assert source_of("broken.X", [str(tmp_path)])["files"] == ["broken.py"]


def test_a_class_of_an_installed_package_is_followed_within_it():
    found = source_of("omegaconf.dictconfig.DictConfig")
    assert "omegaconf/base.py" in found["files"]
    assert all(name.startswith("omegaconf/") for name in found["files"])


def test_the_packages_own_classes_and_missing_ones_have_none():
    assert source_of("bench.methods.lora.Lora") is None
    assert source_of("no_such_module.Class") is None
