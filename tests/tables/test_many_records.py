"""Many records go through worker processes and come back the same."""

import json
from pathlib import Path

from bench.records import columns, finding
from bench.records.columns import read_columns
from bench.records.finding import find_records
from bench.records.text import _without_losses
from tests.tables.made_records import make_record, save


def test_workers_read_what_one_process_reads(tmp_path, monkeypatch):
    save(tmp_path, *(make_record(seed=seed, curve=[(1, 0.1), (2, 0.4)]) for seed in range(20)))
    paths = find_records(tmp_path, "miniature/glue")
    alone = read_columns(paths)
    monkeypatch.setattr(columns, "PARALLEL_FROM", 1)
    monkeypatch.setattr(columns, "CHUNK", 6)
    assert read_columns(paths).to_pylist() == alone.to_pylist()
    monkeypatch.setattr(finding, "SLOW", 0)  # as on a file server: by threads
    monkeypatch.setattr(finding, "SAMPLE", 2)
    assert find_records(tmp_path, "miniature/glue") == paths
    assert read_columns(paths).to_pylist() == alone.to_pylist()
    assert alone["curve_fluctuation"][0].as_py() == 0.30000000000000004
    assert alone["curve_best_step"][0].as_py() == 2


def test_what_is_missing_in_all_of_a_chunk_and_whole_in_another_goes_together(tmp_path, monkeypatch):
    save(tmp_path, make_record(seed=0, train_peak=None), make_record(seed=1, train_peak=7), make_record(seed=2))
    monkeypatch.setattr(columns, "PARALLEL_FROM", 1)
    monkeypatch.setattr(columns, "CHUNK", 1)
    paths = find_records(tmp_path, "miniature/glue")
    assert read_columns(paths)["train_peak"].to_pylist() == [None, 7, 2_000_000_000]


def test_half_a_surrogate_pair_is_shown_as_a_question_mark(tmp_path):
    save(tmp_path, make_record(titles={"method": "LoRA"}))
    path = find_records(tmp_path, "miniature/glue")[0]
    Path(path).write_text(Path(path).read_text().replace("LoRA", "\\ud800"))
    assert read_columns([path])["method_title"].to_pylist() == ["?"]


def test_losses_are_skipped_and_nothing_else(tmp_path):
    record = make_record(scores={"accuracy": 0.5}).to_dict()
    plain = json.dumps(record)
    record["metrics"]["losses"] = [{"step": step, "loss": 1.0 / step} for step in range(1, 50)]
    record["error"] = {"type": "E", "message": '\n  "losses": [', "traceback": "\n  ]", "phase": "train"}
    text = json.dumps(record, indent=1).encode()
    left = json.loads(_without_losses(text))
    assert left["metrics"]["losses"] == []
    assert left["error"] == record["error"]
    assert _without_losses(plain.encode()) == plain.encode()
    record["metrics"]["losses"], record["metrics"]["notes"] = [], {"left out": [1, 2]}
    empty = json.dumps(record, indent=1).encode()
    assert _without_losses(empty) == empty
