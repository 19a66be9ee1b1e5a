"""What the training cost of what the model knew: the perplexity of a text, the bare model's and the trained one's."""

import json
import math

import pytest
import torch

from bench.data.held_text import read_held_text
from bench.errors import UserError
from bench.miniature.corpus import Corpus
from bench.miniature.grammar import Speaker
from bench.miniature.lexicon import DEFAULT_SEED, build_lexicon
from bench.miniature.stream import stream
from bench.models.load import load_architecture, load_model
from bench.models.tokenizer import load_tokenizer
from bench.records.store import read_record
from bench.running.forgetting_text import check_forgetting, overlap_warnings
from bench.running.runner import run_cell
from bench.tasks.build import task_of
from tests.cells import MODELS, SHORT, TASKS
from tests.conftest import composed

FAST = (*SHORT, "training.learning_rate=0.01", "save_trained=false", "device=cpu")


def words_of(*overrides, method="lora"):
    return (f"model={MODELS['decoder']}", f"task={TASKS['decoder']}", f"method={method}", *FAST, *overrides)


@pytest.fixture
def text(tmp_path):
    """Prose of the miniature's language, as its LLaMA was pretrained on."""
    corpus = Corpus(DEFAULT_SEED, Speaker(build_lexicon(), stream(1, "forgetting")))
    file = tmp_path / "held.txt"
    file.write_text("\n".join(corpus.document().text() for _ in range(40)) + "\n", encoding="utf-8")
    return file


@pytest.fixture(scope="module")
def without(tmp_path_factory):
    """The same cell without a text."""
    return run_cell(composed.__wrapped__(*words_of(f"results_dir={tmp_path_factory.mktemp('without')}")))


@pytest.mark.parametrize("method", ["lora", "prompt_tuning"])
def test_the_record_has_the_perplexity_before_and_after(compose, text, method):
    cell = compose(*words_of(f"forgetting_text={text}", method=method))
    record, path = run_cell(cell)
    assert record.status == "done", record.error
    told = read_record(path).forgetting
    assert told == record.forgetting
    assert told.after > 1
    assert told.difference == told.after - told.before != 0
    assert told.tokens > 200
    assert told.pieces == 40
    assert record.time.forgetting > 0
    assert "forgetting" in record.memory.phases

    base = cell.base  # before is the bare model's own loss
    held = read_held_text(text, "text", load_tokenizer(base), told.window, [{"input_ids": [1] * 20}])
    model = load_model(base, load_architecture(base, None)).eval()
    rows = [torch.tensor([window["input_ids"]]) for window in held.windows]
    with torch.no_grad():
        total = sum(float(model(row, labels=row).loss) * (row.shape[1] - 1) for row in rows)
    assert told.before == pytest.approx(math.exp(total / told.tokens), rel=1e-4)


def test_nothing_else_changes_and_the_cell_is_the_same(compose, text, without):
    bare, _ = without
    record, _ = run_cell(compose(*words_of(f"forgetting_text={text}", "measure_inference=true")))
    assert record.forgetting is not None
    assert set(record.inference) == {"adapted", "merged", "bare"}
    assert record.cell.id == bare.cell.id
    assert record.metrics.losses == bare.metrics.losses
    assert record.metrics.values == bare.metrics.values


def test_without_a_text_nothing_is_computed_and_records_of_before_can_be_read(without):
    record, path = without
    assert record.forgetting is None
    assert record.time.forgetting is None
    assert "forgetting" not in record.memory.phases
    before = json.loads(path.read_text())
    del before["forgetting"], before["time"]["forgetting"]
    path.write_text(json.dumps(before))
    assert read_record(path) == record


def test_a_bare_model_that_memory_does_not_suffice_for_is_no_reason_to_lose_the_cell(compose, text, monkeypatch):
    def too_much(*_):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr("bench.running.forgetting.load_bare", too_much)
    record, _ = run_cell(compose(*words_of(f"forgetting_text={text}")))
    assert record.status == "done", record.error
    assert record.forgetting.after > 1
    assert (record.forgetting.before, record.forgetting.difference) == (None, None)
    assert "memory did not suffice to measure the perplexity of the bare model" in record.warnings


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("model=miniature/roberta", "task=miniature/sst2"), "needs a decoder, and miniature/roberta is of the family"),
        (("model=miniature/t5", "task=miniature/wmt16"), "needs a decoder, and miniature/t5 is of the family"),
        (("model=miniature/llama", "task=miniature/sst2"), "needs the language-model head, and the task"),
        (("model=miniature/llama", "task=miniature/mmlu", "data.synthetic=true"), "data.synthetic=true reads no"),
        (("model=miniature/llama", "task=miniature/mmlu", "distributed=ddp", "processes=2"), "measured by one process"),
    ],
)
def test_where_forgetting_is_not_measured_that_is_said_in_one_line(words, told):
    cell = composed.__wrapped__(*words, "forgetting_text=held.txt")
    with pytest.raises(UserError) as error:
        check_forgetting(cell, task_of(cell).on(cell.base.family))
    assert told in str(error.value)
    assert "\n" not in str(error.value)


def test_no_such_file_ends_the_cell_before_a_weight_is_loaded(compose, tmp_path):
    with pytest.raises(UserError, match=r"nowhere\.txt"):
        run_cell(compose(*words_of(f"forgetting_text={tmp_path / 'nowhere.txt'}")))


def test_pieces_that_the_training_has_are_counted_in_a_warning(text):
    tokenizer = load_tokenizer(composed(*words_of()).base)
    lines = sorted(text.read_text().splitlines(), key=lambda line: len(line.split()))
    train = [{"input_ids": tokenizer(f"Instruction: {line} Answer:")["input_ids"]} for line in lines[-3:]]
    held = read_held_text(text, "text", tokenizer, 128, train)
    assert 3 <= held.overlap < 40
    (warning,) = overlap_warnings(held)
    assert warning.startswith(f"{held.overlap} of the 40 pieces of forgetting_text share a run of words")
    assert overlap_warnings(None) == []
