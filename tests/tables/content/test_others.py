"""Others' figures, from files of the user's: beside ours in every format, apart from them, part of nothing of ours."""

import io
from pathlib import Path

import pandas as pd
import pytest
import yaml
from rich.console import Console

from bench.errors import UserError
from bench.tables import Options, Table, make_table, render_text, to_csv, to_latex, to_markdown
from bench.tables.figures.drawing import figures_of
from bench.tables.page.html import to_html
from tests.tables.golden_records import EXPERIMENT, write_golden_records

FILE = {
    "source": "Doe et al. 2027, Table 2",
    "seeds": 5,
    "conditions": "30 epochs, best checkpoint",
    "experiment": EXPERIMENT,
    "model": "miniature/roberta",
    "rows": [
        {"method": "DoRA", "values": {"cola": 63.25, "mrpc.f1": 91.5, "average": 85.125, "trainable": 12345}},
        {"method": "LoRA", "values": {"sst2": 99.75}},
    ],
}


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("results")
    write_golden_records(folder)
    return folder


def written(folder: Path, text: str | None = None, **changes: object) -> str:
    (folder / "others").mkdir(exist_ok=True)
    content = yaml.safe_dump(FILE | changes) if text is None else text
    (folder / "others" / "doe.yaml").write_text(content, encoding="utf-8")
    return str(folder)


def made(results: Path, config_dir: str | None, **options: object) -> Table:
    return make_table(str(results), EXPERIMENT, "glue", Options(**options), config_dir)


@pytest.fixture(scope="module")
def table(results: Path, tmp_path_factory: pytest.TempPathFactory) -> Table:
    return made(results, written(tmp_path_factory.mktemp("mine")))


def test_they_stand_below_ours_with_source_seeds_and_conditions_in_every_format(table, tmp_path):
    console = Console(file=io.StringIO(), width=100)
    render_text(table, console)
    texts = [console.file.getvalue(), to_markdown(table), to_latex(table), to_html([table], figures=False)]
    for text in texts:
        assert text.index("MAM") < text.index("DoRA")  # our last row, their first
        assert "Reported by others" in text
        for shown in ("63.25", "91.50", "85.12", "12.3k", "99.75"):
            assert shown in text
        assert "mean of 5 seeds; 30 epochs, best checkpoint" in text
    assert r"\midrule" + "\n" + r"\multicolumn{8}{l}{\emph{Reported by others}}" in texts[2]
    assert texts[3].count('class="others"') == 2
    wide = pd.read_csv(to_csv(table, tmp_path)[1])
    theirs = wide[wide["category"] == "Reported by others"].set_index("title")
    assert theirs.at["DoRA [1]", "cola.matthews_correlation"] == 63.25
    assert theirs["method"].isna().all()
    assert set(theirs["source"]) == {"Doe et al. 2027, Table 2; mean of 5 seeds; 30 epochs, best checkpoint"}
    assert wide[wide["method"].notna()]["source"].isna().all()


def test_nothing_of_ours_changes(table, results):
    alone = made(results, None)
    assert [block.rows for block in table.blocks] == [block.rows for block in alone.blocks]  # marks and letters too
    assert table.notes[: len(alone.notes)] == alone.notes
    assert [drawing.name for drawing in figures_of(table)] == [drawing.name for drawing in figures_of(alone)]
    assert all(
        entry.rank is None and not entry.tied for row in table.blocks[0].others for entry in row.entries.values()
    )


def test_two_sources_are_two_marks_and_one_with_unknown_seeds_says_so(results, tmp_path):
    mine = written(tmp_path, seeds=None)
    (tmp_path / "others" / "roe.yaml").write_text(yaml.safe_dump(FILE | {"source": "Roe", "rows": FILE["rows"][:1]}))
    table = made(results, mine)
    assert [row.title for row in table.blocks[0].others] == ["DoRA [1]", "LoRA [1]", "DoRA [2]"]
    assert table.notes[-2:] == [
        "[1] not ours: Doe et al. 2027, Table 2; seeds not said; 30 epochs, best checkpoint",
        "[2] not ours: Roe; mean of 5 seeds; 30 epochs, best checkpoint",
    ]


def test_those_of_another_experiment_model_or_task_stay_away(results, tmp_path):
    assert not made(results, written(tmp_path, experiment="survey/glue")).blocks[0].others
    table = made(results, written(tmp_path, model="roberta_base"))
    assert not table.blocks[0].others
    assert table.notes[-1] == "others' figures without rows of ours beside them are not shown: roberta_base"
    peaks = [{"method": "LoRA", "task": "miniature/cola", "values": {"train_peak": 30.5}}]
    memory = make_table(str(results), EXPERIMENT, "memory", None, written(tmp_path, rows=peaks))
    assert [len(block.others) for block in memory.blocks] == [1, 0, 0]


WRONG = {
    "no YAML": ({"text": "source: [\n"}, ", line 2: no YAML"),
    "no mapping": ({"text": "- 1\n"}, "must be of lines KEY: VALUE"),
    "a key that there is not": ({"sourse": "x"}, "unknown key 'sourse'; did you mean source"),
    "no source": ({"source": " "}, "source must be a text"),
    "half a seed": ({"seeds": 0.5}, "seeds=0.5 must be a number of runs"),
    "another experiment": ({"experiment": "survey/glu"}, "did you mean survey/glue"),
    "another model": ({"model": "roberta-base"}, "did you mean roberta_base"),
    "no rows": ({"rows": []}, "rows must be a list"),
    "a row without figures": ({"rows": [{"method": "DoRA"}]}, "row 1 lacks values"),
    "no method": ({"rows": [{"method": 1, "values": {"cola": 1}}]}, "row 1: method must be a text"),
    "another column": ({"rows": [{"method": "D", "values": {"colla": 1}}]}, "row 1: unknown column 'colla'"),
    "another metric": ({"rows": [{"method": "D", "values": {"mrpc.acc": 1}}]}, "no column mrpc.acc in this table"),
    "a word": ({"rows": [{"method": "D", "values": {"cola": "63±1"}}]}, "row 1: cola=63±1 is no number"),
    "not a number": ({"rows": [{"method": "D", "values": {"cola": float("nan")}}]}, "cola=nan is no number"),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_wrong_file_is_refused_in_one_line(results, tmp_path, what):
    changes, why = WRONG[what]
    with pytest.raises(UserError) as raised:
        made(results, written(tmp_path, **changes))
    said = str(raised.value)
    assert why in said
    assert "others/doe.yaml" in said
    assert "\n" not in said


def test_a_file_without_a_key_is_refused(results, tmp_path):
    text = yaml.safe_dump({key: value for key, value in FILE.items() if key != "seeds"})
    with pytest.raises(UserError, match="lacks seeds"):
        made(results, written(tmp_path, text))
