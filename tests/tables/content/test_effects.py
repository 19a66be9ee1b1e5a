"""The table of what components do, from made-up records with known effects."""

import itertools

import pytest

from bench.records.schema import Status
from bench.tables import make_table, to_markdown
from bench.tables.figures.drawing import figures_of
from tests.tables.made_records import make_record, save

EFFECTS = {"prefix": 0.04, "adapter": 0.02, "scale": 0.0}
NOISE = (0.0, 0.001, -0.001, 0.002)
OFFSETS = (0.70, 0.74, 0.66, 0.71)  # of the seeds: large, and the same for every combination


def record(off=(), seed=0, *, task="glue/rte", experiment="ablation/mam", method="mam", model="roberta_base",
           states=None, score=None, **changes):  # fmt: skip
    states = states or {name: "off" if name in off else "on" for name in EFFECTS}
    noise = NOISE[(seed + len(off)) % len(NOISE)]
    score = (
        OFFSETS[seed] + noise + sum(size for name, size in EFFECTS.items() if name not in off)
        if score is None
        else score
    )
    count = 1000 + sum(100 * (at + 1) for at, name in enumerate(EFFECTS) if name not in off)
    made = make_record(model, task, method, seed, {"accuracy": score}, experiment=experiment, trainable=count,
                       train_peak=10**9 * (4 - len(off)), **changes)  # fmt: skip
    made.cell.config["method"] |= {"off": sorted(off), "components": states}
    return made


def one_off(seeds=range(3), **changes):
    return [record(off, seed, **changes) for off in ((), *((name,) for name in EFFECTS)) for seed in seeds]


def factorial(seeds=range(3)):
    every = [off for size in range(4) for off in itertools.combinations(EFFECTS, size)]
    return [record(off, seed) for off in every for seed in seeds]


def made(tmp_path, *records, experiment="ablation/mam", **options):
    save(tmp_path, *records)
    return make_table(str(tmp_path), experiment, **options)


def rows_of(table):
    return {row.title: row.entries for block in table.blocks for row in block.rows}


def test_a_row_is_a_component_and_its_value_what_it_adds(tmp_path):
    table = made(tmp_path, *one_off())
    assert [block.title for block in table.blocks] == ["mam on roberta_base"]
    rows = rows_of(table)
    assert list(rows) == list(EFFECTS)
    for name, size in EFFECTS.items():
        assert rows[name]["rte.accuracy"].value == pytest.approx(100 * size, abs=0.4)
        low, high = rows[name]["rte.accuracy"].interval
        assert low < 100 * size < high
        assert high - low < 2, "seeds are paired: what sets seeds apart does not widen it"
        assert rows[name]["rte.accuracy"].seeds == 3
    assert rows["prefix"]["rte.accuracy"].p_value < 0.05 < rows["scale"]["rte.accuracy"].p_value


def test_counts_and_memory_are_told_beside_it(tmp_path):
    rows = rows_of(made(tmp_path, *one_off()))
    assert [rows[name]["trainable"].value for name in EFFECTS] == [100, 200, 300]
    assert rows["adapter"]["train_peak"].value == pytest.approx(1.0)
    assert "step_seconds" in rows["adapter"]


def test_notes_say_the_design_and_the_complete_methods_scores(tmp_path):
    table = made(tmp_path, *one_off())
    said = "\n".join(table.notes)
    assert "mam on roberta_base: 4 combinations, one component off at a time: each is taken away beside" in said
    assert "mam on roberta_base, complete: glue/rte 76.00" in said
    assert "different settings" not in said
    assert "have not been run" not in said
    assert "mean of 3 paired seeds" in said


def test_a_factorial_design_tells_interactions_too(tmp_path):
    table = made(tmp_path, *factorial())
    rows = rows_of(table)
    assert list(rows) == [*EFFECTS, "prefix × adapter", "prefix × scale", "adapter × scale"]
    assert rows["prefix"]["rte.accuracy"].value == pytest.approx(4, abs=0.3)
    assert rows["prefix × adapter"]["rte.accuracy"].value == pytest.approx(0, abs=0.4)
    assert "8 combinations of 3 components: effects are means over the others' states" in "\n".join(table.notes)


def test_with_several_tasks_the_average_has_an_effect(tmp_path):
    tasks = ("glue/rte", "glue/mrpc")
    rows = rows_of(made(tmp_path, *(one for task in tasks for one in one_off(task=task))))
    assert rows["prefix"]["average"].value == pytest.approx(4, abs=0.4)
    assert rows["prefix"]["average"].interval is not None


def test_seeds_that_not_all_combinations_have_are_left_out(tmp_path):
    records = [one for one in one_off(range(4)) if not (one.cell.seed == 3 and one.cell.config["method"]["off"])]
    assert rows_of(made(tmp_path, *records))["prefix"]["rte.accuracy"].seeds == 3


def test_a_combination_that_failed_makes_its_component_unknown_and_no_other(tmp_path):
    records = [one for one in one_off() if one.cell.config["method"]["off"] != ["scale"]]
    records += [record(("scale",), seed, status=Status.failed) for seed in range(3)]
    rows = rows_of(made(tmp_path, *records))
    assert rows["scale"]["rte.accuracy"].value is None
    assert rows["prefix"]["rte.accuracy"].value == pytest.approx(4, abs=0.4)


def test_what_is_moot_is_a_part_and_told_so(tmp_path):
    def with_part(off, seed, state):
        score = (
            OFFSETS[seed]
            + NOISE[seed] * len(off)
            + (0.05 if "prefix" not in off else 0)
            + (0.02 if state == "on" else 0)
        )
        states = {"prefix": "off" if "prefix" in off else "on", "network": state}
        return record(off, seed, states=states, score=score)

    records = [
        with_part(off, seed, state)
        for off, state in (((), "on"), (("network",), "off"), (("prefix",), "moot"))
        for seed in range(3)
    ]
    table = made(tmp_path, *records)
    rows = rows_of(table)
    assert rows["prefix"]["rte.accuracy"].value == pytest.approx(7, abs=0.3)
    assert rows["network"]["rte.accuracy"].value == pytest.approx(2, abs=0.3)
    assert "network: within what it is a part of" in "\n".join(table.notes)


def test_methods_without_components_make_no_rows(tmp_path):
    plain = [make_record("roberta_base", "glue/rte", "bitfit", seed, experiment="ablation/mam") for seed in range(3)]
    table = made(tmp_path, *one_off(), *plain)
    assert list(rows_of(table)) == list(EFFECTS)


def test_a_method_that_nothing_was_taken_from_is_told(tmp_path):
    table = made(tmp_path, *(record((), seed) for seed in range(3)))
    assert not table.blocks
    assert "none of its components was switched off" in "\n".join(table.notes)


def test_other_settings_make_blocks_of_their_own(tmp_path):
    other = one_off(training={"learning_rate": 0.01})
    table = made(tmp_path, *one_off(), *other)
    assert [block.title for block in table.blocks] == [
        "mam (learning_rate=0.0001) on roberta_base", "mam (learning_rate=0.01) on roberta_base"
    ]  # fmt: skip


def test_any_experiment_can_be_shown_so(tmp_path):
    records = one_off(experiment="mine/of_my_own")
    table = made(tmp_path, *records, experiment="mine/of_my_own", definition="ablation")
    assert list(rows_of(table)) == list(EFFECTS)
    assert "definition=ablation" in table.command


def test_it_is_written_and_drawn_as_a_forest(tmp_path):
    table = made(tmp_path, *factorial())
    assert "| prefix |" in to_markdown(table)
    drawings = figures_of(table)
    assert [drawing.name for drawing in drawings] == ["ablation-mam-ablation.forest"]
    axes = drawings[0].figure.axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()][:3] == list(EFFECTS)
    filled = [line.get_markerfacecolor() for line in axes.lines if line.get_marker() in ("o", "D")]
    assert filled[0] != "white", "the prefix is told from nothing"
    assert filled[2] == "white", "the scale is not"
