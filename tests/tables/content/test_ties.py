"""Letters and marks in tables of made-up records whose truth is known."""

import io
import json
import re

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from bench.errors import UserError
from bench.tables import Options, make_table, render_text, to_csv, to_latex, to_markdown
from bench.tables.page.html import to_html
from tests.tables.made_records import make_record, save

KEY = "sst2.accuracy"


def made(results, truth, *, seeds=5, tasks=("sst2",), metric="accuracy", noise=0.002, **told):
    """Each seed is luckier or not for all methods, and each method a bit more."""
    random = np.random.default_rng(2)
    for task in tasks:
        for seed in range(seeds):
            luck = random.normal(0, 0.03)
            for method, score in truth.items():
                value = float(score + luck + random.normal(0, noise))
                save(
                    results,
                    make_record(task=f"miniature/{task}", method=method, seed=seed, scores={metric: value}, **told),
                )


def predicted(results, method, right, seed=0, *, training=None):
    """A cell that got some examples right: how many of 200, or which."""
    which = np.arange(200) < right if isinstance(right, int) else np.asarray(right)
    record = make_record(method=method, seed=seed, scores={"accuracy": float(which.mean())}, training=training)
    path = save(results, record)[0]
    content = {
        "references": {"validation": [1] * len(which)},
        "predictions": {"validation": which.astype(int).tolist()},
    }
    path.with_name("predictions.json").write_text(json.dumps(content))
    return path


def table_of(results, definition="scores", **options):
    return make_table(str(results), "miniature/glue", definition, Options(**options))


def column(table, key=KEY):
    return {row.method: row.entries[key] for block in table.blocks for row in block.rows}


def marks(table, key=KEY):
    return {method: (entry.rank, entry.tied) for method, entry in column(table, key).items()}


def note(table, words):
    return next(one for one in table.notes if words in one)


def test_the_best_mark_goes_to_all_of_a_tied_group_and_there_is_no_second_best_then(tmp_path):
    made(tmp_path, {"full": 0.8, "lora": 0.8, "ia3": 0.6})
    table = table_of(tmp_path)
    assert marks(table) == {"full": (1, "a"), "lora": (1, "a"), "ia3": (None, "b")}
    assert note(table, "share a letter") == (
        "scores of a column that share a letter cannot be told apart at 5 %, and all that share one with the best are "
        "marked as best: paired t-tests over seeds (3), Holm's correction over all 3 comparisons"
    )


def test_one_that_is_best_alone_has_second_bests_that_are_tied(tmp_path):
    made(tmp_path, {"full": 0.9, "lora": 0.7, "ia3": 0.7, "bitfit": 0.5})
    assert marks(table_of(tmp_path)) == {"full": (1, "a"), "lora": (2, "b"), "ia3": (2, "b"), "bitfit": (None, "c")}


def test_of_an_error_the_tied_are_the_lowest(tmp_path):
    made(tmp_path, {"full": 0.5, "lora": 0.9, "ia3": 0.5}, metric="rmse")
    found = marks(table_of(tmp_path), "sst2.rmse")
    assert found == {"full": (1, "a"), "lora": (None, "b"), "ia3": (1, "a")}


def test_averages_are_tested_too_where_all_tasks_have_the_same_seeds(tmp_path):
    made(tmp_path, {"full": 0.8, "lora": 0.8, "ia3": 0.6}, tasks=("sst2", "mrpc"))
    found = marks(table_of(tmp_path), "average")
    assert found == {"full": (1, "a"), "lora": (1, "a"), "ia3": (None, "b")}
    save(tmp_path, *(make_record(method=method, seed=9) for method in ("full", "lora", "ia3")))
    assert {tied for _, tied in marks(table_of(tmp_path), "average").values()} == {""}


def test_every_format_has_the_letters_and_the_marks(tmp_path):
    made(tmp_path / "r", {"full": 0.8, "lora": 0.8, "ia3": 0.6})
    table = table_of(tmp_path / "r")
    console = Console(file=io.StringIO(), width=200, force_terminal=True)
    render_text(table, console)
    full, lora, ia3 = (f"{column(table)[method].value:.2f}" for method in ("full", "lora", "ia3"))
    text, markdown, latex, page = console.file.getvalue(), to_markdown(table), to_latex(table), to_html([table])
    for best in (full, lora):
        line = next(line for line in text.splitlines() if best in line)
        assert "\x1b[1;32m" + best in line
        assert " a" in line
        assert f"| **{best} ± " in markdown
        assert rf"\textbf{{{best} $\pm$ " in latex
    assert markdown.count("**<sup>a</sup>") == latex.count(r"}\textsuperscript{a}") == 2
    assert page.count('data-rank="1" tabindex') == page.count("<sup>a</sup>") == 2
    assert f"| {ia3} ± " in markdown
    assert "cannot be told apart from others with a" in page
    wide = pd.read_csv(to_csv(table, tmp_path)[1]).set_index("method")
    assert wide[f"{KEY}.tied"].to_dict() == {"full": "a", "lora": "a", "ia3": "b"}
    assert wide[f"{KEY}.rank"].fillna(0).to_dict() == {"full": 1, "lora": 1, "ia3": 0}
    for written in (text, markdown, page):
        assert "Holm" in written


def test_of_one_seed_without_predictions_the_best_is_the_largest_number_and_the_notes_say_so(tmp_path):
    made(tmp_path, {"full": 0.8, "lora": 0.9, "ia3": 0.6}, seeds=1)
    table = table_of(tmp_path)
    assert marks(table) == {"full": (2, ""), "lora": (1, ""), "ia3": (None, "")}
    assert note(table, "no test") == "one seed: best is the largest number, no test"
    assert not any("Holm" in one for one in table.notes)


def test_a_single_row_has_neither_marks_nor_notes_of_tests(tmp_path):
    made(tmp_path, {"full": 0.8})
    assert not any("test" in one or "letter" in one for one in table_of(tmp_path).notes)


def test_one_seed_is_tested_by_its_items_and_the_notes_say_what_that_says(tmp_path):
    predicted(tmp_path, "full", 180)
    predicted(tmp_path, "lora", 179)
    predicted(tmp_path, "ia3", 120)
    table = table_of(tmp_path)
    assert marks(table) == {"full": (1, "a"), "lora": (1, "a"), "ia3": (None, "b")}
    assert "over items of one seed, which says nothing of other seeds (3)" in note(table, "share a letter")


def test_kept_predictions_are_paired_by_seed_and_item(tmp_path):
    random = np.random.default_rng(0)
    for seed in range(3):
        for method, share in (("full", 0.9), ("ia3", 0.6)):
            predicted(tmp_path, method, random.random(200) < share, seed)
    assert "over seeds and items (1), Holm's correction over all 1 comparisons" in note(table_of(tmp_path), "Holm")


def test_a_row_of_one_seed_has_no_letter_beside_others_that_have(tmp_path):
    made(tmp_path, {"full": 0.8, "lora": 0.8, "ia3": 0.6})
    save(tmp_path, make_record(method="bitfit", scores={"accuracy": 0.7}))
    table = table_of(tmp_path)
    assert marks(table)["bitfit"] == (None, "")
    assert marks(table)["full"] == (1, "a")
    assert any(one.startswith("1 other score(s) without a letter") for one in table.notes)


def test_a_score_without_any_test_is_named(tmp_path):
    made(tmp_path, {"full": 0.8, "lora": 0.6})
    save(tmp_path, *(make_record(task="miniature/mrpc", method=method, scores={"accuracy": value})
                     for method, value in (("full", 0.5), ("lora", 0.6))))  # fmt: skip
    table = table_of(tmp_path)
    assert marks(table, "mrpc.accuracy") == {"full": (2, ""), "lora": (1, "")}
    told = note(table, "no test (")
    assert told.endswith("best is the largest number: miniature/mrpc, Avg. (2)")


def test_seeds_that_only_one_has_are_left_out_of_its_tests(tmp_path):
    made(tmp_path, {"full": 0.8, "lora": 0.6})
    save(tmp_path, make_record(method="full", seed=9, scores={"accuracy": 0.8}))
    assert "1 comparison(s) on the seeds that both have, which are not all" in table_of(tmp_path).notes


def test_the_correction_is_over_all_columns_and_blocks_of_the_table(tmp_path):
    made(tmp_path, {"full": 0.8, "lora": 0.8, "ia3": 0.6}, tasks=("sst2", "mrpc"))
    made(tmp_path, {"full": 0.8, "lora": 0.8}, tasks=("sst2", "mrpc"), model="miniature/t5")
    assert "over all 12 comparisons" in note(table_of(tmp_path), "Holm")  # 3 scores × (3 + 1) pairs


def test_scores_that_are_no_numbers_have_no_part(tmp_path):
    made(tmp_path, {"full": 0.8, "lora": 0.6})
    save(tmp_path, *(make_record(method="ia3", seed=seed, scores={"accuracy": float("nan")}) for seed in range(5)))
    assert marks(table_of(tmp_path)) == {"full": (1, "a"), "lora": (2, "b"), "ia3": (None, "")}


def test_what_can_be_told_apart_from_a_method_is_marked_only_on_request(tmp_path):
    predicted(tmp_path, "full", 180)
    predicted(tmp_path, "lora", 179)
    predicted(tmp_path, "ia3", 120)
    save(tmp_path, make_record(method="bitfit"))
    assert all(entry.p_value is None for entry in column(table_of(tmp_path)).values())
    table = table_of(tmp_path, compare="full")
    p_values = {method: entry.p_value for method, entry in column(table).items()}
    assert p_values["full"] is p_values["bitfit"] is None
    assert p_values["lora"] > 0.3
    assert p_values["ia3"] < 1e-10
    assert "* can be told apart from full, by the same tests" in table.notes
    assert any(one.startswith("1 score(s) not compared with full: no two seeds") for one in table.notes)


def test_a_star_and_a_letter_never_contradict_each_other(tmp_path):
    made(tmp_path, {"full": 0.8, "lora": 0.8, "ia3": 0.6, "bitfit": 0.795})
    for method, entry in column(table_of(tmp_path, compare="full")).items():
        if method != "full":
            assert (entry.p_value < 0.05) != bool(set(entry.tied) & set(column(table_of(tmp_path))["full"].tied))


def test_a_row_is_compared_with_the_baseline_of_its_own_settings_or_with_none(tmp_path):
    for rate, right in {1e-3: 100, 1e-4: 190}.items():
        predicted(tmp_path, "full", right, training={"learning_rate": rate})
        predicted(tmp_path, "lora", 189, training={"learning_rate": rate})
    predicted(tmp_path, "ia3", 150)
    table = table_of(tmp_path, "glue", compare="full")
    p_values = {(row.method, row.variant): row.entries[KEY].p_value for row in table.blocks[0].rows}
    assert p_values["lora", "learning_rate=0.001"] < 1e-10
    assert p_values["lora", "learning_rate=0.0001"] > 0.3
    assert p_values["ia3", ""] is None
    assert "1 score(s) not compared with full: full has several rows, none of the same settings" in table.notes
    memory = table_of(tmp_path, "memory")
    saved = {(row.method, row.variant): row.entries["train_peak_below_full"].value for row in memory.blocks[0].rows}
    assert saved["lora", "learning_rate=0.001"] == 0.0
    assert saved["ia3", ""] is None
    assert any(one.startswith("Saved %: full has several rows for miniature/roberta") for one in memory.notes)


def test_a_metric_of_texts_that_has_no_parts_is_not_tested_by_items_and_one_that_has_is(tmp_path):
    said = {"full": ["yes", "no", "so"], "lora": ["yes", "no", "no"]}
    for (method, words), right in zip(said.items(), (1.0, 2 / 3), strict=True):
        record = make_record("t5_base", "mine/words", method, scores={"ter": 0.5, "f1": 0.4, "accuracy": right},
                             experiment="runs")  # fmt: skip
        content = {"references": {"test": ["yes", "no", "so"]}, "predictions": {"test": words}}
        save(tmp_path, record)[0].with_name("predictions.json").write_text(json.dumps(content))
    (tmp_path / "table").mkdir()
    columns = "[{task: words, metrics: {ter: TER, f1: F1, accuracy: Acc}}]"
    (tmp_path / "table" / "mine.yaml").write_text(f"title: x\ncolumns: {columns}\n")
    table = make_table(str(tmp_path), "runs", "mine", Options(compare="full"), str(tmp_path))
    lora = next(row for row in table.blocks[0].rows if row.method == "lora")
    p_values = {key: entry.p_value for key, entry in lora.entries.items()}
    assert p_values == {"words.ter": None, "words.f1": None, "words.accuracy": pytest.approx(0.4226, abs=1e-4)}


def test_damaged_predictions_and_unknown_methods_are_named(tmp_path, capsys):
    predicted(tmp_path, "full", 180)
    predicted(tmp_path, "lora", 179).with_name("predictions.json").write_text("{")
    table = table_of(tmp_path, compare="full")
    assert "no test against full" in table.notes
    assert "predictions.json: damaged" in capsys.readouterr().err
    with pytest.raises(UserError, match="did you mean lora"):
        table_of(tmp_path, compare="lorra")


def test_what_so_few_seeds_could_have_found_stands_below(tmp_path):
    """All of one letter is no news where the tests could have found nothing."""
    made(tmp_path, {"full": 0.9, "lora": 0.5, "ia3": 0.2})
    said = note(table_of(tmp_path), "half of these tests")
    assert re.fullmatch(r"half of these tests would have found no difference below \d[\d.]*", said)
