"""Translation, instructions and questions: what the model is given, from test mirrors and from the real data."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import PreTrainedTokenizerBase

from bench.configuration.schema import DataConfig, Family
from bench.data.example import IGNORED, Padding
from bench.data.published import MMLU
from bench.data.source import locate
from bench.errors import UserError
from bench.evaluation.inference import Inference
from bench.models.load import load_architecture, load_model
from bench.models.tokenizer import load_tokenizer
from bench.tasks.alpaca import PROMPT, PROMPT_WITH_INPUT, alpaca_table, rows_left_out
from bench.tasks.build import task_of
from bench.tasks.few_shot import prompt, prompt_table
from bench.tasks.mmlu import Mmlu
from bench.tasks.wmt16 import Wmt16
from tests.tokens import made

Mirror = Callable[..., DataConfig]
PAIRS = [{"translation": {"en": "Good day.", "ro": "Bună ziua."}}, {"translation": {"en": "Yes.", "ro": "Da."}}]


def wmt16(**changes: Any) -> Wmt16:
    settings = {"source": "en", "target": "ro", "beams": 4, "max_new_tokens": 8} | changes
    prefix = "translate English to Romanian: "
    return Wmt16(name="wmt16", title="", subset="ro-en", prefix=prefix, train_split="train", **settings)


def translation_mirror(mirror: Mirror, pairs: list[dict[str, Any]] | None = None) -> DataConfig:
    for split in ("train", "validation", "test"):
        data = mirror("wmt/wmt16/ro-en", split, pairs or PAIRS)
    return data


def mmlu(**changes: Any) -> Mmlu:
    settings = {"shots": 2, "prompt_length": 100, "subjects": None, "train_split": "train"} | changes
    return Mmlu(name="mmlu", title="", **settings)


def rows(subject: str, count: int) -> list[dict[str, Any]]:
    return [
        {"question": f"Question {i}?", "subject": subject, "choices": list("wxyz"), "answer": i % 4}
        for i in range(count)
    ]


def mmlu_mirror(mirror: Mirror) -> DataConfig:
    mirror("tatsu-lab/alpaca/data", "train", [{"instruction": "Do.", "input": "", "output": "Done."}])
    for split, count in (("dev", 3), ("validation", 4), ("test", 5)):
        data = mirror("cais/mmlu/all", split, rows("anatomy", count) + rows("high_school_physics", count))
    return data


def test_wmt16_prefixes_the_source_and_keeps_the_reference(mirror: Mirror, tokenizer: PreTrainedTokenizerBase) -> None:
    loaded = wmt16().load(tokenizer, 32, translation_mirror(mirror))
    assert loaded.train[0]["input_ids"] == tokenizer("translate English to Romanian: Good day.")["input_ids"]
    assert loaded.train[0]["labels"] == tokenizer("Bună ziua.")["input_ids"]
    assert loaded.test is not None
    assert loaded.test["test"].references == ["Bună ziua.", "Da."]
    assert "version:" in loaded.notes["sacrebleu"]["bleu"]


def test_real_translation_data(real_data: Path) -> None:
    data = DataConfig(root=str(real_data))
    table = locate(wmt16().sources()[0][0], "validation", data).rows()
    assert len(table) == 1999
    assert set(table.column("translation")[0].as_py()) == {"en", "ro"}
    with pytest.raises(UserError, match="the split train is missing"):
        locate(wmt16().sources()[0][0], "train", data)


def test_alpaca_learns_the_response_only(mirror: Mirror, decoder_tokenizer: PreTrainedTokenizerBase) -> None:
    data = mirror(
        "tatsu-lab/alpaca/data",
        "train",
        [
            {"instruction": "Name it.", "input": "", "output": "It."},
            {"instruction": "Name it.", "input": "A thing.", "output": "It."},
            {"instruction": "long " * 300, "input": "", "output": "never reached"},
        ],
    )
    table, _ = alpaca_table(decoder_tokenizer, 200, data, "train", miniature=False)
    assert len(table) == 2  # the third has no room for a response
    assert rows_left_out(table) == 1
    for row, text in zip(table.to_pylist(), (PROMPT, PROMPT_WITH_INPUT), strict=True):
        prompt = decoder_tokenizer(text.format(instruction="Name it.", input="A thing."))["input_ids"]
        assert row["input_ids"][: len(prompt)] == prompt
        assert row["labels"][: len(prompt)] == [IGNORED] * len(prompt)
        assert row["labels"][len(prompt) :] == row["input_ids"][len(prompt) :]
        assert row["labels"][-1] == decoder_tokenizer.eos_token_id


def test_mmlu_prompt_is_the_authors(mirror: Mirror, decoder_tokenizer: PreTrainedTokenizerBase) -> None:
    loaded = mmlu(prompt_length=500).load(decoder_tokenizer, 64, mmlu_mirror(mirror))
    text = (
        "The following are multiple choice questions (with answers) about  high school physics.\n\n"
        "Question 0?\nA. w\nB. x\nC. y\nD. z\nAnswer: A\n\n"
        "Question 1?\nA. w\nB. x\nC. y\nD. z\nAnswer: B\n\n"
        "Question 2?\nA. w\nB. x\nC. y\nD. z\nAnswer:"
    )
    validation = loaded.validation["validation"]
    assert validation.examples[4 + 2]["input_ids"] == decoder_tokenizer(text)["input_ids"]
    assert validation.references[4 + 2] == ("high_school_physics", 2)
    assert loaded.notes == {"few_shot_examples_dropped": 0, "instructions_too_long": 0}


def test_every_space_of_the_authors_prompt_is_there() -> None:
    """Their subjects keep the space that their words are joined with, and nothing is stripped."""
    row = {"question": " What?  ", "subject": "college_physics", "choices": ["w", "x", "y ", "z"], "answer": 1}
    text = " What?  \nA. w\nB. x\nC. y \nD. z\nAnswer:"
    header = "The following are multiple choice questions (with answers) about  college physics.\n\n"
    assert prompt(row, [row]) == f"{header}{text} B\n\n{text}"


def test_a_prompt_leaves_room_for_an_answer_of_several_tokens(mirror: Mirror, tmp_path: Path) -> None:
    tokenizer = made(tmp_path / "model")  # a space and a letter
    data = mmlu_mirror(mirror)
    loaded = mmlu(prompt_length=80).load(tokenizer, 800, data).validation["validation"]
    assert max(len(example["input_ids"]) for example in loaded.examples) == 79


def test_no_end_token_comes_between_a_prompt_and_what_follows(mirror: Mirror, tmp_path: Path) -> None:
    data = mmlu_mirror(mirror)
    plain, ending = (
        mmlu(prompt_length=500).load(made(tmp_path / name, single=single), 800, data)
        for name, single in (("plain", "<s> $A"), ("ending", "<s> $A </s>"))
    )
    assert list(ending.train) == list(plain.train)
    assert list(ending.validation["validation"].examples) == list(plain.validation["validation"].examples)


@pytest.mark.parametrize("task", ["mmlu", "wmt16"])
def test_a_task_whose_texts_end_needs_an_end_token(task: str, mirror: Mirror, tmp_path: Path) -> None:
    tokenizer = made(tmp_path / "model", without=("eos_token",))
    translation_mirror(mirror)
    data = mmlu_mirror(mirror)
    with pytest.raises(UserError, match="no end token"):
        (mmlu() if task == "mmlu" else wmt16()).load(tokenizer, 64, data)


@pytest.mark.parametrize("single", ["$A", "$A </s>"])
def test_a_translation_to_be_learned_ends_in_one_end_token(single: str, mirror: Mirror, tmp_path: Path) -> None:
    """One that is longer than there is room for is cut, in a million sentence pairs there are some."""
    data = translation_mirror(mirror, [{"translation": {"en": "Good day.", "ro": "Bună ziua. " * 20}}, *PAIRS])
    tokenizer = made(tmp_path / "model", family="encoder_decoder", single=single)
    for length in (400, 60):
        found = wmt16().load(tokenizer, length, data).train
        assert max(len(example["labels"]) for example in found) == (60 if length == 60 else 221)
        for example in found:
            assert example["labels"].count(tokenizer.eos_token_id) == 1
            assert example["labels"][-1] == tokenizer.eos_token_id
            assert len(example["labels"]) <= length


def test_the_record_says_how_translations_are_searched_for_and_scored(mirror: Mirror, tmp_path: Path) -> None:
    data = translation_mirror(mirror)
    tokenizer = made(tmp_path / "model", family="encoder_decoder", single="$A </s>")
    notes = wmt16(beams=3, length_penalty=0.6).load(tokenizer, 64, data).notes
    assert notes["search"] == {"beams": 3, "max_new_tokens": 8, "length_penalty": 0.6, "early_stopping": False}
    assert "tok:13a" in notes["sacrebleu"]["bleu"]


def test_wmt16s_settings_make_another_pair_of_it(compose) -> None:
    """Whose rows nobody has counted, and whose words are those of its own target language."""
    pair = ("model=miniature/t5", "task=wmt16", "task.subset=zh-en", "task.source=en", "task.target=zh")
    task = task_of(compose(*pair))
    (published, split), *_ = task.sources()
    assert (published.subset, dict(published.rows), split) == ("zh-en", {}, "train")
    assert list(published.columns["translation"].rules) == ["en", "zh"]
    assert (task.words, task.template(Family.encoder_decoder).fill({"en": "x"})) == (
        "zh", "translate English to Romanian: x",
    )  # fmt: skip
    assert task_of(compose(*pair, "task.bleu_tokenizer=char")).words == "char"
    with pytest.raises(UserError, match="unknown BLEU tokenizer 'chars'"):
        task_of(compose(*pair, "task.bleu_tokenizer=chars"))


def test_wmt16s_own_pair_is_counted(compose) -> None:
    task = task_of(compose("model=miniature/t5", "task=wmt16", "task.train_split=half", 'task.prefix="so: "'))
    (published, split), *_ = task.sources()
    assert (published.rows["train"], published.rows["test"], split) == (610320, 1999, "half")
    assert task.template(Family.encoder_decoder).fill({"en": "x"}) == "so: x"


@pytest.mark.parametrize(("family", "stop"), [(Family.encoder_decoder, None), (Family.decoder, "\n")])
def test_a_line_ends_what_a_decoder_translates(family: Family, stop: str | None, mirror: Mirror, tmp_path: Path):
    tokenizer = made(tmp_path / "model", single="$A </s>" if stop is None else "<s> $A")
    notes = wmt16().on(family).load(tokenizer, 200, translation_mirror(mirror)).notes
    assert notes["stop"] == stop


@pytest.mark.parametrize("family", [Family.encoder_decoder, Family.decoder])
def test_a_class_of_ones_own_translates_otherwise(family: Family, mirror: Mirror, tmp_path: Path) -> None:
    @dataclass(kw_only=True)
    class Own(Wmt16):
        def predict(self, model, examples, run):
            return ["Da."] * len(examples)

    own = Own(name="own", title="", subset="ro-en", source="en", target="ro", prefix="", train_split="train", beams=1,
              max_new_tokens=4).on(family)  # fmt: skip
    tokenizer = made(tmp_path / "model", single="$A </s>" if family == Family.encoder_decoder else "<s> $A")
    test = own.load(tokenizer, 200, translation_mirror(mirror)).test["test"]
    said = own.predict(None, test.examples, None)
    assert set(own.score({"test": test.references}, {"test": said})) == {"bleu", "chrf"}
    assert own.score({"test": ["Da."] * 2}, {"test": said})["chrf"] == pytest.approx(100)


@pytest.mark.parametrize(
    "setting", [{"beams": 0}, {"beams": 2.5}, {"beams": True}, {"max_new_tokens": -1}, {"max_new_tokens": 10**9},
                {"length_penalty": float("nan")}, {"length_penalty": 11}, {"length_penalty": "long"},
                {"early_stopping": "no"}]
)  # fmt: skip
def test_a_search_that_cannot_be_is_refused_by_its_setting(setting: dict[str, Any]) -> None:
    with pytest.raises(UserError, match=rf"task\.{next(iter(setting))}="):
        wmt16(**setting)


@pytest.mark.parametrize("setting", [{"shots": -1}, {"prompt_length": 0}, {"prompt_length": None}])
def test_prompts_that_cannot_be_are_refused_by_their_setting(setting: dict[str, Any]) -> None:
    with pytest.raises(UserError, match=rf"task\.{next(iter(setting))}="):
        mmlu(**setting)


def test_examples_that_overflow_are_dropped_from_the_front_and_counted(
    mirror: Mirror, decoder_tokenizer: PreTrainedTokenizerBase
) -> None:
    data = mmlu_mirror(mirror)
    whole = mmlu(prompt_length=500).load(decoder_tokenizer, 64, data).validation["validation"]
    longest = max(len(example["input_ids"]) for example in whole.examples)
    cut = mmlu(prompt_length=longest - 1).load(decoder_tokenizer, 64, data)
    assert cut.notes["few_shot_examples_dropped"] > 0
    assert all(len(example["input_ids"]) < longest for example in cut.validation["validation"].examples)
    one_shot = mmlu(prompt_length=500, shots=1).load(decoder_tokenizer, 64, data)
    shortest = min(len(example["input_ids"]) for example in one_shot.validation["validation"].examples)
    assert min(len(e["input_ids"]) for e in cut.validation["validation"].examples) <= max(shortest, longest - 1)


def test_subjects_can_be_chosen(mirror: Mirror, decoder_tokenizer: PreTrainedTokenizerBase) -> None:
    data = mmlu_mirror(mirror)
    loaded = mmlu(subjects=["anatomy"]).load(decoder_tokenizer, 64, data)
    assert {subject for subject, _ in loaded.validation["validation"].references} == {"anatomy"}
    with pytest.raises(UserError, match="did you mean anatomy"):
        mmlu(subjects=["anatmy"]).load(decoder_tokenizer, 64, data)


def test_an_encoder_decoder_reads_the_prompt_and_writes_the_letter(compose) -> None:
    """As it learns: Alpaca's prompt in, the response out; scored by what it would most likely write, one by one."""
    cell = compose("model=miniature/t5", "task=miniature/mmlu", "data.limit_train=40", "data.limit_evaluation=8")
    task, tokens = task_of(cell), load_tokenizer(cell.base)
    data = task.load(tokens, 256, cell.data)
    end = tokens.eos_token_id
    for example in data.train:
        assert example["input_ids"][-1] == example["labels"][-1] == end
        assert "Response" in tokens.decode(example["input_ids"])
        assert "Instruction" not in tokens.decode(example["labels"])
    asked = data.validation["validation"].examples
    assert all(example["input_ids"][-1] == end and example["input_ids"].count(end) == 1 for example in asked)
    model = load_model(cell.base, load_architecture(cell.base, None)).eval()
    chosen = task.predict(model, asked, Inference(tokens, Padding(tokens.pad_token_id), 4))
    for example, choice in zip(asked, chosen, strict=True):
        inputs = torch.tensor([example["input_ids"]])
        words = [[*tokens(letter, add_special_tokens=False)["input_ids"], end] for letter in "ABCD"]
        losses = [model(input_ids=inputs, labels=torch.tensor([word])).loss.item() * len(word) for word in words]
        assert losses[choice] == pytest.approx(min(losses), abs=1e-4)


def test_macro_averages_subjects_and_micro_questions() -> None:
    references = {"validation": [("a", 0), ("a", 1), ("a", 2), ("b", 3)]}
    predictions = {"validation": [0, 0, 0, 3]}
    assert mmlu().score(references, predictions) == pytest.approx({"accuracy_macro": 2 / 3, "accuracy_micro": 0.5})
    assert mmlu().breakdown(references, predictions) == pytest.approx({"a": 1 / 3, "b": 1.0})


def test_real_mmlu(real_data: Path, decoder_tokenizer: PreTrainedTokenizerBase) -> None:
    data = DataConfig(root=str(real_data))
    counts = {split: locate(MMLU, split, data).rows() for split in ("dev", "validation", "test")}
    assert {split: len(table) for split, table in counts.items()} == {"dev": 285, "validation": 1531, "test": 14042}
    assert len(set(counts["test"].column("subject").to_pylist())) == 57
    dev = counts["dev"].to_pylist()
    table = prompt_table(decoder_tokenizer, counts["validation"].slice(0, 3).to_pylist(), dev, 5, 10_000)
    assert table.column("dropped").to_pylist() == [0, 0, 0]


def test_real_alpaca_subset(real_data: Path, decoder_tokenizer: PreTrainedTokenizerBase) -> None:
    data = DataConfig(root=str(real_data), limit_train=50)
    table, _ = alpaca_table(decoder_tokenizer, 4096, data, "train_subset", miniature=False)
    assert len(table) == 50
