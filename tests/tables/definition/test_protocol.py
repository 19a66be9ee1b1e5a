"""How the settings of a table's cells were chosen: what may stand together, and what its notes say."""

import json

import pandas as pd
import pytest

from bench.cli.commands import run_command
from bench.errors import NotComparableError, NothingToShowError
from bench.tables import Options, make_table, write
from tests.tables.made_records import make_record, save

CLEAN = {"study": "one", "trial": 3, "trials": 16, "sampler": "tpe", "seeds": [0], "on": "selection"}
SEEN = CLEAN | {"on": "reported"}
SELECTING = {"score_on": "selection", "selection_share": 0.1, "selection_seed": 0}
REPORTED = SELECTING | {"score_on": "reported"}


def notes_of(tmp_path, *records, **options):
    save(tmp_path, *records)
    return make_table(str(tmp_path), "miniature/glue", "glue", Options(**options)).notes


def tuned(method, study, **changes):
    return make_record(method=method, training={"chosen_by": study}, data=REPORTED, **changes)


def scores(table):
    return {
        row.method: [entry.value for entry in row.entries.values() if entry.value is not None]
        for block in table.blocks
        for row in block.rows
    }


def test_scores_to_choose_settings_by_enter_no_table_of_reported_ones(tmp_path):
    chosen = make_record(method="lora", seed=1, scores={"accuracy": 0.9}, data=SELECTING)
    assert chosen.metrics is not None
    chosen.metrics.notes["scored_on"] = {"selection": {"split": "train", "share": 0.1, "seed": 0}}
    save(tmp_path, make_record(method="lora", scores={"accuracy": 0.5}), chosen)
    table = make_table(str(tmp_path), "miniature/glue", "glue")
    assert len(table.records.cells) == 1
    told = "1 record(s) are scored on other rows than the reported ones (data.score_on=selection) and left out"
    assert told in table.notes

    asked = make_table(str(tmp_path), "miniature/glue", "glue", Options(selection=True))
    assert asked.records.cells["seed"].tolist() == [1]
    told = "NOT THE REPORTED ROWS (data.score_on=selection): scores to choose settings by, of 0.1 of train, seed 0"
    assert told in asked.notes
    assert "1 record(s) that are scored on the reported rows are left out" in asked.notes
    assert asked.command.endswith("selection=true")


def test_the_long_file_says_of_each_cell_how_it_was_scored_and_chosen(tmp_path):
    save(tmp_path, tuned("lora", CLEAN))
    table = make_table(str(tmp_path), "miniature/glue", "glue")
    (path, *_) = [path for path in write(table, "csv", tmp_path / "out") if path.name.endswith("long.csv")]
    row = pd.read_csv(path).iloc[0]
    assert row["score_on"] == "reported"
    assert json.loads(row["chosen_by"]) == CLEAN


@pytest.mark.parametrize(
    ("data", "options", "said"),
    [
        (SELECTING, {}, "all 1 record(s) of 'miniature/glue' are scored on other rows than the reported ones"),
        (REPORTED, {"selection": True}, "no record of 'miniature/glue' has data.score_on=selection; leave selection="),
    ],
)
def test_where_nothing_is_left_that_is_said_in_one_line(tmp_path, data, options, said):
    save(tmp_path, make_record(data=data))
    with pytest.raises(NothingToShowError) as error:
        make_table(str(tmp_path), "miniature/glue", "glue", Options(**options))
    assert said in str(error.value)
    assert "\n" not in str(error.value)


def test_shares_that_differ_are_shown_apart_where_they_are_scored(tmp_path):
    save(tmp_path, make_record(data=SELECTING), make_record(data=SELECTING | {"selection_share": 0.2}, seed=1))
    table = make_table(str(tmp_path), "miniature/glue", "glue", Options(selection=True))
    assert sorted(table.records.cells["variant"]) == ["selection_share=0.1", "selection_share=0.2"]


def test_records_from_before_there_were_these_settings_are_those_of_their_defaults(tmp_path):
    save(tmp_path, make_record(seed=0), make_record(seed=1, data=REPORTED, training={"chosen_by": {}}))
    table = make_table(str(tmp_path), "miniature/glue", "glue")
    assert set(table.records.cells["variant"]) == {""}


def test_settings_chosen_on_the_reported_rows_do_not_stand_beside_others(tmp_path):
    save(tmp_path, tuned("lora", CLEAN), tuned("full", SEEN))
    with pytest.raises(NotComparableError) as error:
        make_table(str(tmp_path), "miniature/glue", "glue")
    assert str(error.value) == (
        "settings chosen on the reported rows (full on miniature/roberta) beside settings chosen on others (lora on "
        "miniature/roberta): their scores do not compare; tune both alike, or mix_selection=true shows them together"
    )
    mixed = make_table(str(tmp_path), "miniature/glue", "glue", Options(mix_selection=True))
    assert "MIXED, as mix_selection=true asks: settings chosen on the reported rows beside others" in mixed.notes
    assert mixed.command.endswith("mix_selection=true")


def test_a_study_that_does_not_say_on_what_it_chose_is_taken_for_one_on_the_reported_rows(tmp_path):
    notes = notes_of(tmp_path, tuned("lora", {"study": "mine"}))
    assert "settings chosen on the very rows that are reported: lora on miniature/roberta" in notes


def test_who_was_tuned_and_who_runs_at_given_settings_is_in_the_notes(tmp_path):
    notes = notes_of(tmp_path, tuned("lora", CLEAN), make_record(method="full"))
    chosen = (
        "settings chosen by a study on other rows than the reported ones, 16 trials each: lora on miniature/roberta"
    )
    assert chosen in notes
    assert "run at given settings, which no study chose: full on miniature/roberta" in notes


def test_trials_that_are_not_equally_many_are_in_the_notes(tmp_path):
    notes = notes_of(tmp_path, tuned("lora", CLEAN), tuned("ia3", CLEAN | {"trials": 8}))
    assert any("not by equally many trials (" in note and "8 of ia3" in note for note in notes)


def test_a_pruner_is_in_the_notes(tmp_path):
    pruned = CLEAN | {"pruner": "hyperband (reduction=3 rungs=3)"}
    notes = notes_of(tmp_path / "alike", tuned("lora", pruned), tuned("ia3", pruned))
    assert any("16 trials each by hyperband (reduction=3 rungs=3): " in note for note in notes)
    notes = notes_of(tmp_path / "mixed", tuned("lora", CLEAN), tuned("ia3", pruned))
    told = "not by equally many trials (16 of lora; 16 by hyperband (reduction=3 rungs=3) of ia3)"
    assert any(told in note for note in notes) or any("16 by hyperband" in note for note in notes)


def test_a_trials_number_tells_no_rows_apart(tmp_path):
    save(tmp_path, tuned("lora", CLEAN), tuned("lora", CLEAN | {"trial": 5}, task="miniature/cola"))
    assert set(make_table(str(tmp_path), "miniature/glue", "glue").records.cells["variant"]) == {""}


def test_nothing_is_said_where_no_study_chose_anything(tmp_path):
    notes = notes_of(tmp_path, make_record(method="lora"), make_record(method="full"))
    assert not any("chose" in note or "best of" in note for note in notes)


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ({"splits": ["validation"], "along_training": True}, True),
        ({"splits": ["test"], "along_training": False}, False),
        (None, True),
    ],
)
def test_the_best_evaluation_on_the_reported_split_is_called_that(tmp_path, told, said):
    """Records that do not say what they scored tell it by a score that is one of the evaluations'."""
    record = make_record(
        scores={"accuracy": 0.6}, training={"keep_best": True, "evaluations": 3}, curve=[(1, 0.4), (2, 0.6), (3, 0.5)]
    )
    record.metrics.notes = {} if told is None else {"scored_on": told}
    note = "best of its evaluations on the reported split (training.keep_best): lora on miniature/roberta"
    assert (note in notes_of(tmp_path, record)) == said


def test_one_evaluation_is_no_choice(tmp_path):
    record = make_record(training={"keep_best": True, "evaluations": 1}, curve=[(3, 0.5)])
    assert not any("best of" in note for note in notes_of(tmp_path, record))


def test_the_options_are_true_or_false(tmp_path, capsys):
    save(tmp_path, make_record())
    for option in ("selection", "mix_selection"):
        assert run_command(["table", "experiment=miniature/glue", f"results_dir={tmp_path}", f"{option}=yes"]) == 2
        assert capsys.readouterr().err == f"bench: {option}=yes must be true or false\n"


def test_choices_of_trials_with_other_settings_are_named(tmp_path):
    other = {"training.epochs": [2.0, 4.0], "method.budget": [None, "300k"]}
    notes = notes_of(tmp_path, tuned("lora", CLEAN | {"elsewhere": other}), tuned("full", CLEAN))
    assert (
        "chosen by trials with other settings (in the trials -> here): "
        "lora (method.budget none -> 300k, training.epochs 2.0 -> 4.0)"
    ) in notes


@pytest.mark.parametrize("nonsense", [3, [], {"training.epochs": 4}, {}])
def test_nonsense_about_them_is_no_note(tmp_path, nonsense):
    notes = notes_of(tmp_path, tuned("lora", CLEAN | {"elsewhere": nonsense}))
    assert not any("other settings" in note for note in notes)
