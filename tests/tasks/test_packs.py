"""Packs of declared tasks, on files in the layout of their repositories' cards. None has met the real files."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet
import pytest

from bench.configuration.compose import Configurations
from bench.configuration.experiment import grid_overrides
from bench.configuration.folder import CONFIGS
from bench.configuration.schema import DataConfig, Family
from bench.errors import UserError
from bench.tables.definition.schema import load_definition
from bench.tasks.base import Task
from bench.tasks.build import task_from
from bench.tasks.generation import Generation

PACKS = ("superglue", "xnli", "pawsx", "gsm8k", "commonsense", "squad", "xsum", "samsum", "wmt16", "clue")
WRITING = (Family.encoder_decoder, Family.decoder)
NLI = ["entailment", "neutral", "contradiction"]
NLI_OF_CLUE = ["neutral", "entailment", "contradiction"]
TNEWS = [str(number) for number in range(100, 117) if number not in (105, 111)]
# What the cards say the numbers of a label are called.
NAMES: dict[str, list[str]] = {
    "superglue/boolq": ["False", "True"], "superglue/cb": ["entailment", "contradiction", "neutral"],
    "superglue/copa": ["choice1", "choice2"], "superglue/multirc": ["False", "True"],
    "superglue/rte": ["entailment", "not_entailment"], "superglue/wic": ["False", "True"],
    "superglue/wsc": ["False", "True"], "xnli": NLI, "pawsx": ["0", "1"],
    "clue/afqmc": ["0", "1"], "clue/tnews": TNEWS, "clue/iflytek": [str(number) for number in range(119)],
    "clue/ocnli": NLI_OF_CLUE, "clue/cmnli": NLI_OF_CLUE, "clue/csl": ["0", "1"], "clue/cluewsc2020": ["true", "false"],
}  # fmt: skip
# What a row has beside a label and texts of its own, as the cards have it; `{}` is its number.
SPAN = {"text": "nu", "start": 0, "end": 2}
ROWS: dict[str, dict[str, Any]] = {
    "superglue/multirc": {"paragraph": "nu {}", "question": "den", "answer": "va {}", "idx": {"paragraph": 0}},
    "superglue/record": {
        "passage": "nu\n@highlight\nden {}", "query": "@placeholder den", "entities": ["nu", "den"],
        "entity_spans": [SPAN], "answers": ["den", "nu"], "idx": {"passage": 0, "query": 0},
    },
    "gsm8k": {"question": "nu {} ?", "answer": "den 48/2 = <<48/2=24>>24\n#### 1,024"},
    "squad": {
        "id": "{}", "title": "nu", "context": "nu den {}", "question": "den {} ?",
        "answers": {"text": ["den", "nu den"], "answer_start": [3, 0]},
    },
    "xsum": {"document": "nu den {}", "summary": "nu .", "id": "{}"},
    "samsum": {"id": "{}", "dialogue": "nu: den\r\nva: {}", "summary": "nu ."},
    "clue/cmrc2018": {
        "id": "TRAIN_{}_QUERY_0", "context": "nu den va {}", "question": "den {} ?",
        "answers": {"text": ["den va", "den", "den va"], "answer_start": [3, 3, 3]},
    },
    "clue/drcd": {
        "id": "{}-1-1", "context": "nu den va {}", "question": "den {} ?",
        "answers": {"text": ["va", "va"], "answer_start": [7, 7]},
    },
    "clue/c3": {
        "id": 0, "context": ["nu: den {} ?", "va: sti"], "question": "nu {} ?", "choice": ["den {}", "va", "sti"],
        "answer": "va",
    },
    "clue/csl": {"idx": 0, "corpus_id": 1, "abst": "nu {}", "keyword": ["den", "va"]},
    "clue/cluewsc2020": {
        "idx": 0, "text": "nu {}",
        "target": {"span1_text": "nu", "span2_text": "va", "span1_index": 0, "span2_index": 1},
    },
    "meta-math/MetaMathQA": {
        "type": "GSM_Rephrased", "query": "nu {} ?", "original_question": "nu", "response": "va\nThe answer is: {}",
    },
}  # fmt: skip


def pack(name: str) -> str:
    """What a task belongs to."""
    return name.partition("/")[0]


def compose() -> dict[str, dict[str, Any]]:
    """The configuration of every task of a pack."""
    with Configurations() as configurations:
        names = [name for name in configurations.options("task") if pack(name) in PACKS and name != "wmt16"]
        return {name: configurations.cell([f"task={name}"]).config["task"] for name in names}


TASKS = compose()


def filled(value: Any, at: int) -> Any:
    """A row's value with its number in it."""
    if isinstance(value, dict):
        return {key: filled(inner, at) for key, inner in value.items()}
    if isinstance(value, list):
        return [filled(inner, at) for inner in value]
    return value.replace("{}", str(at)) if isinstance(value, str) else value


def row_of(name: str, texts: list[str], at: int) -> dict[str, Any]:
    """A row as the card describes it."""
    if name.startswith("wmt16/"):
        languages = name.removeprefix("wmt16/").split("_")
        return {"translation": {language: f"{language} {at} nu den va sti" for language in languages}}
    known = ROWS.get(name) or ROWS.get(pack(name)) or dict.fromkeys(texts, "nu rulbo {}")
    return {"idx": at, **filled(known, at)} if "id" not in known else filled(known, at)


@pytest.fixture
def written(tmp_path: Path) -> Callable[..., DataConfig]:
    """Files of a task in a mirror, its labels numbered by `names`."""

    def parquet(where: Path, split: str, rows: list[dict[str, Any]], names: list[str] | None) -> None:
        where.mkdir(parents=True, exist_ok=True)
        table = pa.Table.from_pylist(rows)
        if names:
            features = {"label": {"names": names, "_type": "ClassLabel"}}
            table = table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
        pa.parquet.write_table(table, where / f"{split}-00000-of-00001.parquet")

    def write(name: str, names: list[str] | None = None) -> DataConfig:
        config = TASKS[name]
        names = names or NAMES.get(name) or NAMES.get(pack(name))
        texts = [config["text"]] if isinstance(config["text"], str) else config["text"]
        count = 160 if name.startswith("gsm8k") else len(names or "12345678")
        rows = [row_of(name, texts, at) | ({"label": at} if names else {}) for at in range(count)]
        source = config["data"]
        places = [(source.get("subset"), split) for split in source.get("splits", {}).values()]
        places += [(one["subset"], "test") for one in config.get("tested_on", {}).values() if "subset" in one]
        for subset, split in places if "hub" in source else []:
            parquet(tmp_path / source["hub"] / (subset or ""), split, rows, names)
        if config.get("trained_on", {}).get("data", {}).get("hub"):
            hub = config["trained_on"]["data"]["hub"]
            parquet(tmp_path / hub, "train", [filled(ROWS[hub], at) for at in range(4)], None)
        for file in source["files"].values() if name == "samsum" else []:
            (tmp_path / file).write_text(json.dumps(rows))
        return DataConfig(root=str(tmp_path), any_size=True)

    return write


CLASSES = [name for name, config in TASKS.items() if config["form"] == "classification"]
WRITTEN = [name for name, config in TASKS.items() if config["form"] == "generation" and name != "commonsense"]


@pytest.mark.parametrize("name", CLASSES)
def test_files_as_the_card_describes_them_are_read_and_prompts_fit_every_family(name, written, tokenizer):
    config, data = TASKS[name], written(name)
    assert config["name"] == name
    names = NAMES.get(name) or NAMES[pack(name)]
    task = task_from(config).on(Family.encoder)
    found = task.load(tokenizer, 64, data)
    assert len(found.train) == len(names)
    assert task.head().labels == len(names)
    right = task.right_answers({split: one.references for split, one in found.evaluation.items()})
    assert all(labels == list(range(len(names))) for labels in right.values())
    assert list(found.test or ()) == list(config.get("tested_on") or ["test"] * ("test" in config["data"]["splits"]))
    row = dict.fromkeys([config["text"]] if isinstance(config["text"], str) else config["text"], "words")
    for family in WRITING:
        assert "words" in task_from(config).on(family).template(family, to_answer=True).fill(row)
    with pytest.raises(UserError, match="rows instead of the published"):
        task.load(tokenizer, 64, DataConfig(root=data.root))


@pytest.mark.parametrize("name", WRITTEN)
def test_what_is_to_be_written_is_read_and_the_right_answers_are_right(name, written, decoder_tokenizer):
    config, data = TASKS[name], written(name)
    assert config["name"] == name
    for family in WRITING:
        task = task_from(config).on(family)
        found = task.load(decoder_tokenizer, 128, data)
        for split in found.evaluation.values():
            scores = best(task, split.references)
            assert scores[task.main_metric] == pytest.approx(100 if task.main_metric == "bleu" else 1)
        assert found.train[0]["labels"][-1] == decoder_tokenizer.eos_token_id
    if config["data"].get("rows"):
        with pytest.raises(UserError, match="rows instead of the published"):
            task.load(decoder_tokenizer, 128, DataConfig(root=data.root))


CHOSEN = [name for name, config in TASKS.items() if config["form"] == "multiple_choice"]


@pytest.mark.parametrize("name", CHOSEN)
def test_answers_to_be_chosen_are_read_and_the_right_one_is_learnt(name, written, decoder_tokenizer):
    config, data = TASKS[name], written(name)
    assert config["name"] == name
    for family in WRITING:
        task = task_from(config).on(family)
        found = task.load(decoder_tokenizer, 128, data)
        asked = found.validation["validation"]
        assert asked.references == [1] * len(asked.examples)
        assert {len(example["counts"]) for example in asked.examples} == {len(ROWS[name]["choice"])}
        learnt = [token for token in found.train[0]["labels"] if token >= 0]
        assert decoder_tokenizer.decode(learnt, skip_special_tokens=True) == "va"
    with pytest.raises(UserError, match="rows instead of the published"):
        task.load(decoder_tokenizer, 128, DataConfig(root=data.root))


@pytest.mark.parametrize("name", ["squad", "clue/cmrc2018", "clue/drcd", *CHOSEN])
def test_what_is_written_or_chosen_is_no_task_of_an_encoder(name):
    with pytest.raises(UserError, match="needs a model of the family 'encoder_decoder' or 'decoder'"):
        task_from(TASKS[name]).on(Family.encoder)


def test_cmrc_compares_with_each_annotator_s_answer_by_characters(written, decoder_tokenizer):
    task = task_from(TASKS["clue/cmrc2018"]).on(Family.decoder)
    right = [["光荣和ω-force"] * 3, ["村雨城", "任天堂游戏谜之村雨城"]]
    scores = task.score({"validation": right}, {"validation": ["光荣", "任天堂游戏谜之村雨城。"]})
    assert scores == {"cmrc_f1": pytest.approx((2 / 3 + 1) / 2), "cmrc_exact_match": 0.5}


def best(task: Task, references: list[Any]) -> dict[str, float]:
    """The scores of whoever is right."""
    right = {"test": references}
    return task.score(right, task.right_answers(right))


def test_labels_numbered_otherwise_are_refused(written, tokenizer):
    data = written("superglue/cb", NLI)
    with pytest.raises(UserError, match="instead of"):
        task_from(TASKS["superglue/cb"]).on(Family.encoder).load(tokenizer, 64, data)


def test_an_answer_of_record_is_compared_with_each_that_is_right(written, decoder_tokenizer):
    """Token F1 and exact match of the best answer; articles, punctuation and case do not count."""
    task = task_from(TASKS["superglue/record"]).on(Family.encoder_decoder)
    found = task.load(decoder_tokenizer, 128, written("superglue/record"))
    asked = decoder_tokenizer.decode(found.train[0]["input_ids"], skip_special_tokens=True)
    assert "nu, den" in asked.replace(" ,", ",")
    right = [["New York", "The Big Apple"], ["Paris"], ["Rome"], ["Oslo"]]
    said = ["big apple.", "Paris France", "Milan", "Oslo"]
    scores = task.score({"validation": right}, {"validation": said})
    assert scores == {"squad_f1": pytest.approx((1 + 2 / 3 + 0 + 1) / 4), "squad_exact_match": 0.5}


def test_a_question_of_multirc_is_right_where_all_its_answers_are(tokenizer, tmp_path):
    """F1a is over all answers; exact match over questions, which are the same only in the same paragraph."""
    rows = [
        {"paragraph": paragraph, "question": "den", "answer": f"va {at}", "label": label}
        for paragraph, labels in (("nu", [1, 0]), ("sti", [1, 1]), ("bu", [0])) for at, label in enumerate(labels)
    ]  # fmt: skip
    folder = tmp_path / "aps/super_glue/multirc"
    folder.mkdir(parents=True)
    for split in ("train", "validation"):
        pa.parquet.write_table(pa.Table.from_pylist(rows), folder / f"{split}-00000-of-00001.parquet")
    task = task_from(TASKS["superglue/multirc"]).on(Family.encoder)
    found = task.load(tokenizer, 64, DataConfig(root=str(tmp_path), any_size=True))
    right = {"validation": found.validation["validation"].references}
    scores = task.score(right, {"validation": [1, 0, 1, 0, 1]})
    assert scores == {
        "f1": pytest.approx(2 * (2 / 3) * (2 / 3) / (2 / 3 + 2 / 3)), "accuracy": 0.6,
        "exact_match_by_group": pytest.approx(1 / 3),
    }  # fmt: skip
    assert task.main_metric == "f1"


@pytest.mark.parametrize("name", ["gsm8k", "gsm8k/own"])
def test_gsm8k_holds_out_some_of_its_own_rows(name, written, decoder_tokenizer):
    task = task_from(TASKS[name]).on(Family.decoder)
    found = task.load(decoder_tokenizer, 128, written(name))
    held_out = 1 if name == "gsm8k" else 8
    assert len(found.validation["validation"].references) == held_out
    assert len(found.test["test"].references) == 160
    assert len(found.train) == (4 if name == "gsm8k" else 152)
    masked = sum(label < 0 for label in found.train[0]["labels"])
    assert (masked == 0) == (name == "gsm8k"), "the peft library's comparison learns the prompt too"
    asked = decoder_tokenizer.decode(found.test["test"].examples[0]["input_ids"], skip_special_tokens=True)
    assert asked.endswith("Answer :")
    assert TASKS[name]["prompt"].endswith("Think step by step.\nAnswer:")


SETS = {
    "boolq": ("boolq", "true", "false"), "piqa": ("piqa", "solution1", "solution2"),
    "siqa": ("social_i_qa", "answer1", "answer3"), "hellaswag": ("hellaswag", "ending1", "ending4"),
    "winogrande": ("winogrande", "option1", "option2"), "arc_easy": ("ARC-Easy", "answer1", "answer5"),
    "arc_challenge": ("ARC-Challenge", "answer2", "answer4"), "obqa": ("openbookqa", "answer1", "answer2"),
}  # fmt: skip


@pytest.mark.parametrize("family", WRITING)
def test_commonsense_is_read_from_a_clone_and_scored_set_by_set(family, tmp_path, decoder_tokenizer):
    def write(file: str, answers: tuple[str, ...]) -> None:
        rows = [
            {"instruction": f"nu {answer}", "input": "", "output": f"the correct answer is {answer}", "answer": answer}
            for answer in answers
        ]
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_text(json.dumps(rows))

    write("ft-training_set/commonsense_170k.json", ("true", "ending1"))
    for folder, *answers in SETS.values():
        write(f"dataset/{folder}/test.json", tuple(answers))
    task = task_from(TASKS["commonsense"]).on(family)
    found = task.load(decoder_tokenizer, 512, DataConfig(root=str(tmp_path)))
    references = {name: split.references for name, split in found.evaluation.items()}
    assert references == {name: answers for name, (_, *answers) in SETS.items()}
    said = {name: [f"the correct answer is {answer}" for answer in answers] for name, answers in references.items()}
    said["boolq"] = ["the correct answer is true"] * 2
    scores = task.score(references, said)
    assert (scores["exact_match_label"], scores["exact_match_label_boolq"]) == (7.5 / 8, 0.5)
    asked = decoder_tokenizer.decode(found.train[0]["input_ids"], skip_special_tokens=True)
    assert "### Instruction:" in TASKS["commonsense"]["prompt"]
    assert asked.endswith("the answer is") == (family == Family.decoder), "the vocabulary lacks the other words"


def test_the_files_of_llm_adapters_differ_in_blanks_alone_between_training_and_test():
    trained, asked = TASKS["commonsense"]["trained_on"]["prompt"], TASKS["commonsense"]["prompt"]
    assert trained.split() == asked.split()
    assert "request.  \n\n" in trained
    assert "request. \n\n" in asked
    assert "\n                \n                ### Response:" in trained
    assert "{instruction}\n\n                ### Response:" in asked


EXPERIMENTS = sorted(file.stem for file in (CONFIGS / "experiment/packs").glob("*.yaml"))


@pytest.fixture(scope="module")
def configurations():
    with Configurations() as found:
        yield found


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_an_experiment_s_tasks_suit_its_models_and_its_table_shows_their_metrics(name, configurations):
    experiment = configurations.compose([f"experiment=packs/{name}"]).experiment
    assert experiment.name == f"packs/{name}"
    shown = {column.task: column.metrics or {} for column in load_definition(experiment.table).columns if column.task}
    tasks = set()
    for overrides in grid_overrides(experiment.grid, {}):
        chosen = dict(override.split("=", 1) for override in overrides)
        if chosen["task"] in tasks:
            continue
        tasks.add(chosen["task"])
        cell = configurations.cell(overrides)
        task = task_from(cell.config["task"]).on(Family(cell.config["model"]["family"]))
        known = {metric.name for metric in task.metrics()}
        known |= {f"{metric}_{one}" for metric in known for one in TASKS[task.name].get("tested_on", {})}
        assert set(shown.get(task.name, {})) <= known
        assert task.name in shown or "*" in shown
        assert isinstance(task, Generation) or Family(cell.config["model"]["family"]) in task.possible
    assert tasks <= set(TASKS)
