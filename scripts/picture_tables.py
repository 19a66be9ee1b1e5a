"""Draw the pictures of docs/tables.md from published records: what LaTeX makes of a table, and a figure.

    python -m scripts.picture_tables [RESULTS]

Needs pdflatex and pdftoppm. A picture shows real records or there is none.
"""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image, ImageOps

from bench.tables import Table, make_table, to_latex
from bench.tables.figures.drawing import write_figures

ROOT = Path(__file__).parents[1]
RECORDS, EXPERIMENT = "results/published/miniature-cpu/records", "miniature/glue"
PICTURES = ROOT / "docs" / "pictures"
NAMES = ("latex.png", "score.png")
DOCUMENT = (
    r"\documentclass{article}\usepackage{booktabs,graphicx}\usepackage[margin=2cm]{geometry}\pagestyle{empty}"
    r"\begin{document}\input{table}\end{document}"
)
MARGIN = 20  # pixels around what is on the page


def main(results: str) -> None:
    """Write every picture anew."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    table = make_table(results, EXPERIMENT)
    with tempfile.TemporaryDirectory() as scratch:
        _typeset(table, Path(scratch), PICTURES / "latex.png")
        drawn = [path for path in write_figures(table, Path(scratch) / "figures") if path.name.endswith(".score.png")]
        shutil.copy(drawn[0], PICTURES / "score.png")


def _typeset(table: Table, folder: Path, picture: Path) -> None:
    (folder / "table.tex").write_text(to_latex(table), encoding="ascii")
    (folder / "document.tex").write_text(DOCUMENT, encoding="ascii")
    _quietly(["pdflatex", "-interaction=nonstopmode", "document.tex"], folder)
    _quietly(["pdftoppm", "-r", "150", "-png", "-singlefile", "document.pdf", "page"], folder)
    page = Image.open(folder / "page.png").convert("L")
    left, top, right, bottom = ImageOps.invert(page).getbbox() or (0, 0, *page.size)
    page.crop((left - MARGIN, top - MARGIN, right + MARGIN, bottom + MARGIN)).save(picture, optimize=True)


def _quietly(command: list[str], folder: Path) -> None:
    """Run a command; its output is shown only where it fails."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{command[0]} failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else RECORDS)
