"""What is decided for SLURM before it is asked; `sinfo` is a stand-in that prints what a site's would."""

import os
import stat

import pytest

from bench.errors import UserError
from bench.sweeping.launchers.slurm import has_gpus, names_gpus, private_folder

SITE = {"debug*": "(null)", "a100": "gpu:a100:4(S:0-1)", "cpu": "(null)"}  # the star: the site's default


@pytest.fixture
def sinfo(tmp_path, monkeypatch):
    """Prints the partitions that are asked for, all of them if none is; returns how to say which is the default."""
    program = tmp_path / "bin/sinfo"
    program.parent.mkdir()

    def partitions(**site):
        rows = "\n".join(f"{name}|{gres}" for name, gres in site.items())
        program.write_text(f"""#!/bin/sh
for word; do case $word in --partition=*) wanted=${{word#--partition=}};; esac; done
rows='{rows}'
if [ -z "$wanted" ]; then echo "$rows"; exit; fi
echo "$rows" | grep -E "^($(echo "$wanted" | tr , '|'))[*]?[|]" && exit
echo "sinfo: error: invalid partition specified: $wanted" >&2; exit 1
""")
        program.chmod(0o755)

    partitions(**SITE)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.delenv("SBATCH_PARTITION", raising=False)
    return partitions


def test_gpus_are_asked_for_where_the_named_partition_has_some(sinfo):
    assert has_gpus("a100")
    assert has_gpus("cpu,a100")
    assert not has_gpus("cpu")


def test_without_a_name_only_the_partition_counts_that_slurm_would_take(sinfo, monkeypatch):
    assert not has_gpus(None), "the default one has none, whatever others have"
    monkeypatch.setenv("SBATCH_PARTITION", "a100")
    assert has_gpus(None), "sbatch goes by this variable"
    monkeypatch.delenv("SBATCH_PARTITION")
    sinfo(**{"debug": "(null)", "a100*": "gpu:4"})
    assert has_gpus(None)


def test_an_unknown_partition_is_one_line(sinfo):
    with pytest.raises(UserError, match="hydra/launcher=slurm: sinfo: error: invalid partition specified: nowhere"):
        has_gpus("nowhere")


@pytest.mark.parametrize(
    "settings",
    [{"gpus_per_node": 2}, {"gpus_per_node": 0}, {"gres": "gpu:a100:1"}, {"additional_parameters": {"gpus": 1}},
     {"additional_parameters": {"gpus-per-task": 1}}, {"additional_parameters": {"requeue": True, "gres": "gpu:1"}}],
)  # fmt: skip
def test_what_the_user_says_of_gpus_is_left_alone(settings):
    assert names_gpus(settings)


def test_other_settings_say_nothing_of_gpus():
    assert not names_gpus({"partition": "a100", "mem_gb": 4, "additional_parameters": {"requeue": True}})
    assert not names_gpus({"additional_parameters": None})


def test_submitits_files_are_in_a_new_folder_that_only_the_user_may_write(tmp_path):
    planted = tmp_path / ".slurm/7"
    planted.mkdir(parents=True)
    (planted / "7_0_result.pkl").write_bytes(b"not ours")
    first, second = private_folder(None, tmp_path), private_folder(None, tmp_path)
    assert first != second
    assert first.parent == second.parent == tmp_path / ".slurm"
    assert not list(first.iterdir())
    assert stat.S_IMODE(first.stat().st_mode) == 0o700


def test_a_folder_of_the_users_choice_is_the_place_of_the_new_one(tmp_path):
    assert private_folder(str(tmp_path / "logs/%j"), tmp_path / "results").parent == tmp_path / "logs"
    assert private_folder(str(tmp_path / "logs"), tmp_path / "results").parent == tmp_path / "logs"


def test_a_link_out_of_the_results_folder_is_refused(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "results").mkdir()
    (tmp_path / "results/.slurm").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UserError, match="leads out of the results folder"):
        private_folder(None, tmp_path / "results")
    assert not list((tmp_path / "elsewhere").iterdir())


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"no folder can be made in .*file"):
        private_folder(str(tmp_path / "file/%j"), tmp_path)
