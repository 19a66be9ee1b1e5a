"""What is shown is what the records give: in this repository, and wherever somebody edits one of the two."""

from pathlib import Path

import pytest
import yaml

from scripts import published
from tests.tables.made_records import make_record, save

EXPERIMENT, ENTRY = "miniature/glue", "mine miniature/glue miniature/roberta lora sst2.accuracy"
FOLDER = Path("results/published/mine")
PAGE = f"""# Ours
LoRA has 71.3<!-- = {ENTRY} --> %, about 71<!-- = {ENTRY} -->.

<!-- shows: mine/tables/miniature-glue.txt -->
```
anything
```
"""


def test_of_this_repository(monkeypatch):
    monkeypatch.chdir(published.ROOT)
    assert published.check() == []


@pytest.fixture
def mine(tmp_path, monkeypatch):
    """A repository with one publication, written anew."""
    monkeypatch.chdir(tmp_path)
    for seed in range(3):
        for method, accuracy in (("full", 0.8), ("lora", 0.7125)):
            save(
                FOLDER / "records", make_record(method=method, seed=seed, scores={"accuracy": accuracy + 0.0001 * seed})
            )
    told = {"title": "Mine", "machine": "a laptop", "commands": ["bench sweep"], "tables": [EXPERIMENT]}
    (FOLDER / "publication.yaml").write_text(yaml.safe_dump(told | {"echoes": [EXPERIMENT]}))
    Path("docs").mkdir()
    Path("README.md").write_text(PAGE)
    published.write()
    return tmp_path


def test_tables_findings_and_a_page_come_from_records_and_are_the_same_each_time(mine):
    assert published.check() == []
    page = (FOLDER / "README.md").read_text()
    assert "- **Machine**: a laptop" in page
    assert "- **Days**: 2026-01-01 to 2026-01-01; 6 cells" in page
    assert "comparisons of the survey's Table III agree" in page
    names = {path.name for path in (FOLDER / "tables").iterdir()}
    assert names == {f"miniature-glue.{suffix}" for suffix in ("txt", "md", "tex", "wide.csv", "long.csv")}
    assert (FOLDER / "tables/miniature-glue.txt").read_text() in Path("README.md").read_text(), "in the README's block"


def test_a_record_that_changes_is_noticed_in_every_file(mine):
    path = next(path for path in (FOLDER / "records").rglob("record.json") if "0.7125" in path.read_text())
    path.write_text(path.read_text().replace("0.7125", "0.9125"))
    wrong = published.check()
    assert f"{FOLDER}/tables/miniature-glue.txt is not what the records give" in wrong
    assert f"{FOLDER}/README.md is not what the records give" in wrong
    assert "README.md: 71.3 is 77.9 by the records of miniature/glue in mine" in wrong


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ("71.3<", "71.2<", "README.md: 71.2 is 71.3 by the records of miniature/glue in mine"),
        (" lora ", " loras ", "names no entry of a published table"),
        (
            "tables/miniature-glue.txt -->",
            "tables/other.txt -->",
            "README.md: shows mine/tables/other.txt, which",
        ),
        ("lora", "loar", "README.md: shows another mine/tables/miniature-glue.txt than there is"),
        (
            "<!-- shows: mine/tables/miniature-glue.txt -->\n",
            "<!-- shows: mine -->\n\n",
            "of which 2 can be read",
        ),
    ],
)
def test_a_page_that_shows_something_else_is_told_of(mine, before, after, told):
    text = Path("README.md").read_text()
    first = text.index(before) if before != "lora" else text.rindex(before)
    Path("README.md").write_text(text[:first] + after + text[first + len(before) :])
    assert any(told in line for line in published.check()), published.check()


def test_files_that_come_from_no_record_and_files_that_are_missing_are_told_of(mine):
    (FOLDER / "tables" / "better.csv").write_text("1")
    (FOLDER / "tables" / "miniature-glue.tex").unlink()
    assert published.check() == [
        f"{FOLDER}/tables/miniature-glue.tex is not there",
        f"{FOLDER}/tables/better.csv comes from no record",
    ]


@pytest.mark.parametrize(("change", "told"), [({"figures": 1}, "figures"), ({"title": None}, "title")])
def test_a_publication_that_says_something_else_is_refused_in_a_line(mine, change, told, monkeypatch, capsys):
    path = FOLDER / "publication.yaml"
    data = {key: value for key, value in (yaml.safe_load(path.read_text()) | change).items() if value is not None}
    path.write_text(yaml.safe_dump(data))
    monkeypatch.setattr(published, "ROOT", mine)
    assert published.main([]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"published: {path}: {told}; a publication has commands, echoes,")


def test_the_command_counts_what_is_wrong(mine, monkeypatch, capsys):
    monkeypatch.setattr(published, "ROOT", mine)
    assert published.main([]) == 0
    (FOLDER / "tables" / "miniature-glue.md").write_text("")
    assert published.main([]) == 1
    assert published.main(["--write"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "1 publications; not as their records give it: nothing",
        f"{FOLDER}/tables/miniature-glue.md is not what the records give",
        "1 publications; not as their records give it: 1",
        "1 publications; not as their records give it: nothing",
    ]
