"""What tables can show: every number of a record, each in its unit, all of them documented."""

import re
from pathlib import Path

from bench.records.fields import CURVE, FIELDS
from bench.tables.definition.measures import OF_DEVICE
from bench.tables.definition.quantities import OPERATIONS, PARAMETERS, PSCP, QUANTITIES

# Neither a count nor a measurement of the run.
OTHER = {
    "id", "experiment", "model", "model_title", "task", "task_title", "method", "method_title", "mixture", "category",
    "miniature", "seed", "status", "error", "settings", "grid", "trial", "main", "metrics", "curve", "measure",
    "accelerator", "host", "sharing", "shrunk", "data", "end", "about", "bleu_tokenizer",
    "made_of", "contradiction", "score_on", "selection_rows", "chosen_by", "kept_best",
}  # fmt: skip
UNITS = ("score", "count", "percent", "GB", "MB", "s", "plain")
DOCUMENT = Path(__file__).parents[3] / "docs" / "tables.md"


def test_every_field_of_a_record_is_a_quantity_or_known_to_be_none():
    assert {*FIELDS, *CURVE, PSCP} == {*QUANTITIES} | OTHER


def test_whatever_a_device_decides_is_never_mixed_with_that_of_another():
    decided = {name for name, quantity in QUANTITIES.items() if quantity.unit in {"GB", "s"}} | {*OPERATIONS, PSCP}
    more = {"utilisation", "inference_slowdown", "tokens_per_second", "flops_per_second"}
    assert decided | more == OF_DEVICE
    assert {*PARAMETERS} & OF_DEVICE == set()


def test_the_document_lists_every_quantity_with_its_unit():
    rows = re.findall(r"^\| (`[^|]*) \| (\w+) \|", DOCUMENT.read_text(encoding="utf-8"), flags=re.MULTILINE)
    listed = {name: unit for names, unit in rows for name in re.findall(r"`(\w+)`", names)}
    assert {name: unit for name, unit in listed.items() if name in QUANTITIES} == {
        name: quantity.unit for name, quantity in QUANTITIES.items()
    }


def test_every_quantity_has_a_title_and_a_way_to_be_written():
    for name, quantity in QUANTITIES.items():
        assert quantity.title, name
        assert quantity.better in {"higher", "lower", "none"}, name
        assert {quantity.unit, quantity.written or quantity.unit} <= {*UNITS}, name
    titles = [quantity.title for quantity in QUANTITIES.values()]
    assert len(titles) == len(set(titles))
