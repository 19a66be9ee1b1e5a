"""`bench check model=…`: what is wrong with a model is said before anything is trained on it."""

import json
import re
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import load_file, save_file

from bench.configuration.cell import Cell
from bench.configuration.schema import Family, ModelConfig
from bench.errors import UserError
from bench.models.families import structure_of
from bench.models.head import usual_head
from bench.models.load import build_empty, load_architecture
from bench.running.model_check.look import look_at_model
from bench.running.model_check.methods import look_at_methods
from bench.running.model_check.report import ModelReport
from scripts.document_models import PAGE, methods
from scripts.model_kinds import KINDS, kind_model
from tests.conftest import composed
from tests.tiny import settings_of, tiny_config, tiny_model
from tests.tokens import write_tokenizer

ROWS = 80  # of the embedding: more than the tokenizer's words
# Kinds of which some methods are refused, and one of each family of which none is.
SOME_REFUSED = (
    "mpnet", "distilbert", "deberta-v2", "modernbert", "olmo2", "phi", "mixtral", "gpt2", "bloom", "falcon", "mamba",
    "roberta", "t5", "llama",
)  # fmt: skip


def saved(folder: Path, family: str = "decoder", **changes: object) -> Path:
    """A tiny model with random weights and a tokenizer, as a folder of the user's."""
    tiny_model(family, **({"vocab_size": ROWS} | changes)).save_pretrained(folder)
    return write_tokenizer(folder)


def looked(*overrides: str, among: tuple[str, ...] = ("bitfit",), sample: str | None = None) -> ModelReport:
    cells = {name: partial(composed, *overrides, f"method={name}") for name in among}
    return look_at_model(composed(*overrides), cells, sample)


def looked_in(folder: Path, family: str = "decoder", *more: str) -> ModelReport:
    return looked(f"model={family}", f"model.path={folder}", *more)


def changed(folder: Path, change: dict[str, torch.Tensor | None]) -> None:
    """Put tensors into the weights, or take them out."""
    file = folder / "model.safetensors"
    tensors = {name: tensor for name, tensor in (load_file(file) | change).items() if tensor is not None}
    save_file(tensors, file, {"format": "pt"})


@pytest.mark.parametrize("kind", ["roberta", "t5", "llama"])
def test_a_model_of_the_house_is_right(kind):
    report = looked(f"model=miniature/{kind}")
    assert (report.failed, [section.doubts for section in report.sections.values()]) == ([], [[]] * 6)
    sections = report.sections
    assert "all values are finite" in sections["weights"].right
    assert "the sample comes back the same from its tokens" in sections["tokenizer"].right
    assert re.fullmatch("[0-9a-f]{32}", sections["origin"].facts["fingerprint of the weights"])
    assert sections["sizes"].facts["type"] == kind
    assert sections["structure"].facts["sites"]["feed_forward_output"] == {"roberta": 3, "t5": 4, "llama": 4}[kind]
    assert sections["methods"].fits["bitfit"] > 0
    assert report.conclusion.startswith("right: ")


def test_a_decoder_knows_its_own_language_and_is_told_apart_from_chance(tmp_path):
    known = looked("model=miniature/llama").sections["weights"]
    assert "the next token is guessed better than by chance" in known.right
    of_nothing = looked_in(saved(tmp_path)).sections["weights"]
    assert "no better than by chance" in of_nothing.wrong[0]


def test_a_text_in_another_language_is_the_users_to_give(tmp_path):
    report = looked("model=miniature/llama", sample="The cat sat on the mat.")
    assert any("unknown to the tokenizer" in line for line in report.sections["tokenizer"].doubts)
    assert any("comes back otherwise" in line for line in report.sections["tokenizer"].doubts)
    assert "sample=… gives another" in report.sections["weights"].wrong[0]
    with pytest.raises(UserError, match="sample= is empty"):
        looked("model=miniature/llama", sample=" ")


def test_tensors_that_are_missing_or_too_many_are_named(tmp_path):
    folder = saved(tmp_path)
    name = "model.layers.1.mlp.up_proj.weight"
    changed(folder, {name: None})
    report = looked_in(folder)
    assert report.failed == ["weights"]
    assert re.search(
        rf"lacks 1 of the \d+ tensors of the base .*{re.escape(name)}", report.sections["weights"].wrong[0]
    )
    changed(folder, {name: torch.zeros(128, 64), "model.layers.7.mlp.up_proj.weight": torch.zeros(128, 64)})
    assert "no place for: model.layers.7" in looked_in(folder).sections["weights"].wrong[0]


def test_values_that_are_no_numbers_are_found_beside_what_else_is_wrong(tmp_path):
    folder = saved(tmp_path)
    changed(folder, {"lm_head.weight": None, "model.norm.weight": torch.full((64,), torch.nan)})
    wrong = looked_in(folder).sections["weights"].wrong
    assert len(wrong) == 2
    assert "lacks 1" in wrong[0]
    assert "NaN or infinite values in 1 tensor: model.norm.weight" in wrong[1]


def test_the_types_in_the_files_stand_beside_the_one_that_they_are_read_as(tmp_path):
    folder = saved(tmp_path)
    changed(folder, {name: t.to(torch.bfloat16) for name, t in load_file(folder / "model.safetensors").items()})
    facts = looked_in(folder, "decoder", "model.dtype=float16").sections["weights"].facts
    assert (set(facts["stored in"]), facts["read as"]) == ({"BF16"}, "float16")
    assert looked_in(folder, "decoder", "model.dtype=auto").sections["weights"].facts["read as"] == "bfloat16"


def test_another_models_tokenizer_is_found_and_its_text_not_run(tmp_path):
    report = looked_in(saved(tmp_path, vocab_size=20))
    assert report.failed == ["tokenizer"]
    assert "beyond the 20 rows of the model's embedding" in report.sections["tokenizer"].wrong[0]
    assert report.sections["weights"].skipped == ["a pass: there are no tokens to read"]


def test_a_folder_without_a_tokenizer_is_told_so_and_looked_at_all_the_same(tmp_path):
    folder = saved(tmp_path)
    (folder / "tokenizer.json").unlink()
    report = looked_in(folder)
    assert "has no tokenizer" in report.sections["tokenizer"].wrong[0]
    assert "all values are finite" in report.sections["weights"].right


def test_special_tokens_and_what_pads(tmp_path):
    folder = write_tokenizer(saved(tmp_path), without=("pad_token", "eos_token"))
    tokens = looked_in(folder).sections["tokenizer"]
    assert (tokens.facts["pad_token"], tokens.facts["bos_token"]) == (None, "<s> (1)")
    assert tokens.facts["padded with"] == "<unk> (3)"
    assert any("has no end token" in line for line in tokens.doubts)


def test_letters_that_cannot_be_told_apart_are_a_doubt_of_decoders(tmp_path):
    folder = write_tokenizer(saved(tmp_path), words=("Answer:", "the", "cat"), pattern=None)
    assert any("cannot tell the answers A, B, C, D apart" in d for d in looked_in(folder).sections["tokenizer"].doubts)


def test_a_preset_is_held_against_the_files_that_are_given_for_it(tmp_path):
    sizes = looked("model=gpt2", f"model.path={saved(tmp_path)}").sections["sizes"]
    assert "config.json is of another model" in sizes.wrong[0]
    assert "124,439,808" in sizes.wrong[0]


def test_a_decoder_that_is_taken_for_an_encoder_is_a_doubt(tmp_path):
    doubts = looked_in(saved(tmp_path), "encoder").sections["sizes"].doubts
    assert doubts == ["models of the type 'llama' are of the family decoder"]


@pytest.mark.parametrize("weights", ["pretrained", "random"])
def test_a_large_model_that_is_not_here_is_looked_at_without_values(weights, monkeypatch):
    monkeypatch.setattr("bench.running.model_check.weights.load_model", None)
    monkeypatch.setattr("bench.running.model_check.weights.read_weights", None)
    report = looked("model=llama_3_1_8b", f"model.weights={weights}")
    sections = report.sections
    assert report.failed == []
    assert sections["sizes"].facts["parameters"] == 8_030_261_248
    assert sections["structure"].facts["sites"]["query"] == 32
    assert sections["methods"].fits == {"bitfit": 1_376_256}
    assert "is not on this machine" in sections["tokenizer"].skipped[0]
    why = "bench fetch model=llama_3_1_8b" if weights == "pretrained" else "not drawn for a look"
    assert why in sections["weights"].skipped[0]
    assert "not looked at, or not all of it: sizes, tokenizer, weights" in report.conclusion


def test_weights_for_which_there_is_no_room_are_not_read(tmp_path, monkeypatch):
    folder = saved(tmp_path)
    monkeypatch.setattr("psutil.virtual_memory", lambda: SimpleNamespace(available=1000))
    monkeypatch.setattr("bench.running.model_check.weights.read_weights", None)
    report = looked_in(folder)
    assert "GB are free here; model.dtype=auto or bfloat16 may take half" in report.sections["weights"].skipped[0]
    assert report.failed == []


def test_random_weights_know_as_much_as_chance(tmp_path):
    folder = tmp_path / "model"
    tiny_config("decoder", initializer_range=0.02).save_pretrained(folder)
    weights = looked_in(folder, "decoder", "model.weights=random").sections["weights"]
    assert "random weights know as much as chance" in weights.right
    assert weights.facts["loss of chance"] == pytest.approx(4.094, abs=1e-3)  # ln 60


def test_who_says_where_the_parts_are(tmp_path):
    read_by = partial(_read_by, saved(tmp_path))
    assert read_by() == "the entry 'llama' of bench/models/entries.py, declared for llama"
    assert read_by("model.structure=discover") == "model.structure=discover, which looks"
    own = {
        "stacks": [
            {
                "name": "decoder", "blocks": "layers.{}",
                "attentions": [
                    {"core": "self_attn", "output": "self_attn.o_proj"}
                    | {part: f"self_attn.{part[0]}_proj" for part in ("query", "key", "value")}
                ],
            }
        ]
    }  # fmt: skip
    written = json.dumps(own).replace('"', "").replace("layers.{}", "'layers.{}'")
    assert read_by(f"model.structure={written}") == "model.structure, the user's own"
    other = _read_by(saved(tmp_path / "stablelm", model_type="stablelm", num_key_value_heads=4))
    assert "which fits; none is declared for stablelm" in other


def _read_by(folder: Path, *more: str) -> str:
    found: str = looked_in(folder, "decoder", *more).sections["structure"].facts["read by"]
    return found


def documented(kind: str) -> dict[str, str | None]:
    """By method, why the page says that it is refused on a kind; None: it was tried there, and works."""
    text = PAGE.read_text()
    notes = dict(re.findall(r"^<sup>(\d+)</sup> (.+?)  $", text, re.MULTILINE))
    row = next(line for line in text.splitlines() if line.startswith(f"| {kind} |"))
    said = [re.sub(r"</?sup>", "", entry.strip()) for entry in row.strip("|").split("|")[2:]]
    return {name: notes.get(entry) for name, entry in zip(methods(), said, strict=True)}


@pytest.mark.parametrize("kind", SOME_REFUSED)
def test_what_is_said_of_methods_without_values_is_what_trying_them_says(kind):
    family = next(family for family, kinds in KINDS.items() if kind in kinds)
    settings = kind_model(family, kind).config.to_diff_dict()
    config = ModelConfig("tiny", "tiny", family, architecture=settings, weights="random", attention="auto")
    architecture = load_architecture(config, usual_head(family))
    structure = structure_of(build_empty(config, architecture), Family(family))

    def cell_with(method: str) -> Cell:
        cell = composed("model=miniature/roberta")
        return Cell(**(vars(cell) | {"config": cell.config | {"method": settings_of(method)}}))

    section = look_at_methods(config, architecture, structure, {name: partial(cell_with, name) for name in methods()})
    assert section.wrong == []
    assert {name: section.refused.get(name) for name in methods()} == documented(kind)
