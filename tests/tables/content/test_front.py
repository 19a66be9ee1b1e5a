"""The table of mixtures: a row is called by what was mixed, with what finding it took, and a mark on the front."""

import pytest

from bench.errors import UserError
from bench.tables import make_table
from tests.tables.made_records import make_record, save

COST = {"chosen_by": {"study": "s", "on": "selection", "trials": 4, "trainings": 4.0, "device_seconds": 12.5}}
# Method → kept, peak in MB, score. BitFit keeps as much as (IA)³, and its peak is lower by noise alone.
ROWS = {
    "lora": (3000, 500, 0.80), "ia3": (500, 501, 0.75), "bitfit": (500, 499, 0.70),
    "adapter_parallel": (3000, 500, 0.79), "hybrid": (3000, 600, 0.85),
}  # fmt: skip


def made(method, seed, mixture="LoRA 0.7 + Prefix 0.3"):
    kept, peak, score = ROWS[method]
    record = make_record(
        method=method, seed=seed, scores={"accuracy": score}, trainable=kept, train_peak=peak * 10**6, training=COST,
        titles={"method": "Hybrid" if method == "hybrid" else method}, data={"score_on": "reported"},
        experiment="miniature/hybrid",
    )  # fmt: skip
    record.environment["size"] = {"title": mixture} if method == "hybrid" else None
    return record


def table_of(tmp_path, *records):
    save(tmp_path, *records)
    (block,) = make_table(str(tmp_path), "miniature/hybrid").blocks
    return {row.method: row for row in block.rows}


def test_a_row_is_called_by_its_mixture_and_has_a_mark_if_no_other_beats_it(tmp_path):
    rows = table_of(tmp_path, *(made(method, seed) for method in ROWS for seed in (0, 1)))
    assert rows["hybrid"].title == "LoRA 0.7 + Prefix 0.3"
    assert rows["lora"].title == "lora"
    front = {method: row.entries["front"].value for method, row in rows.items()}
    assert front == {"lora": 1, "ia3": 1, "bitfit": 0, "adapter_parallel": 0, "hybrid": 1}
    assert rows["hybrid"].entries["search_trainings"].value == 4
    assert rows["hybrid"].entries["search_seconds"].value == 12.5


def test_of_several_mixtures_none_names_the_row_and_what_is_not_measured_is_on_no_front(tmp_path):
    other = made("lora", 0)
    other.memory = None
    rows = table_of(tmp_path, other, made("ia3", 0), made("hybrid", 0), made("hybrid", 1, "BitFit + LoRA"))
    assert rows["hybrid"].title == "Hybrid"
    assert rows["lora"].entries["front"].value is None
    assert rows["ia3"].entries["front"].value == 1


def test_a_front_of_what_the_table_does_not_show_is_refused(tmp_path):
    (tmp_path / "mine" / "table").mkdir(parents=True)
    text = "title: x\ncolumns: [{field: kept}, {task: '*'}, {front: [kept, train_peak]}]\n"
    (tmp_path / "mine" / "table" / "own.yaml").write_text(text)
    save(tmp_path / "results", made("lora", 0))
    with pytest.raises(UserError, match="one of each of its fields, of train_peak too"):
        make_table(str(tmp_path / "results"), "miniature/hybrid", "own", config_dir=str(tmp_path / "mine"))
