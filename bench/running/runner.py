"""The life of one cell, from its configuration to its record. Read `_live` from top to bottom."""

import sys
import time
import traceback
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import torch
from accelerate import Accelerator
from accelerate.utils import InitProcessGroupKwargs
from torch import nn

import bench.system.quiet  # noqa: F401  # before the libraries that it silences
from bench.configuration.cell import Cell
from bench.configuration.compose import build
from bench.distributed.spread import check_spread, spread
from bench.errors import UnsupportedError, UserError
from bench.identity.data import Splits, reading
from bench.identity.fingerprints import fingerprints_of, of_model
from bench.metering.environment import environment, others_on_gpu
from bench.metering.phases import PhaseMeter
from bench.metering.sharing import place
from bench.methods.base import Method
from bench.models.found import pasteable
from bench.models.sharded import gathered
from bench.records.outputs import write_predictions
from bench.records.schema import CellIdentity, Failure, Metrics, Record, Status
from bench.records.store import folder_of, make_folder, write_record
from bench.records.trained import Trained, write_trained
from bench.running.fitting import fit
from bench.running.foretell import check_fits, foretell
from bench.running.forgetting import forgetting, perplexity_after
from bench.running.memory_limits import is_out_of_memory, release_memory, shrink
from bench.running.overhead import measure_overhead
from bench.running.preparation import Prepared, load_adapted, prepare
from bench.running.ranks import attempt_on_ranks
from bench.running.run import Report, Run, silent
from bench.running.scores import Best, evaluate_splits, note_evaluation, note_metrics
from bench.running.tracking import finish_trackers, start_trackers
from bench.system.gpus import VISIBLE, chosen_gpus, settle_allocator
from bench.system.terminal import say
from bench.tasks.base import TaskData
from bench.tasks.build import task_of
from bench.tracking.making import check_trackers
from bench.training.checkpoint import remove_checkpoints


def run_cell(cell: Cell, report: Report = silent) -> tuple[Record, Path]:
    """Run one cell and write its record, however it ends.

    Args:
        cell: what to run.
        report: told about the progress.

    Returns:
        The record, and the path of its file.

    Raises:
        UserError: a mistake in the configuration, found before any training; no record is written.
    """
    check_spread(cell)
    check_trackers(cell)
    folder = folder_of(cell.config["results_dir"], cell)
    make_folder(folder, cell.config["results_dir"])
    attempt_once = attempt if cell.config["processes"] == 1 else attempt_on_ranks
    record = attempt_once(cell, folder, report)
    while (shrunk := shrink(record)) is not None:
        release_memory()
        record = attempt_once(cell, folder, report, shrunk)
    path = write_record(record, folder)
    if record.status == Status.done:
        remove_checkpoints(folder)
    return record, path


def attempt(cell: Cell, folder: Path, report: Report, shrunk: Sequence[dict[str, int]] = ()) -> Record:
    """Run a cell once in this process, and return its record, however it ends.

    Args:
        cell: what to run.
        folder: for what is written beside the record.
        report: told about the progress.
        shrunk: the micro-batches that earlier attempts were too large for, see `bench.running.memory_limits`.

    Raises:
        UserError: a mistake in the configuration, found before any training.
    """
    if cell.config["threads"] is not None:
        torch.set_num_threads(cell.config["threads"])
    accelerator = _accelerator(cell)
    with place(accelerator.device):
        return _attempt(cell, folder, report, shrunk, accelerator)


def _attempt(
    cell: Cell, folder: Path, report: Report, shrunk: Sequence[dict[str, int]], accelerator: Accelerator
) -> Record:
    report = report if accelerator.is_main_process else silent
    meter = PhaseMeter(accelerator.device)
    begin, started = time.perf_counter(), datetime.now(UTC)
    record = Record(CellIdentity.of(cell), Status.failed, environment(accelerator.device))
    record.environment["shrunk"] = list(shrunk)
    run = Run(
        cell=cell, folder=folder, accelerator=accelerator, meter=meter, record=record, report=report, begin=begin
    )  # fmt: skip
    if (others := others_on_gpu(record.environment)) is not None:
        run.warn(others)
    if cell.origins is not None:
        record.origins = cell.origins.of_all(cell.config)
    try:
        check_fits(run)
        _live(run)
        record.status = Status.done
    except UnsupportedError as error:
        record.status, record.error = Status.unsupported, _failure(error, meter)
    except UserError:
        run.trackers.finish(run.warn)
        raise
    except Exception as error:  # whatever it is, the record tells it, and the other cells of a sweep go on
        record.status = Status.out_of_memory if is_out_of_memory(error) else Status.failed
        record.error = _failure(error, meter)
    record.memory = meter.memory()
    wanted = record.status == Status.out_of_memory or cell.config["predict_memory"]
    if wanted and run.team.size == 1:  # how several processes share a cell's memory is not predicted
        record.memory.train_peak_predicted = foretell(run)
    record.time.load, record.time.prepare_data = meter.seconds.get("load"), meter.seconds.get("prepare_data")
    record.time.evaluate, record.time.forgetting = meter.seconds.get("evaluate"), meter.seconds.get("forgetting")
    record.time.total = (record.time.total or 0.0) + time.perf_counter() - begin  # with what was resumed
    finish_trackers(run)
    record.environment["start"], record.environment["end"] = started.isoformat(), datetime.now(UTC).isoformat()
    return record


def _live(run: Run) -> None:
    """Prepare, load and adapt, train, evaluate; fill in the record on the way."""
    cell, record, meter, report = run.cell, run.record, run.meter, run.report
    task, method = task_of(cell), build(cell.config["method"], Method)
    record.fingerprints = fingerprints_of(cell.config) | {"harness": record.environment["git"]}
    report("load", 0, 1, None)
    with reading() as read:
        prepared = prepare(cell, task, method, meter, run.device)
    method = prepared.resized(method)
    data, setting, arithmetic, inference = prepared.data, prepared.setting, prepared.arithmetic, prepared.inference
    splits = {"train": len(data.train)} | {name: len(split.examples) for name, split in data.evaluation.items()}
    metrics = record.metrics = Metrics(task.main_metric, examples=splits, notes=data.notes)
    record.environment["data"] = data.revisions
    _note_model(run, prepared, method)
    _note_data(run, read, data)

    with meter.phase("load"):
        model, record.parameters = load_adapted(cell, method, prepared, run.device)
        record.fingerprints |= of_model(cell.config)  # what the hub had to be asked for is here by now
        through = spread(arithmetic.wrap(model), setting.structure, cell.config["distributed"], run.accelerator)
    for warning in prepared.warnings:  # not before the weights are found right: a refusal is one line
        run.warn(warning)
    best = Best(method, cell.training.keep_best, task.metric(task.main_metric))

    def evaluate(step: int) -> None:
        if inference is not None:
            with meter.phase("evaluate"), arithmetic.autocast():
                report("evaluate", step, setting.total_steps, None)
                scores = evaluate_splits(task, model, data.validation, inference)
            note_evaluation(run, task, step, scores)
            best.offer(model, scores, run.team.agree(scores.values[task.main_metric]))

    if cell.inherited:  # only now: a refusal is one line
        run.warn(cell.inherited)
    start_trackers(run)
    if method.trains_anything:
        with meter.phase("train"):
            fit(run, model, method, prepared, best=best, evaluate=evaluate, through=through)
    run.accelerator.free_memory()  # it holds the optimiser, whose state may be twice the size of the model

    best.restore(model)
    scores = best.scores
    if inference is not None and (scores is None or data.test is not None):
        with meter.phase("evaluate"), arithmetic.autocast():
            report("evaluate", setting.total_steps, setting.total_steps, None)
            scores = evaluate_splits(task, model, data.test or data.validation, inference)
    if scores is not None:
        note_metrics(run, task, scores)
        metrics.values, metrics.subjects = scores.values, scores.parts
    stored = {name: gathered(part, run.team.is_first) for name, part in method.stored_state(model).items()}
    if run.team.is_first:
        if scores is not None:
            write_predictions(run.folder, scores.references, scores.predictions)
        trained = _in_form(cell, method, model, prepared, stored)
        record.storage.adapter_bytes = write_trained(run.folder, trained, cell.config["save_trained"], cell.config_hash)
    _measure_afterwards(run, model, method, prepared)


def _in_form(
    cell: Cell, method: Method, model: nn.Module, prepared: Prepared, stored: dict[str, torch.Tensor]
) -> Trained:
    """What was trained in the peft library's form, where it has one, else in the method's own."""
    if reason := method.why_no_peft_form(model, prepared.setting):
        return Trained(stored, reason=reason)
    form = method.peft_form(model, prepared.setting, stored, cell.base.hub)
    return Trained(form.tensors, form.settings)


def _measure_afterwards(run: Run, model: nn.Module, method: Method, prepared: Prepared) -> None:
    """What the trained model takes and what it has forgotten, where that is asked for; the model is used up."""
    known = perplexity_after(run, model, prepared)
    if run.cell.config["measure_inference"] and run.team.size == 1:
        with run.meter.phase("inference"):
            run.record.inference = measure_overhead(run, model, method, prepared)
    run.record.forgetting = forgetting(run, model, prepared, known)


def _note_model(run: Run, prepared: Prepared, method: Method) -> None:
    """Head, number types, attention, batches, the method's size, and where the structure came from and what it is."""
    run.record.environment["differences"] = list(method.differences)
    run.record.environment |= {"head": prepared.head, "structure": prepared.structure}
    run.record.environment["attention"] = str(prepared.base.attention)
    run.record.environment["size"] = None if prepared.sized is None else prepared.sized.told()
    run.record.environment["padding_free"] = prepared.padding_free.to_dict()
    run.record.environment["arithmetic"] = prepared.number_types
    if prepared.structure is not None and "entry" in prepared.structure and run.team.is_first:
        say(pasteable(prepared.structure["entry"]), sys.stderr)


def _note_data(run: Run, read: Splits, data: TaskData) -> None:
    """Fingerprint all splits that were found for the task; of one that reads files by itself, what it says of them."""
    told = {name: {"digest": revision} for name, revision in data.revisions.items()}
    run.record.fingerprints["data"] = read or told
    if not read and not told and not run.cell.data.synthetic:
        run.warn(
            f"the task '{run.cell.task}' does not say which data it read, so nobody will notice when they change; "
            "read them by bench.data.source.locate, or name them in TaskData.revisions"
        )


def _accelerator(cell: Cell) -> Accelerator:
    settle_allocator()
    device, has_cuda = cell.config["device"], torch.cuda.is_available()
    if device == "cuda" and not has_cuda:
        raise UserError("device=cuda, but no CUDA device is available; `bench doctor` says what is")
    if device == "auto" and not has_cuda and (chosen := chosen_gpus()):
        raise UserError(
            f"{VISIBLE}={','.join(chosen)} gives this process a GPU, but torch {torch.__version__} cannot use it; "
            "`bench doctor` says why, device=cpu does without"
        )
    # One process may wait for another's evaluation; one that died is noticed by whoever started them.
    patience = InitProcessGroupKwargs(timeout=timedelta(days=1))
    on_cpu = device == "cpu" or not has_cuda
    return Accelerator(cpu=on_cpu, kwargs_handlers=[patience])


def _failure(error: Exception, meter: PhaseMeter) -> Failure:
    return Failure(type(error).__name__, str(error), traceback.format_exc(), meter.last)
