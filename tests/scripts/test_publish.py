"""`make publish`: what is refused, in which order stages run, what fits the time, and what a summary says of it all."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bench.errors import UserError
from scripts import publish
from scripts.publishing.publisher import Publisher
from scripts.publishing.stages import Setting, Size, Stage, stages_of
from scripts.publishing.state import State, Status
from tests.patience import wait_for

ROOT = Path(__file__).parents[2]
MACHINE = {
    "doctor": [],
    "environment": {
        "driver": None, "cuda": None, "cpu": "a CPU", "python": "3.12", "libraries": {"torch": "2"},
        "git": {"commit": "abc", "dirty": False},
    },
    "gpus": [],
}  # fmt: skip


def python(*lines):
    return ("-c", "\n".join(lines))


def stage(name, *commands, **options):
    return Stage(name, f"what {name} measures", f"why {name} matters", commands or (python("print('ran')"),), **options)


@pytest.fixture
def published(tmp_path):
    """Run stages for so many seconds, as a call of its own; returns how they stand, and the summary."""

    def call(*stages, seconds=60.0, rehearsal=False):
        state = State.of(tmp_path, "mine", rehearsal=rehearsal)
        call.failed = Publisher(state, stages, MACHINE, {}).run(time.monotonic() + seconds)
        known = json.loads((tmp_path / "publish.json").read_text())["stages"]
        return {name: one["status"] for name, one in known.items()}, (tmp_path / "summary.md").read_text()

    return call


@pytest.mark.parametrize(
    "name", ["", " ", "..", ".", "a/b", "/etc", "../a100", "a..b", ".hidden", "-x", "a b", "a\nb", "a;b", "x" * 65]
)
def test_a_machine_has_a_plain_name(name, capsys, tmp_path):
    assert publish.main([f"--machine={name}", "--published", str(tmp_path)]) == 2
    captured = capsys.readouterr()
    assert captured.err.startswith("publish: MACHINE=")
    assert captured.err.count("\n") == 1
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("hours", ["0", "-1", "nan", "inf", "two", "", "1h"])
def test_hours_are_a_positive_number(hours, capsys, tmp_path):
    assert publish.main(["--machine", "a100-80gb", f"--hours={hours}", "--published", str(tmp_path)]) == 2
    captured = capsys.readouterr()
    assert (
        captured.err == f"publish: HOURS={hours}: a positive number of hours is needed, such as HOURS=2 or HOURS=0.5\n"
    )
    assert not list(tmp_path.iterdir())


def test_without_a_gpu_there_is_nothing_to_publish(capsys, tmp_path, monkeypatch):
    monkeypatch.setattr(publish, "looked_at", lambda _: MACHINE)
    assert publish.main(["--machine", "mine", "--published", str(tmp_path)]) == 2
    assert "SIZE=miniature" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_make_hands_over_what_it_is_given():
    command = ["make", "-n", "publish", "MACHINE=mine", "HOURS=3", "SIZE=miniature", "DATA=/data"]
    said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert "-m scripts.publish --machine='mine' --hours='3' --size='miniature' --data='/data' --roberta=''" in said


@pytest.mark.parametrize("size", Size)
def test_stages_come_in_the_order_of_their_value(size, tmp_path):
    kinds = [one.name.partition("-")[0] for one in stages_of(Setting(tmp_path, size), tmp_path)]
    assert list(dict.fromkeys(kinds)) == ["gpu", "memory", "trainer", "mmlu", "glue"]


def test_the_large_stages_are_of_cells_that_there_are(tmp_path, bench):
    """What is run at full size cannot be tried here; that every command is understood can."""
    from scripts.compare_trainer import CELLS  # with torch, which takes a call of its own seconds to import

    stages = stages_of(Setting(Path("x"), Size.full), tmp_path)
    sweeps = [command[2:] for one in stages for command in one.commands if command[:3] == ("-m", "bench", "sweep")]
    chosen = [sweep for sweep in sweeps if any(word.endswith(("t5_large", "llama_13b", "glue/rte")) for word in sweep)]
    assert len(chosen) == 3
    for sweep in chosen:
        dry = bench(*sweep, "dry_run=true")
        assert dry.returncode == 0, dry.stderr
    trainers = [one.commands[0] for one in stages if one.name.startswith("trainer")]
    named = [word for command in trainers for word in command[3 : command.index("--rounds")]]
    assert named == ["roberta_lora", "roberta_full", "t5_lora", "llama_1b_lora"]
    assert set(named) <= set(CELLS)


def test_stages_that_are_done_are_not_run_again(published, tmp_path):
    count = python(f"open({str(tmp_path / 'count')!r}, 'a').write('x')")
    flaky = python(f"import os; os.path.exists({str(tmp_path / 'mended')!r}) or exit('broken')")
    stages = (stage("first", count), stage("second", flaky), stage("third", count))
    standing, summary = published(*stages)
    assert standing == {"first": "done", "second": "failed", "third": "done"}, "one's failure is no other's"
    assert published.failed
    assert "**second** (why second matters): failed: exit code 1: broken" in summary
    (tmp_path / "mended").touch()
    standing, summary = published(*stages)
    assert set(standing.values()) == {"done"}
    assert not published.failed
    assert (tmp_path / "count").read_text() == "xx"
    assert "Nothing is missing." in summary


def test_a_stage_that_has_other_commands_by_now_is_run_again(published):
    published(stage("first", python("print(1)")))
    _, summary = published(stage("first", python("print(2)")))
    assert "| done | " in summary
    assert summary.count("| 2 |") == 1


def test_what_does_not_fit_the_time_is_said_to_be_missing(published, tmp_path):
    table = python(f"open({str(tmp_path / 'table')!r}, 'w')")
    slow = stage("slow", python("import time", "print('step 3 of 9', flush=True)", "time.sleep(60)"), tables=(table,))
    begin = time.monotonic()
    standing, summary = published(stage("first"), slow, stage("late"), seconds=3.0)
    assert time.monotonic() - begin < 20
    assert standing == {"first": "done", "slow": "out of time", "late": "not run"}
    assert (tmp_path / "table").exists(), "of what there is"
    assert not published.failed, "too little time is no failure"
    assert "1 of 3 stages are done" in summary
    assert "**slow** (why slow matters): out of time: stopped when the time was up" in summary
    assert "**late** (why late matters): not run: the time was up" in summary


def test_a_command_that_does_not_mind_is_killed_in_the_end(published, monkeypatch):
    monkeypatch.setattr("scripts.publishing.running.GRACE", 0.5)
    deaf = python("import signal, time", "signal.signal(signal.SIGINT, signal.SIG_IGN)", "time.sleep(60)")
    begin = time.monotonic()
    standing, _ = published(stage("deaf", deaf), seconds=1.0)
    assert time.monotonic() - begin < 20
    assert standing == {"deaf": "out of time"}


def test_what_is_not_possible_here_is_said_with_its_reason(published):
    trial = python("import sys", "print('bench: no RoBERTa here', file=sys.stderr)", "sys.exit(2)")
    standing, summary = published(stage("tried", trial=trial), stage("known", lacks="no lm-eval"), stage("last"))
    assert standing == {"tried": "not possible here", "known": "not possible here", "last": "done"}
    assert "**tried** (why tried matters): not possible here: bench: no RoBERTa here" in summary
    assert "**known** (why known matters): not possible here: no lm-eval" in summary
    assert not published.failed


def test_a_command_that_is_killed_has_failed(published):
    standing, summary = published(stage("first", python("import os", "os.kill(os.getpid(), 9)")))
    assert standing == {"first": "failed"}
    assert "killed by SIGKILL" in summary


CALL = """
import sys, time
from pathlib import Path
from scripts.publishing.publisher import Publisher
from scripts.publishing.state import State
from tests.scripts.test_publish import MACHINE, stage, python
import signal
signal.signal(signal.SIGTERM, signal.default_int_handler)
stages = [stage("first"), stage("second", python("import time", "time.sleep(60)")), stage("third")]
Publisher(State.of(Path(sys.argv[1]), "mine", rehearsal=False), stages, MACHINE, {}).run(time.monotonic() + 60)
"""


@pytest.fixture
def in_its_second_stage(tmp_path):
    """A call that is just running its second stage: its process, and how to read its state."""
    process = subprocess.Popen([sys.executable, "-c", CALL, str(tmp_path)], cwd=ROOT, stderr=subprocess.PIPE)

    def state():
        path = tmp_path / "publish.json"
        return json.loads(path.read_text())["stages"] if path.exists() else {}

    wait_for(lambda: state().get("second", {}).get("process"))
    yield process, state
    process.kill()
    process.communicate()


def test_the_summary_of_a_killed_call_is_true_and_the_next_call_goes_on(in_its_second_stage, tmp_path, published):
    process, state = in_its_second_stage
    process.send_signal(signal.SIGKILL)
    process.wait()
    summary = (tmp_path / "summary.md").read_text()
    assert "1 of 3 stages are done" in summary
    assert "**second** (why second matters): running: no end of it is known" in summary
    assert "**third** (why third matters): not run: its turn has not come" in summary
    left, _ = state()["second"]["process"]
    with pytest.raises(UserError, match=f"second of an earlier call still runs \\(process {left}\\); end it first"):
        published(stage("first"))
    os.kill(left, signal.SIGKILL)
    wait_for(lambda: not Path(f"/proc/{left}").exists())
    assert State.of(tmp_path, "mine", rehearsal=False).stages["second"].status == Status.interrupted
    standing, _ = published(stage("first"), stage("second"), stage("third"))
    assert set(standing.values()) == {"done"}


def test_an_interrupted_call_ends_what_it_has_started(in_its_second_stage, tmp_path):
    process, state = in_its_second_stage
    started, _ = state()["second"]["process"]
    process.send_signal(signal.SIGTERM)
    process.wait()
    wait_for(lambda: not Path(f"/proc/{started}").exists())
    assert state()["second"]["status"] == "interrupted"
    assert "**second** (why second matters): interrupted" in (tmp_path / "summary.md").read_text()


def test_a_rehearsal_says_so_and_is_never_mixed_with_a_measurement(published, tmp_path):
    _, summary = published(stage("first"), rehearsal=True)
    assert summary.splitlines()[2].startswith("**This is a rehearsal and no measurement** (rehearsal: true)")
    assert json.loads((tmp_path / "publish.json").read_text())["rehearsal"] is True
    with pytest.raises(UserError, match="holds a rehearsal, and this is a measurement; take another MACHINE"):
        published(stage("first"), rehearsal=False)


def test_a_rehearsal_from_the_command_line(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(publish, "looked_at", lambda _: MACHINE)
    monkeypatch.setattr(publish, "stages_of", lambda *_: [stage("first")])
    call = ["--machine=mine", "--hours=0.01", "--size=miniature", f"--published={tmp_path}"]
    assert publish.main(call) == 0
    assert capsys.readouterr().out == f"first: done  ran\nsummary: {tmp_path}/mine/summary.md\n"
    assert json.loads((tmp_path / "mine" / "machine.json").read_text())["rehearsal"] is True
    assert (tmp_path / "mine" / ".gitignore").read_text().endswith("\n*\n"), "not committed by accident"


def test_one_folder_is_of_one_kind_of_gpu(tmp_path):
    path = tmp_path / "machine.json"
    publish.remember(path, MACHINE | {"gpus": [{"name": "A100", "memory": 1}]})
    with pytest.raises(UserError, match=r"was measured on \['A100'\], and this is \['H100'\]; take another MACHINE"):
        publish.remember(path, MACHINE | {"gpus": [{"name": "H100", "memory": 1}]})


def test_git_takes_records_and_leaves_out_what_is_large():
    folder = "results/published/mine/records/survey/glue/cell"
    names = [
        "record.json",
        "trained/adapter_config.json",
        "trained/state.safetensors",
        "predictions.json",
        "checkpoint/step-1.json",
        "claim-1.json",
    ]
    names = [f"{folder}/{name}" for name in names] + ["results/published/mine/summary.md", "results/other/record.json"]
    said = subprocess.run(["git", "check-ignore", *names], cwd=ROOT, capture_output=True, text=True, check=False).stdout
    kept = set(names) - set(said.splitlines())
    assert kept == {f"{folder}/record.json", "results/published/mine/summary.md"}
