"""The tokenizer beside a model is the one that it was trained with, or nothing is trained."""

import json
from pathlib import Path

import pytest
from transformers import AutoTokenizer, Qwen2Tokenizer

from bench.configuration.schema import Family
from bench.errors import UserError
from bench.models.tokenizer import end_token, padding_token, prompt_tokens
from tests.tiny import VOCABULARY, tiny_config
from tests.tokens import LETTERS, SPECIAL, made, model_folder, tokenizer_in, write_tokenizer

KINDS = {
    "roberta": "encoder", "bert": "encoder", "electra": "encoder", "t5": "encoder_decoder", "llama": "decoder",
    "qwen2": "decoder", "gemma2": "decoder", "mistral": "decoder",
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("left", ["nothing", "tokenizer_config.json"])
def test_a_folder_without_a_vocabulary_is_refused(kind: str, left: str, tmp_path: Path) -> None:
    """transformers makes a tokenizer of special tokens alone for most of these."""
    folder = model_folder(tmp_path, KINDS[kind], model_type=kind)
    if left != "nothing":
        (folder / left).write_text(json.dumps({"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": "</s>"}))
    with pytest.raises(UserError, match=r"has no tokenizer.*beside the weights"):
        tokenizer_in(folder, KINDS[kind])


@pytest.mark.parametrize("kind", ["roberta", "qwen2"])
def test_byte_pairs_without_their_merges_are_refused(kind: str, tmp_path: Path) -> None:
    folder = model_folder(tmp_path, KINDS[kind], model_type=kind)
    (folder / "vocab.json").write_text(json.dumps({token: index for index, token in enumerate([*SPECIAL, *LETTERS])}))
    with pytest.raises(UserError, match=r"merges"):
        tokenizer_in(folder, KINDS[kind])


@pytest.mark.parametrize("file", ["tokenizer.json", "tokenizer_config.json"])
@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("version https://git-lfs.github.com/spec/v1\noid sha256:ab\nsize 12\n", "pointer of git-LFS"),
        ("", "is empty"),
        ('{"model": ', "is no JSON"),
        ("[]", "holds no mapping"),
    ],
)
def test_a_file_that_is_not_what_it_claims_is_named(file: str, content: str, why: str, tmp_path: Path) -> None:
    folder = write_tokenizer(model_folder(tmp_path))
    (folder / file).write_text(content)
    with pytest.raises(UserError, match=why) as caught:
        tokenizer_in(folder)
    assert str(folder / file) in str(caught.value)


def test_a_tokenizer_of_another_layout_is_refused_in_one_line(tmp_path: Path) -> None:
    folder = write_tokenizer(model_folder(tmp_path))
    (folder / "tokenizer.json").write_text('{"model": {"type": "BPE"}}')
    with pytest.raises(UserError, match="cannot read the tokenizer of") as caught:
        tokenizer_in(folder)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("told", [{}, {"without": ("tokenizer_class",)}], ids=["named", "unnamed"])
def test_the_file_decides_how_text_is_cut_whatever_class_the_library_takes(
    told: dict[str, tuple[str, ...]], tmp_path: Path
) -> None:
    folder = write_tokenizer(model_folder(tmp_path, model_type="qwen2"), **told)
    assert isinstance(AutoTokenizer.from_pretrained(folder), Qwen2Tokenizer)  # which cuts by rules of its own
    tokenizer = tokenizer_in(folder)
    ids = {token: index for index, token in enumerate([*SPECIAL, *LETTERS])}
    assert tokenizer("Ab C").input_ids == [ids[token] for token in ("<s>", "A", "b", " ", "C")]
    assert (tokenizer.eos_token_id, tokenizer.pad_token_id) == (ids["</s>"], ids["<pad>"])


@pytest.mark.parametrize("behind", ["", " </s>", " </s> </s>"])
def test_what_the_tokenizer_puts_behind_a_text_is_not_put_behind_a_prompt(behind: str, tmp_path: Path) -> None:
    tokenizer = made(tmp_path, single=f"<s> $A{behind}")
    plain = made(tmp_path / "plain", single="<s> $A")
    texts = ["Answer:", "A", ""]
    assert prompt_tokens(tokenizer, texts) == plain(texts)["input_ids"]
    assert prompt_tokens(tokenizer, []) == []


def test_an_end_token_in_the_text_itself_stays(tmp_path: Path) -> None:
    tokenizer = made(tmp_path, single="<s> $A </s>")
    [tokens] = prompt_tokens(tokenizer, ["A</s>"])
    assert tokens == [1, 4 + LETTERS.index("A"), 2]


def test_a_tokenizer_that_marks_languages_is_refused_where_it_would_have_to_write(tmp_path: Path) -> None:
    """mBART's, M2M-100's and NLLB's: without the right mark they write another language, and nothing would show it."""
    tokenizer = made(tmp_path)
    tokenizer.__class__ = type("MarkedTokenizer", (type(tokenizer),), {"src_lang": "en_XX"})
    with pytest.raises(UserError, match="marks each text with its language, and no task says which"):
        end_token(tokenizer)


def test_a_tokenizer_without_an_end_token_says_so_when_one_is_needed(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no end token.*eos_token"):
        end_token(made(tmp_path, without=("eos_token",)))


def test_padding_is_a_token_that_the_model_has(tmp_path: Path) -> None:
    config = tiny_config("decoder", pad_token_id=None)
    family = Family.decoder
    assert padding_token(made(tmp_path / "own"), config, family, VOCABULARY) == 0
    assert padding_token(made(tmp_path / "none", without=("pad_token",)), config, family, VOCABULARY) == 3  # <unk>
    bare = made(tmp_path / "bare", without=("pad_token", "unk_token"))
    assert padding_token(bare, config, family, VOCABULARY) == 2  # </s>
    beyond = made(tmp_path / "beyond", pad_token="[PAD]")
    assert beyond.pad_token_id >= len(SPECIAL) + len(LETTERS)
    assert padding_token(beyond, config, family, len(SPECIAL) + len(LETTERS)) == 3


def test_an_encoder_pads_with_its_own_token_by_which_it_counts_positions(tmp_path: Path) -> None:
    tokenizer = made(tmp_path, "encoder", pad_token="</s>")
    assert padding_token(tokenizer, tiny_config("encoder"), Family.encoder, VOCABULARY) == 0
