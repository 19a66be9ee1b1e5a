"""The shipped backbones: real transformers models, small, offline, and better than random weights."""

import functools
import json
import pathlib
import subprocess
import sys
from typing import Any

import pytest

from bench.miniature import prompts
from bench.miniature.backbones import FAMILIES, backbone_path
from bench.miniature.exam import exam_rows
from bench.miniature.glue import glue_rows
from bench.miniature.instructions import instruction_rows
from bench.miniature.lexicon import DEFAULT_SEED
from bench.miniature.schema import GLUE_TEXTS
from bench.miniature.tokenizers import SENTINELS, vocabulary
from bench.miniature.translation import translation_rows

AUTO_CLASSES = {"roberta": "AutoModelForMaskedLM", "t5": "AutoModelForSeq2SeqLM", "llama": "AutoModelForCausalLM"}


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


def tokenizer_of(family: str) -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(backbone_path(family))


def model_of(family: str) -> Any:
    import transformers

    return getattr(transformers, AUTO_CLASSES[family]).from_pretrained(backbone_path(family))


@functools.cache
def rendered_examples() -> list[str]:
    texts = [
        str(row[text])
        for task, names in GLUE_TEXTS.items()
        for rows in glue_rows(DEFAULT_SEED, task).values()
        for row in rows
        for text in names
    ]
    for rows in translation_rows(DEFAULT_SEED).values():
        for row in rows:
            pair: Any = row["translation"]
            texts += [prompts.TRANSLATION_PREFIX + pair["en"], pair["ro"]]
    for rows in exam_rows(DEFAULT_SEED).values():
        for row in rows:
            header = prompts.EXAM_HEADER.format(subject=str(row["subject"]).replace("_", " "))
            choices: Any = row["choices"]
            texts.append(header + prompts.exam_question(str(row["question"]), choices) + " A")
    return texts + [str(row["text"]) for row in instruction_rows(DEFAULT_SEED)]


@pytest.mark.parametrize("family", FAMILIES)
def test_no_rendered_example_has_an_unknown_word(family: str) -> None:
    tokenizer = tokenizer_of(family)
    encoded = tokenizer(rendered_examples(), add_special_tokens=False)["input_ids"]
    assert all(tokenizer.unk_token_id not in ids for ids in encoded)


@pytest.mark.parametrize("family", FAMILIES)
def test_tokenizer_matches_the_lexicon_and_decodes_to_the_same_text(family: str) -> None:
    tokenizer = tokenizer_of(family)
    assert tokenizer.get_vocab() == vocabulary(family)
    pair: Any = translation_rows(DEFAULT_SEED)["test"][0]["translation"]
    for text in pair.values():
        assert tokenizer.decode(tokenizer(text)["input_ids"], skip_special_tokens=True) == text


def test_special_tokens_surround_texts_as_in_the_original_models() -> None:
    word = sorted(vocabulary("roberta"))[-1]

    def pieces(family: str, *texts: str) -> list[str]:
        tokenizer = tokenizer_of(family)
        tokens: list[str] = tokenizer.convert_ids_to_tokens(tokenizer(*texts)["input_ids"])
        return tokens

    assert pieces("roberta", word) == ["<s>", word, "</s>"]
    assert pieces("roberta", word, word) == ["<s>", word, "</s>", "</s>", word, "</s>"]
    assert pieces("t5", word) == [word, "</s>"]
    assert pieces("t5", f"{word} {SENTINELS[3]}") == [word, SENTINELS[3], "</s>"]
    assert pieces("llama", word) == ["<s>", word]
    assert tokenizer_of("roberta").mask_token == "<mask>"
    llama = tokenizer_of("llama")
    assert llama.pad_token_id not in (None, llama.eos_token_id, llama.bos_token_id)


def test_an_answers_letter_is_one_token() -> None:
    tokenizer = tokenizer_of("llama")
    for letter in "ABCD":
        (alone,) = tokenizer(f" {letter}", add_special_tokens=False).input_ids
        assert tokenizer(f"\nAnswer: {letter}").input_ids[-1] == alone
        assert tokenizer(f"{letter}.", add_special_tokens=False).input_ids[0] == alone


@pytest.mark.parametrize("family", FAMILIES)
def test_backbones_are_small(family: str) -> None:
    model = model_of(family)
    assert sum(parameter.numel() for parameter in model.parameters()) <= 1_500_000
    assert {str(parameter.dtype) for parameter in model.parameters()} == {"torch.float32"}
    report = json.loads((backbone_path(family) / "pretraining.json").read_text())
    assert report["seed"] == DEFAULT_SEED
    assert report["command"].startswith("python scripts/pretrain_miniature.py")


def test_backbones_together_fit_in_ten_megabytes() -> None:
    files = [path for family in FAMILIES for path in backbone_path(family).iterdir()]
    assert sum(path.stat().st_size for path in files) < 10 * 2**20


def test_a_classifier_can_be_put_on_roberta() -> None:
    from transformers import AutoModelForSequenceClassification

    model = AutoModelForSequenceClassification.from_pretrained(backbone_path("roberta"), num_labels=3)
    assert model(**tokenizer_of("roberta")("a", "b", return_tensors="pt")).logits.shape == (1, 3)


@pytest.mark.parametrize("family", FAMILIES)
def test_pretrained_weights_know_the_language(family: str) -> None:
    from bench.miniature.pretraining.architectures import new_model
    from bench.miniature.pretraining.training import held_out_loss

    pretrained = held_out_loss(family, model_of(family), DEFAULT_SEED, batches=2)
    random = held_out_loss(family, new_model(family), DEFAULT_SEED, batches=2)
    assert pretrained < 0.4 * random


def test_an_unknown_family_is_an_error() -> None:
    with pytest.raises(ValueError, match="roberta, t5, llama"):
        backbone_path("gpt")


@pytest.mark.slow  # a minute
def test_pretraining_twice_gives_the_same_bits(tmp_path: pathlib.Path) -> None:
    script = pathlib.Path(__file__).parents[2] / "scripts" / "pretrain_miniature.py"
    for name in ("first", "second"):
        command = [sys.executable, str(script), "--steps", "2", "--threads", "1", "--out", str(tmp_path / name)]
        subprocess.run(command, check=True, capture_output=True)
    for family in FAMILIES:
        first, second = (tmp_path / name / family / "model.safetensors" for name in ("first", "second"))
        assert first.read_bytes() == second.read_bytes()
        assert str(tmp_path) not in (first.parent / "pretraining.json").read_text()
