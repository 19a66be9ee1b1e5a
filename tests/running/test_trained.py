"""A cell's trained model, put together again from its record: the same predictions, on the base that it was made on."""

import itertools
import json
import shutil
import subprocess
import sys

import pytest
import torch

import bench
from bench.configuration.compose import build
from bench.errors import UserError
from bench.evaluation.inference import Inference
from bench.metering.phases import PhaseMeter
from bench.methods.base import Method
from bench.running.preparation import prepare
from bench.running.scores import evaluate_splits
from bench.running.trained import Wanted, assemble, read_cell
from bench.tasks.build import task_of
from tests.cells import MODELS
from tests.running.trained_cells import CELLS, FITTING, run
from tests.tiny import all_methods


def predictions_of(path, **options):
    """Of the loaded model, on the rows that the cell was scored on."""
    found = read_cell(path, Wanted("cpu", **options))
    task = task_of(found.cell)
    prepared = prepare(found.cell, task, build(found.cell.config["method"], Method), PhaseMeter(torch.device("cpu")),
                       torch.device("cpu"))  # fmt: skip
    assert isinstance(prepared.inference, Inference)
    with found.arithmetic.autocast():
        splits = prepared.data.test or prepared.data.validation
        return evaluate_splits(task, assemble(found), splits, prepared.inference)


@pytest.mark.parametrize("method", CELLS)
def test_the_loaded_model_predicts_what_the_cell_did(trained, method):
    path = trained[method]
    scores = predictions_of(path)
    assert scores.predictions == json.loads((path.parent / "predictions.json").read_text())["predictions"]
    assert scores.values == json.loads(path.read_text())["metrics"]["values"]
    assert not bench.load(path, device="cpu").training


@pytest.mark.slow
@pytest.mark.parametrize(("method", "family"), list(itertools.product([*all_methods(), "untuned"], MODELS)))
def test_that_holds_for_every_method_and_in_16_bits_it_still_computes(method, family, tmp_path):
    try:
        path = run(family, method, tmp_path, *FITTING.get(method, ()))
    except UserError as error:
        pytest.skip(str(error))
    scores = predictions_of(path)
    assert scores.predictions == json.loads((path.parent / "predictions.json").read_text())["predictions"]
    computes(bench.load(path, device="cpu", dtype="bfloat16"), family)


def computes(model, family):
    inputs = {"input_ids": torch.tensor([[5, 6, 7]]), "attention_mask": torch.ones(1, 3, dtype=torch.long)}
    if family == "encoder_decoder":
        inputs["decoder_input_ids"] = torch.tensor([[0, 5]])
    with torch.no_grad():
        logits = model(**inputs).logits
        assert logits.dtype == torch.float32
        assert logits.isfinite().all()
        if family != "encoder":
            text = {name: inputs[name] for name in ("input_ids", "attention_mask")}
            assert len(model.generate(**text, max_new_tokens=2, do_sample=False)) == 1


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
@pytest.mark.parametrize("method", CELLS)
def test_all_is_in_the_type_that_is_asked_for(trained, method, dtype):
    model = bench.load(trained[method], device="cpu", dtype=dtype)
    wide = ("wo",) if dtype == "float16" else ()  # T5's, as transformers has it
    types = {p.dtype for name, p in model.named_parameters() if not set(wide) & set(name.split("."))}
    assert types == {getattr(torch, dtype)}
    computes(model, CELLS[method])


def changed(path, tmp_path, change):
    """A copy of a cell's folder, changed."""
    folder = tmp_path / "cell"
    shutil.copytree(path.parent, folder)
    record = json.loads((folder / "record.json").read_text())
    change(record, folder)
    (folder / "record.json").write_text(json.dumps(record))
    return folder / "record.json"


def other_weights(record, folder):
    record["fingerprints"]["weights"]["digest"] = "0" * 64


def other_cell(record, folder):
    record["cell"]["config_hash"] = "0" * 64


def not_done(record, folder):
    record["status"] = "failed"


def no_fingerprint(record, folder):
    record["fingerprints"] = {}


REFUSED = {
    other_weights: "the weights there are not those that the cell was trained on; say base=FOLDER",
    other_cell: "is of another cell than the record beside it",
    not_done: "the cell ended as 'failed', so there is nothing trained to use",
    no_fingerprint: "the record does not say which weights its base had",
}


@pytest.mark.parametrize("change", REFUSED)
def test_what_does_not_belong_together_is_refused_in_a_line(trained, tmp_path, change):
    path = changed(trained["lora"], tmp_path, change)
    with pytest.raises(UserError, match=REFUSED[change]) as refused:
        bench.load(path, device="cpu")
    assert "\n" not in str(refused.value)


def test_the_base_may_have_moved(trained, tmp_path):
    from bench.miniature.backbones import backbone_path

    shutil.copytree(backbone_path("roberta"), tmp_path / "moved")
    with torch.no_grad():
        inputs = {"input_ids": torch.tensor([[5, 6, 7]])}
        here, there = (bench.load(trained["lora"], device="cpu", base=base)(**inputs).logits
                       for base in (None, tmp_path / "moved"))  # fmt: skip
    assert torch.equal(here, there)
    with pytest.raises(UserError, match=r"the weights there are not those|the model's configuration there"):
        bench.load(trained["lora"], device="cpu", base=backbone_path("llama"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"device": "tpu9"}, "device=tpu9"), ({"device": "cuda:99"}, "there is no such device here"),
        ({"dtype": "float8"}, "dtype 'float8'"), ({"dtype": "auto"}, "dtype 'auto'"),
        ({"base": "nowhere"}, "base=nowhere: no such folder"), ({"config_dir": "nowhere"}, "nowhere: no such folder"),
    ],
)  # fmt: skip
def test_mistakes_are_told_before_anything_is_read(trained, options, message):
    with pytest.raises(UserError, match=message):
        bench.load(trained["lora"], **({"device": "cpu"} | options))


def test_no_record_no_model(tmp_path):
    with pytest.raises(UserError, match=r"give the path of a cell's record\.json"):
        bench.load(tmp_path / "record.json")


def test_importing_bench_imports_nothing_heavy():
    code = "import sys, bench; sys.exit(any(name in sys.modules for name in ('torch', 'transformers', 'hydra')))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
    with pytest.raises(AttributeError, match="no attribute 'lode'"):
        bench.lode  # noqa: B018
