"""`bench export`: peft's files, a plain transformers folder, the method's own tensors; each is read back alone."""

import itertools
import json
import shlex
from pathlib import Path

import peft
import pytest
import torch
from huggingface_hub import ModelCard
from transformers import (
    AutoModelForCausalLM,
    AutoModelForSeq2SeqLM,
    AutoModelForSequenceClassification,
    AutoTokenizer,
)

import bench as package
from bench.errors import UserError
from bench.methods.promises import CLOSE, differ
from bench.miniature.backbones import backbone_path
from bench.running.export import export
from bench.running.trained import Wanted, read_cell
from tests.cells import MODELS
from tests.conftest import composed
from tests.running.trained_cells import CELLS, FITTING, run
from tests.tiny import all_methods

TEXT = "lo kima"
AUTO = {
    "encoder": AutoModelForSequenceClassification, "encoder_decoder": AutoModelForSeq2SeqLM,
    "decoder": AutoModelForCausalLM,
}  # fmt: skip


def outputs(model, family, tokenizer):
    inputs = tokenizer([TEXT, f"{TEXT} {TEXT} {TEXT}"], return_tensors="pt", padding=True, padding_side="right")
    inputs.pop("token_type_ids", None)
    if family == "encoder_decoder":
        inputs["decoder_input_ids"] = torch.tensor([[0, 5], [0, 7]])
    with torch.no_grad():
        return model(**inputs).logits


def exported(bench, path, form, out, *more):
    return bench("export", f"cell={path}", f"form={form}", f"out={out}", "device=cpu", *more)


def test_peft_s_files_are_read_by_peft_on_the_base_alone(bench, trained, tmp_path):
    result = exported(bench, trained["lora"], "peft", tmp_path / "out")
    assert result.returncode == 0, result.stderr
    assert result.stdout.splitlines() == [
        f"{tmp_path}/out/{name}" for name in ("README.md", "adapter_config.json", "adapter_model.safetensors")
    ]
    tokenizer = AutoTokenizer.from_pretrained(backbone_path("roberta"))
    base = AutoModelForSequenceClassification.from_pretrained(backbone_path("roberta"), num_labels=2)
    theirs = peft.PeftModel.from_pretrained(base, tmp_path / "out").eval()
    ours = package.load(trained["lora"], device="cpu")
    assert (outputs(theirs, "encoder", tokenizer) - outputs(ours, "encoder", tokenizer)).abs().max() < 1e-6


def test_a_merged_model_is_a_whole_one(bench, trained, tmp_path):
    result = exported(bench, trained["lora"], "merged", tmp_path / "out")
    assert result.returncode == 0, result.stderr
    check_merged(tmp_path / "out", trained["lora"], "encoder")
    config = json.loads((tmp_path / "out/config.json").read_text())
    assert config["id2label"] == {"0": "negative", "1": "positive"}


def check_merged(folder, path, family):
    """Read by transformers alone it computes what the adapted model does, head included."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    config = json.loads((folder / "config.json").read_text())
    has_head = "SequenceClassification" in config["architectures"][0]
    auto = AutoModelForSequenceClassification if has_head else AUTO[family]
    plain, report = auto.from_pretrained(folder, output_loading_info=True)
    assert not any(report[name] for name in ("missing_keys", "unexpected_keys", "mismatched_keys")), report
    ours = package.load(path, device="cpu")
    found = differ(outputs(plain.eval(), family, tokenizer), outputs(ours, family, tokenizer))
    assert found < (CLOSE if "qlora" in str(path) else 1e-5), found


@pytest.mark.slow
@pytest.mark.parametrize(("method", "family"), list(itertools.product([*all_methods(), "untuned"], MODELS)))
def test_every_method_is_merged_or_says_why_not(method, family, tmp_path):
    more = ("task.answer=head", "task=miniature/sst2") if family == "decoder" else ()
    path = run(family, method, tmp_path / "results", *FITTING.get(method, ()), *more)
    found = read_cell(path, Wanted("cpu"))
    try:
        export(found, path, tmp_path / "out", "merged")
    except UserError as error:
        assert not found.method.mergeable or "cannot be merged" in str(error)  # noqa: PT017
        assert not (tmp_path / "out").exists()
        return
    check_merged(tmp_path / "out", path, family)


@pytest.mark.parametrize("method", CELLS)
def test_the_methods_own_tensors_are_read_by_bench_load(bench, trained, tmp_path, method):
    result = exported(bench, trained[method], "state", tmp_path / "out")
    assert result.returncode == 0, result.stderr
    family = CELLS[method]
    assert [path.name for path in (tmp_path / "out/trained").glob("*.safetensors")] == ["state.safetensors"]
    name = {"encoder": "roberta", "encoder_decoder": "t5", "decoder": "llama"}[family]
    tokenizer = AutoTokenizer.from_pretrained(backbone_path(name))
    one, other = (package.load(at, device="cpu") for at in (trained[method], tmp_path / "out/record.json"))
    assert torch.equal(outputs(one, family, tokenizer), outputs(other, family, tokenizer))


def test_the_card_says_what_it_is_what_it_scores_and_by_which_command(bench, trained, tmp_path):
    exported(bench, trained["lora"], "merged", tmp_path / "out")
    card, record = ModelCard.load(tmp_path / "out/README.md"), json.loads(trained["lora"].read_text())
    assert card.data.library_name == "transformers"
    assert card.data.pipeline_tag == "text-classification"
    assert card.data.license is None
    text = card.text
    assert f"| accuracy | {record['metrics']['values']['accuracy']:.4f} | – | – |" in text
    assert "There is one seed" in text
    assert text.count("to be filled in by whoever publishes this") == 3
    assert record["fingerprints"]["weights"]["digest"] in text
    (line,) = [line for line in text.splitlines() if line.startswith("bench run ")]
    assert composed(*shlex.split(line)[2:]).config_hash == record["cell"]["config_hash"], "the command makes this cell"
    assert f"bench export cell={trained['lora']} form=merged out={tmp_path}/out" in text
    assert '"learning_rate"' in text


def test_scores_of_other_seeds_make_an_interval(bench, trained, tmp_path):
    path = trained["lora"]
    results = path.parents[2]
    other = run("encoder", "lora", results, "seed=1")
    another = run("encoder", "lora", results, "seed=1", "training.learning_rate=1e-5")
    try:
        exported(bench, path, "peft", tmp_path / "out")
    finally:
        for made in (other, another):
            made.unlink()
    values = [json.loads(path.read_text())["metrics"]["values"]["accuracy"]]
    (row,) = [line for line in (tmp_path / "out/README.md").read_text().splitlines() if line.startswith("| accuracy")]
    assert f"| {values[0]:.4f} |" in row
    assert "(n = 2) |" in row, "of the same settings, not of another learning rate"
    assert " to " in row


MISTAKES = {
    "no cell": (["out=x"], "cell= is missing"),
    "no out": (["cell=record.json"], "out= is missing"),
    "no record": (["cell=nowhere/record.json", "out=x"], "give the path of a cell's record.json"),
    "no such setting": (["cell=x", "outt=x"], "did you mean out"),
    "no such form": (["cell={lora}", "out=x", "form=merge"], "unknown form 'merge'; did you mean merged"),
    "not peft's": (
        ["cell={adapter_s}", "out=x", "form=peft"],
        "form=peft cannot be had: Adapter^S is not",
    ),
    "not mergeable": (["cell={adapter_s}", "out=x", "form=merged"], "form=merged cannot be had: "),
    "a prompt": (["cell={prompt_tuning}", "out=x", "form=merged"], "virtual tokens are inputs, not weights"),
    "something there": (["cell={lora}", "out=."], "holds files already"),
    "another base": (["cell={lora}", "out=x", "base={llama}"], "say base=FOLDER where these are"),
    "no such device": (["cell={lora}", "out=x", "device=tpu"], "device=tpu"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes_are_told_in_a_line_and_leave_nothing(bench, trained, tmp_path, name):
    (tmp_path / "mine").write_text("")
    words, message = MISTAKES[name]
    places = {**trained, "llama": backbone_path("llama")}
    result = bench("export", *(word.format(**places) for word in words))
    assert result.returncode == 2
    assert message in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1
    assert [path.name for path in Path(tmp_path).iterdir()] == ["mine"]
