"""GLUE's loader: against mirrors of every kind, and against the real data."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from transformers import PreTrainedTokenizerBase

from bench.configuration.schema import DataConfig, Family
from bench.data.published import GLUE
from bench.errors import UserError
from bench.tasks.glue import Glue

Mirror = Callable[..., DataConfig]

ROWS = {
    "cola": {"sentence": "It works.", "label": 1},
    "sst2": {"sentence": "a fine film ", "label": 1},
    "mrpc": {"sentence1": "A.", "sentence2": "B.", "label": 0},
    "stsb": {"sentence1": "A.", "sentence2": "B.", "label": 3.8},
    "qqp": {"question1": "A?", "question2": "B?", "label": 0},
    "mnli": {"premise": "A.", "hypothesis": "B.", "label": 2},
    "qnli": {"question": "A?", "sentence": "B.", "label": 1},
    "rte": {"sentence1": "A.", "sentence2": "B.", "label": 0},
}
# The same rows in GLUE's original files: header, and a line.
ORIGINAL = {
    "cola": ("CoLA", None, "gj04\t1\t\tIt works."),
    "sst2": ("SST-2", "sentence\tlabel", "a fine film \t1"),
    "mrpc": ("MRPC", "Quality\t#1 ID\t#2 ID\t#1 String\t#2 String", "0\t7\t8\tA.\tB."),
    "stsb": (
        "STS-B",
        "index\tgenre\tfilename\tyear\told_index\tsource1\tsource2\tsentence1\tsentence2\tscore",
        "0\tg\tf\t2012\t1\tx\ty\tA.\tB.\t3.800",
    ),
    "qqp": ("QQP", "id\tqid1\tqid2\tquestion1\tquestion2\tis_duplicate", "0\t1\t2\tA?\tB?\t0"),
    "mnli": (
        "MNLI",
        "index\tpromptID\tpairID\tgenre\tb1\tb2\tp1\tp2\tsentence1\tsentence2\tlabel1\tgold_label",
        "0\t1\t2\tg\tb\tb\tp\tp\tA.\tB.\tneutral\tcontradiction",
    ),
    "qnli": ("QNLI", "index\tquestion\tsentence\tlabel", "0\tA?\tB.\tnot_entailment"),
    "rte": ("RTE", "index\tsentence1\tsentence2\tlabel", "0\tA.\tB.\tentailment"),
}
DEV = {"validation": "dev", "validation_matched": "dev_matched", "validation_mismatched": "dev_mismatched"}


def task(subset: str) -> Glue:
    return Glue(name=f"glue/{subset}", title=subset, subset=subset)


@pytest.mark.parametrize("subset", GLUE)
@pytest.mark.parametrize("kind", ["parquet", "jsonl", "tsv"])
def test_every_kind_of_mirror_gives_the_same_tokens(
    subset: str, kind: str, mirror: Mirror, tmp_path: Path, tokenizer: PreTrainedTokenizerBase
) -> None:
    row, glue = ROWS[subset], task(subset)
    splits = ("train", *glue.validation_splits)
    if kind == "tsv":
        folder, header, line = ORIGINAL[subset]
        (tmp_path / "glue_data" / folder).mkdir(parents=True)
        for split in splits:
            text = "\n".join(part for part in (header, line) if part is not None) + "\n"
            (tmp_path / "glue_data" / folder / f"{DEV.get(split, split)}.tsv").write_text(text)
        data = DataConfig(root=str(tmp_path / "glue_data"), any_size=True)
    else:
        for split in splits:
            data = mirror(f"nyu-mll/glue/{subset}", split, [row], kind)
    loaded = glue.load(tokenizer, 16, data)
    *texts, label = row.values()
    (example,) = loaded.train
    assert example["input_ids"] == tokenizer(*texts)["input_ids"]
    assert example["labels"] == pytest.approx(label)
    assert list(loaded.validation) == list(glue.validation_splits)


@pytest.mark.parametrize("subset", ["cola", "sst2", "mrpc", "stsb", "rte"])
def test_real_counts_labels_and_first_rows(subset: str, real_data: Path, tokenizer: PreTrainedTokenizerBase) -> None:
    data = DataConfig(root=str(real_data), limit_train=2000)  # counts are checked before the limit is applied
    loaded = task(subset).load(tokenizer, 64, data)
    assert len(loaded.train) == 2000
    (validation,) = loaded.validation.values()
    assert len(validation.references) == GLUE[subset].rows["validation"]
    majority = {"cola": 721, "sst2": 444, "mrpc": 279, "rte": 146}
    if subset in majority:
        assert max(Counter(validation.references).values()) == majority[subset]
    else:
        assert (min(validation.references), max(validation.references)) == (0.0, 5.0)


def test_a_row_count_other_than_the_published_one_is_refused(
    mirror: Mirror, tokenizer: PreTrainedTokenizerBase
) -> None:
    data = mirror("nyu-mll/glue/rte", "train", [ROWS["rte"]])
    with pytest.raises(UserError, match=r"1 rows instead of the published 2490; data.any_size=true"):
        task("rte").load(tokenizer, 16, DataConfig(root=data.root))


def test_long_pairs_are_cut_to_the_length(mirror: Mirror, tokenizer: PreTrainedTokenizerBase) -> None:
    row = {"sentence1": "A. " * 40, "sentence2": "B. " * 40, "label": 1}
    mirror("nyu-mll/glue/rte", "validation", [row])
    loaded = task("rte").load(tokenizer, 16, mirror("nyu-mll/glue/rte", "train", [row]))
    assert len(loaded.train[0]["input_ids"]) == 16


def test_unknown_task_names_the_nearest() -> None:
    with pytest.raises(UserError, match="did you mean sst2"):
        task("sst")


@pytest.mark.parametrize("subset", sorted(GLUE))
def test_on_an_encoder_the_declared_task_has_the_same_tokens_labels_and_metrics(subset, tokenizer):
    """What other models are given of GLUE comes of the same rows; where both ways can be had they agree."""
    task, small = Glue(name="own", title="", subset=subset, miniature=True), DataConfig(limit_train=50)
    own, declared = task.load(tokenizer, 24, small), task.declared().on(Family.encoder).load(tokenizer, 24, small)
    assert list(own.train) == list(declared.train)
    for name, split in own.validation.items():
        assert list(split.examples) == list(declared.validation[name].examples)
        assert split.references == declared.validation[name].references
    references = {name: split.references for name, split in own.validation.items()}
    assert task.score(references, references) == task.declared().score(references, references)


def test_an_encoder_decoder_is_given_t5s_own_prompts():
    task = Glue(name="own", title="", subset="mnli").on(Family.encoder_decoder)
    assert task.template(Family.encoder_decoder).fill({"premise": "P", "hypothesis": "H"}) == (
        "mnli hypothesis: H premise: P"
    )
    assert task.label_words == ("entailment", "neutral", "contradiction")
    assert (task.head(), task.way) == (None, "words")


def test_a_task_of_ones_own_over_glue_stays_with_encoders():
    class Mine(Glue):
        pass

    with pytest.raises(UserError, match="Mine is a task of encoders"):
        Mine(name="own", title="", subset="rte").on(Family.decoder)
