"""What the Tab key offers in bash; tests/package presses it."""

import pytest

OFFERED = {
    "a command": ("bench fi", {"findings"}),
    "every command": ("bench ", {"run", "table", "doctor"}),
    "a model in its folder": ("bench run model=miniature/", {"model=miniature/llama", "model=miniature/roberta"}),
    "another of several methods": ("bench sweep method=lora,ia", {"method=lora,ia3"}),
    "a key of the cell": ("bench run training.learn", {"training.learning_rate="}),
    "a setting of the method that was chosen": ("bench run method=adapter_s method.bott", {"method.bottleneck="}),
    "a setting of the command's own": ("bench sweep experiment=miniature/glue dry", {"dry_run="}),
    "its words": ("bench table format=l", {"format=latex"}),
    "a word that is not there yet": ("bench sweep only=failed,", {"only=failed,out_of_memory"}),
    "an experiment": ("bench table experiment=miniature/g", {"experiment=miniature/glue"}),
    "a file": ("bench run results_dir=./here", {"results_dir=./hereabouts"}),
    "one's own": ("bench run --config-dir mine method=only", {"method=only_mine"}),
}
NOTHING = {
    "of a command that is not there": "bench rnu model=",
    "of cells, where a command takes none": "bench findings training.",
    "after what cannot be composed": "bench run method=nobody training.",
    "after a file that cannot be read": "bench run --config-dir mine method=broken training.",
}


@pytest.fixture
def offered(bench, tmp_path, monkeypatch):
    (tmp_path / "hereabouts").mkdir()
    (tmp_path / "mine" / "method").mkdir(parents=True)
    (tmp_path / "mine" / "method" / "only_mine.yaml").write_text("name: only_mine\n")
    (tmp_path / "mine" / "method" / "broken.yaml").write_text("name: [\n")

    def ask(line):
        monkeypatch.setenv("COMP_LINE", line)
        monkeypatch.setenv("COMP_POINT", str(len(line)))
        result = bench("-sc", "query=bash")
        assert (result.returncode, result.stderr) == (0, "")
        return set(result.stdout.split())

    return ask


@pytest.mark.parametrize("what", OFFERED)
def test_offered(offered, what):
    line, expected = OFFERED[what]
    found = offered(line)
    assert expected <= found
    typed = line.rpartition(" ")[2]
    assert all(choice.startswith(typed) for choice in found)


@pytest.mark.parametrize("what", NOTHING)
def test_nothing(offered, what):
    assert offered(NOTHING[what]) == set()


def test_only_what_stands_before_the_cursor_counts(bench, monkeypatch):
    monkeypatch.setenv("COMP_LINE", "bench fin experiment=miniature/glue")
    monkeypatch.setenv("COMP_POINT", "9")
    assert bench("-sc", "query=bash").stdout.split() == ["findings"]


def test_another_shell_is_refused_in_a_line(bench):
    for words in (["install=fish"], [], ["install=bash", "query=bash"]):
        result = bench("-sc", *words)
        assert result.returncode == 2
        assert result.stderr.startswith("bench: bash alone is completed")
        assert len(result.stderr.splitlines()) == 1
