"""`bench cite`: BibTeX of what is certain, and of the rest what its YAML says."""

import re
import shutil
import subprocess
from types import SimpleNamespace

import pytest
import yaml

from bench.cli.citations.cite import _tasks_and_models, cite, entries
from bench.configuration.folder import CONFIGS

OWN = {"paper": "-", "title": "Base"}
METHODS = [yaml.safe_load(path.read_text()) for path in sorted((CONFIGS / "method").rglob("*.yaml"))]


def cited(method: dict[str, object], task: str = "miniature/sst2", model: str = "miniature/roberta") -> str:
    config = {"method": {"name": "mine", **method}, "task": {"name": task}, "model": {"name": model}}
    return cite([SimpleNamespace(config=config)])


def of_methods(text: str) -> list[str]:
    """The entries after the survey's and the harness's own."""
    return text.split("\n\n")[2:]


def test_an_experiments_methods_tasks_and_models_once_each(bench):
    result = bench(
        "cite", "experiment=survey/glue", "method=lora,mam,propelt_lora,propelt_adapter", "model=roberta_base"
    )
    assert result.returncode == 0
    assert re.findall(r"^@\w+\{(.+),$", result.stdout, re.MULTILINE) == [
        "xu2023survey", "peft-rematch", "hu2022lora", "he2022unified", "li2021prefix", "zeng2023propetl",
        "wang2019glue", "liu2019roberta",
    ]  # fmt: skip


@pytest.mark.parametrize("method", METHODS, ids=[str(method["name"]) for method in METHODS])
def test_entries_are_of_the_papers_that_methods_name(method):
    papers = [] if method["paper"] == "-" else method["paper"].split("; ")
    found = of_methods(cited({key: value for key, value in method.items() if key != "parts"}))
    assert len(found) == len(papers)
    for paper, entry in zip(papers, found, strict=True):
        author, year = re.match(r"(.+?)(?: et al\.| and \w+)? (\d{4}), ", paper).groups()
        assert f"author = {{{author}" in entry
        assert f"year = {{{year}}}" in entry
        assert paper.rpartition("/")[2] in entry


def test_a_paper_without_an_entry_is_what_the_yaml_says_and_no_more():
    [entry] = of_methods(cited({"paper": "Doe and Roe 2027, https://arxiv.org/abs/2701.00001", "title": "A & B_{1}"}))
    assert entry == (
        "@misc{mine2027,\n  title = {{A \\& B\\_(1)}},\n  author = {Doe and Roe},\n  year = {2027},\n"
        "  howpublished = {\\url{https://arxiv.org/abs/2701.00001}},\n  note = {To be completed}\n}"
    )
    [entry] = of_methods(cited({"paper": "mine, 2026", "title": "Only norms"}))
    assert entry == "@misc{mine,\n  title = {{Only norms}},\n  note = {mine, 2026; to be completed}\n}"
    for nothing in ("-", "none", ""):
        assert of_methods(cited({"paper": nothing, "title": "Base"})) == []


def test_papers_of_a_methods_parts_too():
    parts = {"one": {"paper": "Hu et al. 2022, https://arxiv.org/abs/2106.09685"}}
    assert "hu2022lora" in cited({**OWN, "parts": parts})


def test_what_nobody_knows_is_a_line_of_comment():
    assert of_methods(cited(OWN, task="reviews", model="decoder")) == [
        "% no entry for the task reviews", "% no entry for the model decoder",
    ]  # fmt: skip


def test_every_entry_that_is_asked_for_is_there_and_every_task_asks_for_one():
    listed = _tasks_and_models()
    assert {key for kind in listed.values() for keys in kind.values() for key in keys} <= set(entries())
    tasks = {path.relative_to(CONFIGS / "task").parts[0].removesuffix(".yaml") for path in CONFIGS.glob("task/*")}
    assert tasks == set(listed["task"])
    models = {path.relative_to(CONFIGS / "model").parts[0].removesuffix(".yaml") for path in CONFIGS.glob("model/*")}
    assert set(listed["model"]) <= models


@pytest.mark.skipif(shutil.which("bibtex") is None, reason="bibtex is not installed; `make test-latex` installs it")
def test_bibtex_reads_all_of_it_in_a_latex_document(tmp_path):
    hostile = cited({"paper": "50% of $us & them_{}\\, 2026", "title": "~^%"})
    (tmp_path / "all.bib").write_text("\n\n".join([*entries().values(), hostile.rpartition("\n\n")[2]]))
    (tmp_path / "all.aux").write_text("\\citation{*}\n\\bibstyle{plain}\n\\bibdata{all}\n")
    done = subprocess.run(["bibtex", "all"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    warnings = [line for line in done.stdout.splitlines() if line.startswith("Warning") and "to sort" not in line]
    assert not [line for line in warnings if "empty" not in line]
    assert (tmp_path / "all.bbl").read_text().count(r"\bibitem") == len(entries()) + 1
