"""Draw the pictures of docs/tables.md from made-up records: a page in Chromium, LaTeX's output, and the figures.

    python scripts/picture_tables.py

Needs chromium, pdflatex and pdftoppm; the records are those of the golden files in tests/tables.
"""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
PICTURES = ROOT / "docs" / "pictures"
DOCUMENT = (
    r"\documentclass{article}\usepackage{booktabs,graphicx}\pagestyle{empty}\begin{document}\input{table}\end{document}"
)


def main() -> None:
    """Write every picture anew."""
    sys.path.insert(0, str(ROOT))
    from bench.tables import make_table, to_latex
    from bench.tables.figures.drawing import write_figures
    from bench.tables.page.html import to_html
    from tests.findings.test_verdicts import records
    from tests.tables.golden_records import EXPERIMENT, write_golden_records
    from tests.tables.made_records import save

    PICTURES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        folder, results = Path(scratch), Path(scratch) / "results"
        write_golden_records(results)
        save(results, *(made for made in records(seeds=1) if made.cell.experiment != "survey/glue"))
        table = make_table(str(results), EXPERIMENT, "glue")
        (folder / "page.html").write_text(to_html([table]), encoding="utf-8")
        (folder / "table.tex").write_text(to_latex(table), encoding="ascii")
        (folder / "document.tex").write_text(DOCUMENT, encoding="ascii")
        for name, size in (("page", "1180,900"), ("phone", "400,780")):
            browse(folder / "page.html", PICTURES / f"{name}.png", size)
        quietly(["pdflatex", "-interaction=nonstopmode", "document.tex"], folder)
        box = ["-x", "250", "-y", "600", "-W", "800", "-H", "560"]
        quietly(["pdftoppm", "-r", "150", "-png", "-singlefile", *box, "document.pdf", str(PICTURES / "latex")], folder)
        wanted = {"score": table, "memory": make_table(str(results), EXPERIMENT, "memory")}
        wanted["curve"] = make_table(str(results), "survey/mmlu", "curve")
        wanted["rates"] = make_table(str(results), "survey/learning_rate", "learning_rate")
        for kind, source in wanted.items():
            drawn = [path for path in write_figures(source, folder / kind) if path.suffix == ".png"]
            shutil.copy(next(path for path in drawn if f".{kind}" in path.name), PICTURES / f"{kind}.png")


def browse(page: Path, picture: Path, size: str) -> None:
    """Take a picture of a page in a window of `size`, such as "400,780"."""
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", f"--window-size={size}"]
    quietly(["chromium", *flags, f"--screenshot={picture}", page.as_uri()], page.parent)


def quietly(command: list[str], folder: Path) -> None:
    """Run a command; its output is shown only where it fails."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{command[0]} failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")


if __name__ == "__main__":
    main()
