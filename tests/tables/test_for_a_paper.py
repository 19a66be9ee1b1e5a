"""What a paper asks of a table: notes below, a caption of one sentence, a label, columns, aligned points, figures."""

import re
import shlex
import shutil
import subprocess
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from bench.cli.commands import run_command
from bench.errors import UserError
from bench.tables import Options, make_table, to_latex
from tests.tables.golden_records import EXPERIMENT, write_golden_records

WIDTH = 3.5 * 72  # points


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("results")
    write_golden_records(folder)
    return folder


def latex(results: Path, definition: str = "glue", **options: object) -> str:
    return to_latex(make_table(str(results), EXPERIMENT, definition, Options(**options)))


def test_the_caption_is_a_sentence_and_the_notes_stand_below(results):
    text = latex(results)
    assert r"\caption{Table III in miniature: RoBERTa on GLUE.}" in text
    above, below = text.split(r"\end{tabular}")
    assert "standard deviation" not in above
    assert re.search(r"\\begin\{minipage\}\{\\linewidth\}.*\n\\emph\{Notes.\} .*standard deviation", below)


def test_caption_label_and_columns_are_asked_for(results):
    text = latex(results, caption="Ours & theirs.", label="tab:mine", show=("average", "mrpc", "trainable"))
    assert r"\caption{Ours \& theirs.}" in text
    assert r"\label{tab:mine}" in text
    assert r"Method & Avg. (3) & Acc & F1 & \# Params \\" in text
    assert "3 column(s) are not shown; tests, marks and notes are of all 7" in text
    whole = latex(results)
    lora = next(line for line in text.splitlines() if "LoRA" in line)
    assert set(lora.removesuffix(r" \\").split(" & ")) <= set(
        next(line for line in whole.splitlines() if "LoRA" in line).removesuffix(r" \\").split(" & ")
    )


def test_the_command_in_the_file_gives_the_same_file(results, tmp_path):
    text = latex(results, caption="It's mine", label="tab:mine", show=("average",), siunitx=True)
    command = shlex.split(text.splitlines()[0].partition("made by: ")[2])
    assert run_command([*command[1:], f"out={tmp_path}"]) == 0
    [file] = tmp_path.rglob("*.tex")
    assert file.read_text() == text


def test_siunitx_gets_numbers_and_the_rest_in_braces(results):
    text = latex(results, siunitx=True)
    assert r"% needs \usepackage{booktabs,graphicx,siunitx};" in text
    assert r"S[table-format=2.2(3),table-space-text-post={\textsuperscript{a}}]" in text
    assert r"\bfseries 11.04 +- 1.47{\textsuperscript{a}}" in text
    assert "{OOM}" in text
    assert "60.42{~(1/2)}" in text
    assert "{8,192} & 0.80" in text  # counts are in several units, and stand at the right
    assert r"\itshape 35.05" in latex(results, "memory", siunitx=True)


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"show": ("colla",)}, "unknown column of this table 'colla'; known: average, cola.matthews_correlation"),
        ({"label": "a}b"}, "label=a}b must be of letters"),
        ({"caption": " "}, "caption= needs a text"),
    ],
)
def test_what_cannot_be_is_refused(results, options, why):
    with pytest.raises(UserError, match=re.escape(why)):
        latex(results, **options)


def test_one_caption_is_not_of_two_tables(bench, results):
    result = bench("table", f"experiment={EXPERIMENT},runs", f"results_dir={results}", "caption=Mine")
    assert result.returncode == 2
    assert result.stderr == "bench: caption= and label= are of one table; name one experiment\n"


def test_html_of_one_table(bench, results, tmp_path):
    words = ["table", f"experiment={EXPERIMENT}", f"results_dir={results}", f"out={tmp_path}", "format=html"]
    assert bench(*words, "show=average", "caption=Mine").returncode == 0
    [page] = tmp_path.rglob("*.html")
    assert "<title>Mine</title>" in page.read_text()
    assert page.read_text().count("<table") == 1


def test_figures_as_pdf_and_svg_are_as_wide_as_a_column(bench, results, tmp_path):
    words = ["table", f"experiment={EXPERIMENT}", f"results_dir={results}", f"out={tmp_path}", "format=figures"]
    assert bench(*words).returncode == 0
    assert sorted(path.name for path in tmp_path.rglob("*.*")) == [
        f"miniature-glue.score.{suffix}" for suffix in ("pdf", "png", "svg")
    ]
    [pdf], [svg] = tmp_path.rglob("*.pdf"), tmp_path.rglob("*.svg")
    box = re.search(rb"/MediaBox \[ ?0 0 ([\d.]+)", pdf.read_bytes())
    assert box is not None
    assert float(box[1]) == pytest.approx(WIDTH, abs=0.5)
    assert float(ET.parse(svg).getroot().attrib["width"].removesuffix("pt")) == pytest.approx(WIDTH, abs=0.5)


HERE = shutil.which("pdflatex") and not subprocess.call(
    ["kpsewhich", "siunitx.sty"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
)


@pytest.mark.skipif(not HERE, reason="pdflatex or siunitx is not installed; `make test-latex` installs them")
def test_latex_with_siunitx_compiles(results, tmp_path):
    asked = [{}, {"interval": True}, {"statistic": "median", "show": ("average", "cola")}, {"compare": "full"}]
    parts = [latex(results, siunitx=True, label=f"tab:{at}", **options) for at, options in enumerate(asked)]
    parts += [latex(results, definition, siunitx=True) for definition in ("memory", "cost")]
    (tmp_path / "others").mkdir()
    (tmp_path / "others" / "doe.yaml").write_text(
        f"{{source: 50 % & more, seeds: 5, conditions: best, experiment: {EXPERIMENT}, model: miniature/roberta, "
        "rows: [{method: A_B, values: {cola: 163.25, sst2: 7}}]}"
    )
    parts.append(to_latex(make_table(str(results), EXPERIMENT, "glue", Options(siunitx=True), str(tmp_path))))
    head = r"\documentclass[twocolumn]{article}\usepackage{booktabs,graphicx,siunitx}\begin{document}"
    (tmp_path / "all.tex").write_text("\n".join([head, *parts, r"\end{document}"]), encoding="ascii")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "-no-shell-escape", "all.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, check=False)
    assert done.returncode == 0, done.stdout.decode(errors="replace")[-2000:]
    assert b"Overfull" not in done.stdout
