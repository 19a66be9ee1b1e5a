"""GLUE's loader: against mirrors of every kind, and against the real data."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from transformers import PreTrainedTokenizerBase

from bench.configuration.compose import Configurations
from bench.configuration.schema import DataConfig, Family
from bench.errors import UserError
from bench.tasks.build import task_from
from bench.tasks.check import check_task
from bench.tasks.classification import Classification
from bench.tasks.glue import Glue
from tests.glue import GLUE

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
    splits = [split for _, split in glue.sources()]
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
    assert list(loaded.validation) == splits[1:]


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
    mirror("nyu-mll/glue/rte", "validation", [ROWS["rte"]])
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


@pytest.mark.parametrize("subset", GLUE)
def test_what_the_yaml_declares_is_what_its_class_is_for_a_subset(subset):
    with Configurations() as configurations:
        declared = task_from(configurations.cell([f"task=glue/{subset}"]).config["task"])
    own = Glue(name=f"glue/{subset}", title=declared.title, subset=subset)
    assert (type(own.declared), own.sources()) == (type(declared.on(Family.encoder)), declared.sources())
    assert own.metrics() == declared.metrics()
    assert type(declared.on(Family.encoder)).__module__ != Glue.__module__, "the class is for those below it"


def test_the_mismatched_half_of_mnli_has_metrics_of_its_own():
    labels = {"validation_matched": [0, 1], "validation_mismatched": [2, 1]}
    said = {"validation_matched": [0, 1], "validation_mismatched": [0, 1]}
    assert task("mnli").score(labels, said) == {"accuracy": 1.0, "accuracy_mismatched": 0.5}
    assert [metric.name for metric in task("mnli").metrics()] == ["accuracy", "accuracy_mismatched"]


@pytest.mark.parametrize(
    ("subset", "names"),
    [("cola", ["matthews_correlation"]), ("stsb", ["pearson", "spearman"])]
    + [(subset, ["accuracy"]) for subset in ("sst2", "qnli", "rte")]
    + [(subset, ["accuracy", "f1"]) for subset in ("mrpc", "qqp")],
)
def test_each_task_has_glues_own_metrics(subset, names):
    assert [metric.name for metric in task(subset).metrics()] == names
    assert task(subset).main_metric == names[0]


def test_an_encoder_decoder_is_given_t5s_own_prompts():
    task = Glue(name="own", title="", subset="mnli").on(Family.encoder_decoder)
    assert task.template(Family.encoder_decoder).fill({"premise": "P", "hypothesis": "H"}) == (
        "mnli hypothesis: H premise: P"
    )
    assert task.label_words == ("entailment", "neutral", "contradiction")
    assert (task.head(), task.way) == (None, "words")


@dataclass(kw_only=True)
class Mine(Glue):
    folds: int = 3

    @property
    def main_metric(self) -> str:
        return "score"

    def predict(self, model, examples, run):
        return [0] * len(examples)

    def score(self, references, predictions):
        return {"score": float(self.folds), **super().score(references, predictions)}


@pytest.mark.parametrize("family", Family)
def test_a_class_of_ones_own_changes_what_it_overrides_and_nothing_else(family, mirror, tokenizer, decoder_tokenizer):
    words = {"words": {"entailment": "sti", "not_entailment": "nu"}}
    config = {"_target_": f"{__name__}.Mine", "name": "own", "title": "", "subset": "rte", "folds": 5} | words
    own, rows = task_from(config).on(family), [ROWS["rte"], ROWS["rte"] | {"label": 1}]
    plain = Glue(name="plain", title="", subset="rte", declaration=words).on(family)
    for split in ("train", "validation"):
        data = mirror("nyu-mll/glue/rte", split, rows)
    tokens = tokenizer if family == Family.encoder else decoder_tokenizer
    found, same = own.load(tokens, 64, data), plain.load(tokens, 64, data)
    assert isinstance(own, Mine)
    assert list(found.train) == list(same.train)
    assert own.head() == plain.head()
    said = {"validation": own.predict(None, found.validation["validation"].examples, None)}
    right = {"validation": found.validation["validation"].references}
    assert own.score(right, said) == {"score": 5.0, "accuracy": 0.5}
    check_task(own, found)


def test_its_yaml_may_change_the_declaration_too(mirror, tokenizer):
    """What is no field of the class is a setting of the declared task; the rest is the packaged YAML's."""
    config = {"_target_": f"{__name__}.Mine", "name": "own", "title": "", "subset": "mrpc", "metrics": ["f1_macro"],
              "words": {"equivalent": "yes"}, "data": {"holdout_seed": 3}}  # fmt: skip
    declared = task_from(config).declared
    assert isinstance(declared, Classification)
    assert [metric.name for metric in declared.metrics()] == ["f1_macro"]
    assert declared.label_words == ("not_equivalent", "yes")
    assert declared.data["hub"] == "nyu-mll/glue"
    with pytest.raises(UserError, match="setting of task 'fold'"):
        task_from(config | {"fold": 3})
    with pytest.raises(UserError, match="did you mean rte"):
        task_from(config | {"subset": "rtee"})
