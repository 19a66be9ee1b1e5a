"""A cell on two processes (gloo, on a CPU) against the same cell on one: the same losses and the same weights."""

import functools
import os
import pickle
import socket
import traceback
from pathlib import Path

import pytest
import torch

from bench.configuration.compose import Configurations, build
from bench.distributed.spread import check_sharding, check_spread
from bench.errors import UnsupportedError, UserError
from bench.methods.base import Method
from tests.fitted import DROPOUT, STEPS, Fitted, Killed, same
from tests.patience import wait_for
from tests.tiny import all_methods, settings_of

FAMILIES = list(DROPOUT)
ROTATED = [(name, FAMILIES[index % 3]) for index, name in enumerate(all_methods())]
SHARDABLE = [pair for pair in ROTATED if build(settings_of(pair[0]), Method).shardable and pair[0] != "qlora"]
CASES = [("ddp", *pair) for pair in ROTATED]
CASES += [("fsdp", *pair) for pair in sorted({*SHARDABLE, *(("full", f) for f in FAMILIES), ("lora", "decoder")})]
# Those whose hooks, shared parameters, packed weights or wrappers are peculiar; the rest is left to the slow tests.
FEW = {
    "ddp": {"full", "adalora", "child_tuning_d", "qlora"},
    "fsdp": {"full", "lora"},
}
PARTS = {
    "few": [case for case in CASES if case[1] in FEW[case[0]]],
    "rest": [case for case in CASES if case[1] not in FEW[case[0]]],
}
RESUMED = [("ddp", "lora", "encoder"), ("fsdp", "full", "encoder")]
PADDING_FREE = [("ddp", "lora", "decoder"), ("fsdp", "lora", "decoder")]
# Its random draws are other ones than those of one process; four-bit layers compute in bf16 and round differently.
LOOSE = {"child_tuning_f": 0.5, "qlora": 2e-2}


def cell_of(name, way, *overrides):
    extra = ["peft.type=LORA", "peft.r=4"] if name == "peft/any" else []
    spread = [f"distributed={way}", f"processes={1 if way == 'none' else 2}"]
    with Configurations() as configurations:
        return configurations.cell([f"method={name}", "device=cpu", *spread, *extra, *overrides])


def fitted(way, name, family, folder, **options):
    """Losses, weights and best scores of a training without dropout, whose draws would differ."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    options = {"batch_size": 4, "micro_batch_size": 1, "dropout": False} | options
    cell = cell_of(name, way, f"checkpoint_seconds={options.pop('checkpoint_seconds', 1e7)}")
    result = Fitted(cell, folder, name, family, way=way, **options)
    return {
        "losses": [entry["loss"] for entry in result.record.metrics.losses], "weights": result.bits(),
        "resumed": [entry["step"] for entry in result.record.environment.get("resumed", [])], "seen": result.seen,
    }  # fmt: skip


def resumed(way, name, family, folder):
    """With dropout: of an uninterrupted training, and of one that was killed and resumed."""
    options = {"dropout": True, "checkpoint_seconds": 0}
    whole = fitted(way, name, family, folder / "whole", **options)
    try:
        fitted(way, name, family, folder / "killed", killed_at=8, **options)
    except Killed:
        return whole, fitted(way, name, family, folder / "killed", **options)
    raise AssertionError("it was not killed")


def padding_free(way, name, family, folder):
    return fitted(way, name, family, folder, padding_free=True, micro_batch_size=2)


def process(rank, port, part, folder):
    """The inside of one of the two: the part's cases, one after the other; what comes of it goes to a file."""
    os.environ |= {
        "RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": "2", "MASTER_ADDR": "localhost",
        "MASTER_PORT": str(port), "ACCELERATE_USE_CPU": "true",
    }  # fmt: skip
    torch.set_num_threads(1)
    results = {}
    more = [("resumed", RESUMED), ("padding_free", PADDING_FREE)] if part == "few" else []
    for kind, cases in [("fitted", PARTS[part]), *more]:
        for index, case in enumerate(cases):
            try:
                call = {"fitted": fitted, "resumed": resumed, "padding_free": padding_free}[kind]
                results[kind, case] = call(*case, Path(folder) / f"{kind}{index}")
            except Exception:
                results[kind, case] = traceback.format_exc()
            with (Path(folder) / f"{rank}.done").open("a") as done:
                done.write(f"{kind} {case}\n")
    (Path(folder) / f"{rank}.pickle").write_bytes(pickle.dumps(results))


def lines_of(folder):
    """The last case that each process has done."""
    return tuple(tuple(file.read_text().splitlines()[-1:]) for file in sorted(folder.glob("*.done")))


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """Of every case of a part, what each of the two processes has to say; a part is run once."""

    @functools.cache
    def run(part):
        folder = tmp_path_factory.mktemp("ranks")
        with socket.socket() as free:
            free.bind(("localhost", 0))
            port = free.getsockname()[1]
        processes = torch.multiprocessing.spawn(process, (port, part, str(folder)), 2, join=False)
        done = functools.partial(lines_of, folder)
        try:
            wait_for(lambda: processes.join(timeout=0.1), done, "they wait for each other")
        except Exception as error:
            return error
        finally:
            for one in processes.processes:
                one.kill()
        return [pickle.loads((folder / f"{rank}.pickle").read_bytes()) for rank in range(2)]

    def of(part):
        found = run(part)
        if isinstance(found, Exception):  # of all cases of the part: it is not tried again for each
            raise found
        return found

    return of


def parameters(cases, part, marks=()):
    return [pytest.param(part, case, id="-".join(case), marks=marks) for case in cases]


EVERY = [*parameters(PARTS["few"], "few"), *parameters(PARTS["rest"], "rest", pytest.mark.slow)]


@pytest.mark.parametrize(("part", "case"), EVERY)
def test_losses_and_weights_are_those_of_one_process(results, tmp_path, part, case):
    _, name, family = case
    first, second = (result["fitted", case] for result in results(part))
    assert isinstance(first, dict), first
    assert first["losses"] == second["losses"]
    assert same(first["weights"], second["weights"])
    alone = fitted("none", name, family, tmp_path / "alone")
    assert len(alone["losses"]) == 3
    assert first["losses"] == pytest.approx(alone["losses"], rel=LOOSE.get(name, 1e-4))
    assert first["weights"].keys() == alone["weights"].keys()


@pytest.mark.parametrize("case", PADDING_FREE, ids="-".join)
def test_padding_free_batches_have_the_losses_of_padded_ones_in_one_process(results, tmp_path, case):
    first, second = (result["padding_free", case] for result in results("few"))
    assert isinstance(first, dict), first
    assert first["losses"] == second["losses"]
    alone = fitted("none", *case[1:], tmp_path / "alone")
    assert first["losses"] == pytest.approx(alone["losses"], rel=1e-4)


@pytest.mark.parametrize("case", RESUMED, ids="-".join)
def test_killed_and_resumed_it_ends_with_the_same_bits(results, case):
    for result in results("few"):
        whole, again = result["resumed", case]
        assert again["resumed"] == [5], "written where losses are read"
        assert again["seen"] == list(range(6, STEPS + 1))
        assert again["losses"] == whole["losses"]
        assert same(again["weights"], whole["weights"])


@pytest.mark.parametrize("name", sorted({*all_methods()} - {name for name, _ in SHARDABLE}))
def test_what_cannot_be_cut_is_refused_in_one_line(name):
    with pytest.raises(UnsupportedError, match="distributed=ddp") as caught:
        check_sharding(cell_of(name, "fsdp"), build(settings_of(name), Method))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["distributed=zero"], "distributed=zero must be none, ddp or fsdp"),
        (["distributed=ddp", "processes=1"], "several processes need ddp or fsdp"),
        (["distributed=none"], "several processes need ddp or fsdp"),
        (["processes=0"], "processes=0 must be 1 or more"),
        (["training.batch_size=1"], "processes=2 exceed training.batch_size=1"),
    ],
)
def test_settings_that_make_no_sense_are_refused(overrides, message):
    with pytest.raises(UserError, match=message):
        check_spread(cell_of("lora", "ddp", *overrides))
