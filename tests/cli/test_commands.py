"""What a user sees at the command line."""

import importlib.metadata
import json
import time
from types import SimpleNamespace

import pytest

from bench.cli.commands import HELP, run_command

MISTAKES = {
    "no such command": (["swep"], "unknown command 'swep'; did you mean sweep"),
    "no such model": (["run", "model=miniature/robert"], "did you mean miniature/roberta"),
    "no such task": (["run", "task=glue/colla"], "did you mean glue/cola"),
    "no such method": (["run", "method=bitfti"], "unknown method 'bitfti'; did you mean bitfit"),
    "no such experiment": (["sweep", "experiment=miniature/glu"], "did you mean miniature/glue"),
    "no such method in a filter": (["sweep", "experiment=miniature/glue", "method=lora,bitfti"], "did you mean bitfit"),
    "no experiment": (["sweep"], "name the experiment"),
    "no such setting": (["run", "training.lr=1"], "unknown setting of training 'lr'"),
    "no such setting, insisted on": (["run", "+training.lr=1"], "unknown setting of training 'lr'"),
    "no such method setting": (["run", "method.rank=4"], "unknown setting of method 'rank'"),
    "a word for a number": (["run", "training.batch_size=many"], "could not be converted to Integer"),
    "no such schedule": (["run", "training.schedule=steep"], "expected one of [linear, constant, cosine]"),
    "a number out of range": (
        ["run", "training.learning_rate=-1"],
        "training.learning_rate=-1.0 must be greater than 0",
    ),
    "a micro-batch that does not divide": (["run", "training.micro_batch_size=5"], "must be a divisor of 32"),
    "a task of another family": (["run", "task=miniature/wmt16"], "needs a model of the family 'encoder_decoder'"),
    "a rank of zero": (["run", "method.r=0"], "method.r=0 must be 1 or more"),
    "a rank of zero for the library, in a preview": (
        ["show", "method=peft/any", "peft.type=LORA", "peft.r=0"],
        "peft.r=0 must be greater than 0",
    ),
    "a model without files": (["run", "model=encoder"], "add model.path=FOLDER"),
    "a folder without a model": (["run", "model=encoder", "model.path=."], "config.json is missing"),
    "a folder without data": (["run", "data.root=nowhere", "task=glue/rte"], "data.root=nowhere: no such folder"),
    "a status that is not known": (["sweep", "experiment=miniature/glue", "only=faild"], "did you mean failed"),
    "a timeout of nothing": (["sweep", "experiment=miniature/glue", "timeout=0"], "timeout=0 must be greater than 0"),
    "a device that is not there": (["run", "device=tpu"], "device=tpu must be auto, cpu or cuda"),
    "an architecture without a type": (
        ["plan", "+model.architecture.x=1"],
        "missing 1 required positional argument: 'model_type'",
    ),
    "broken grammar": (["run", "method.r=["], "bench: "),
    "a bare word": (["run", "lora"], "settings are key=value"),
    "a table of nothing": (["table", "experiment=miniature/glue"], "bench sweep experiment=miniature/glue"),
    "a table without an experiment": (["table"], "name the experiment"),
    "a format that is not known": (["findings", "format=pdf"], "unknown format 'pdf'"),
    "a setting that a table lacks": (["table", "experiment=miniature/glue", "fromat=csv"], "did you mean format"),
    "a table's format that is not known": (
        ["table", "experiment=miniature/glue", "format=csv,pdf"],
        "unknown format 'pdf'",
    ),
    "a level that is no number": (["table", "experiment=miniature/glue", "level=high"], "level=high must be between"),
    "neither true nor false": (["table", "experiment=miniature/glue", "interval=yes"], "must be true or false"),
    "a figure without its place": (["reference", "set", "table=III"], "bench: "),
    "a config folder that is not there": (["run", "--config-dir", "nowhere"], "no such folder"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_one_clear_line_and_exit_code_2(bench, tmp_path, mistake):
    arguments, expected = MISTAKES[mistake]
    result = bench(*arguments)
    assert result.returncode == 2, result.stderr
    assert expected in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1
    assert "Traceback" not in result.stderr
    assert not list(tmp_path.rglob("record.json"))


def test_help_is_there_for_every_command_with_an_example(bench):
    assert bench("--help").returncode == 0
    for command in HELP:
        result = bench(command, "--help")
        assert result.returncode == 0
        assert f"\n  bench {command}" in result.stdout


def test_help_does_not_import_anything_heavy(bench_process):
    begin = time.monotonic()
    bench_process("--help")
    assert time.monotonic() - begin < 5  # not a benchmark: importing torch alone takes longer on a busy machine


def test_run_prints_the_score_and_the_path_and_does_not_run_again(bench, bench_process, tmp_path):
    command = ["run", "training.max_steps=2", "data.limit_train=64", "data.limit_evaluation=16"]
    first = bench_process(*command)
    assert first.returncode == 0, first.stderr
    score, path = first.stdout.strip().splitlines()
    assert score.startswith("accuracy: ")
    record = json.loads((tmp_path / path).read_text())
    assert record["status"] == "done"

    second = bench(*command)
    assert second.stdout == first.stdout
    assert "is done already" in second.stderr
    assert json.loads((tmp_path / path).read_text()) == record

    forced = bench(*command, "force=true")
    assert forced.returncode == 0
    assert json.loads((tmp_path / path).read_text())["environment"]["start"] > record["environment"]["start"]
    assert len(list((tmp_path / path).parent.glob("attempt-*.json"))) == 1


def test_a_corrupt_record_is_named_and_kept(bench, tmp_path):
    command = ["run", "training.max_steps=1", "data.limit_train=32", "data.limit_evaluation=8"]
    path = tmp_path / bench(*command).stdout.strip().splitlines()[-1]
    path.write_text('{"schema_version": 1, "cell"')
    result = bench(*command)
    assert result.returncode == 2
    assert str(path.name) in result.stderr
    assert path.read_text() == '{"schema_version": 1, "cell"'


def test_a_record_of_a_newer_schema_is_refused(bench, tmp_path):
    command = ["run", "training.max_steps=1", "data.limit_train=32", "data.limit_evaluation=8"]
    path = tmp_path / bench(*command).stdout.strip().splitlines()[-1]
    path.write_text(json.dumps(json.loads(path.read_text()) | {"schema_version": 99}))
    result = bench(*command)
    assert result.returncode == 2
    assert "newer" in result.stderr


def test_an_unreadable_results_folder(bench, tmp_path):
    (tmp_path / "results").write_text("a file where the folder should be")
    for command in (["run"], ["sweep", "experiment=miniature/glue"]):
        result = bench(*command, "training.max_steps=1")
        assert result.returncode == 2
        assert len(result.stderr.strip().splitlines()) == 1
    assert (tmp_path / "results").read_text() == "a file where the folder should be"


def test_missing_data_leave_nothing_behind(bench, tmp_path):
    result = bench("run", "task=glue/rte", f"data.root={tmp_path / 'nowhere'}")
    assert result.returncode == 2
    assert "nowhere" in result.stderr
    assert not [path for path in (tmp_path / "results").rglob("*") if "rte" in path.name]


def doctor(capsys, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")  # nothing is asked of the network
    assert run_command(["doctor"]) == 0
    return " ".join(capsys.readouterr().out.split())


def test_doctor_says_plainly_what_is_not_measured_without_a_gpu(monkeypatch, capsys):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    said = doctor(capsys, monkeypatch)
    assert f"torch {importlib.metadata.version('torch')}" in said
    assert "missing GPU no CUDA device" in said
    for consequence in ("CUDA fields are null", "missing not measured here GPU memory", "tests marked gpu are skipped"):
        assert consequence in said


def test_doctor_says_where_a_gpu_cannot_be_used(monkeypatch, capsys):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    monkeypatch.setattr("bench.cli.doctor.visible_gpus", lambda: ["0", "1"])
    assert "missing GPU 2 there, but torch" in doctor(capsys, monkeypatch)


def test_doctor_names_the_gpu(monkeypatch, capsys):
    device = SimpleNamespace(name="Made-up A1", total_memory=80 * 2**30)
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 1)
    monkeypatch.setattr("torch.cuda.get_device_properties", lambda index: device)
    said = doctor(capsys, monkeypatch)
    assert "ok GPU Made-up A1, 80 GiB" in said
    assert "not measured here" not in said


def test_a_method_of_the_users_own_needs_no_change_of_the_package(bench, bench_process, tmp_path):
    folder = tmp_path / "mine"
    (folder / "method").mkdir(parents=True)
    (folder / "only_norms.py").write_text(
        "from dataclasses import dataclass\n"
        "from bench.methods.base import Method\n"
        "from bench.methods.trainable import freeze\n"
        "@dataclass(kw_only=True)\n"
        "class OnlyNorms(Method):\n"
        "    def apply(self, model, setting):\n"
        "        freeze(model)\n"
        "        for name, parameter in model.named_parameters():\n"
        "            parameter.requires_grad_('LayerNorm' in name)\n"
        "        return model\n"
    )
    (folder / "method" / "norms.yaml").write_text(
        "_target_: only_norms.OnlyNorms\nname: norms\ntitle: Only norms\ncategory: partial\npaper: none\n"
    )
    short = ["training.max_steps=2", "data.limit_train=64", "data.limit_evaluation=16"]
    result = bench("run", "--config-dir", "mine", "method=norms", *short)
    assert result.returncode == 0, result.stderr
    record = json.loads((tmp_path / result.stdout.strip().splitlines()[-1]).read_text())
    assert record["cell"]["method"] == "norms"
    assert record["parameters"]["method"] > 0

    swept = bench_process("run", "-m", "--config-dir", "mine", "method=norms", "seed=1,2", *short)
    assert swept.returncode == 0, swept.stderr
    assert len(list(tmp_path.rglob("record.json"))) == 3
