"""`bench.sweep` goes the way of `bench sweep`; and `bench` is light, also in a script that guards nothing."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

import bench

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "python.md").read_text()
# What the page shows, as a short script is written: without `if __name__ == "__main__"`; and what is looked at then.
SCRIPT = """
import json, sys, time
begin = time.perf_counter()
import bench
seconds = time.perf_counter() - begin
heavy = sorted({{"torch", "pandas", "hydra", "transformers"}} & set(sys.modules))
{page}
import bench.records.store
again = len(sweep.run(only=["failed"]))
print(json.dumps([seconds, heavy, sweep_frame, again, sorted(frame.status), [one.id for one in sweep.cells]]))
"""


def test_the_page_is_a_script_that_guards_nothing(tmp_path):
    page = "\n".join(re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL))
    swept = "frame = sweep.run(workers=1)\n"
    page = page.replace(swept, f'{swept}sweep_frame = frame[["id", "status"]].values.tolist()\n')
    (tmp_path / "script.py").write_text(SCRIPT.format(page=page))
    result = subprocess.run([sys.executable, "script.py"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    seconds, heavy, swept, again, statuses, names = json.loads(result.stdout.splitlines()[-1])
    assert heavy == []
    assert seconds < 0.2
    assert swept == [[name, "done"] for name in names]
    assert again == len(names) == 2
    assert statuses == ["done"] * 3


def test_the_page_names_every_column_and_every_public_name():
    from bench.api.frames import COLUMNS

    rows = re.findall(r"^\| (`[^|]*) \|[^|]*\|[^|]*\|$", PAGE.partition("| Column |")[2], re.MULTILINE)
    assert sorted(name for row in rows for name in re.findall(r"`([^`]+)`", row)) == sorted(COLUMNS)
    for name in bench.__all__:
        assert f"bench.{name}" in PAGE or f"`{name}`" in PAGE, name


def test_lists_multiply_cells_and_filters_keep_them():
    swept = bench.sweep("miniature/glue", task="miniature/sst2", method=["lora", "ia3"], seed=[0, 1])
    assert len(swept.cells) == 4
    one = bench.cell("miniature/roberta", "miniature/sst2", "ia3", seed=1, experiment="miniature/glue")
    assert one.id in {cell.id for cell in swept.cells}
    assert [one.path] == [cell.path for cell in swept.cells if cell.id == one.id]


def test_texts_are_texts_in_a_sweep_too():
    [cell] = bench.sweep(
        "miniature/glue", task="miniature/sst2", method="lora", seed=0, data={"root": "a,b=${x}"}
    ).cells
    assert cell.cell.config["data"]["root"] == "a,b=${x}"


def test_all_are_planned():
    plans = bench.sweep("miniature/glue", task="miniature/sst2", method=["bitfit"], seed=[0, 1]).plan()
    assert [planned.prediction is not None for planned in plans] == [True, True]


def few():
    return bench.sweep("miniature/glue", task="miniature/sst2", method="bitfit")


@pytest.mark.parametrize(
    ("ask", "said"),
    [
        (lambda: bench.sweep("miniature/glu"), "did you mean miniature/glue"),
        (lambda: bench.sweep("miniature/glue", method="lroa"), "unknown method 'lroa'"),
        (lambda: bench.sweep("miniature/glue", task="miniature/wmt16"), "no cell is selected"),
        (lambda: few().run(launcher="lokal"), "lokal"),
        (lambda: few().run(workers=0), "workers=0 must be"),
        (lambda: few().run(only=["fialed"]), "unknown status 'fialed'"),
    ],
)
def test_mistakes_are_told_before_anything_runs(ask, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(bench.UserError, match=said):
        ask()
    assert not list(tmp_path.rglob("*.json"))
