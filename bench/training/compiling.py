"""training.compile: torch.compile of the blocks while they are trained, and what compiling takes.

Each block is compiled in place (`nn.Module.compile`), so that names, hooks and checkpoints stay as they are, for any
length and number of rows (`dynamic=True`). A mask that comes or goes, a single row, or a block that differs from the
others in more than its values makes torch compile again; the clock is told, and the speed leaves these steps out.
Evaluation runs the blocks uncompiled: generation would have them compiled for the growing cache of every layer, in time
that is no training's.
Ansel et al. 2024, https://doi.org/10.1145/3620665.3640366.
"""

import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import nn

from bench.errors import UnsupportedError, UserError
from bench.metering.time import StepClock
from bench.models.structure import Structure

BACKEND = "inductor"
# How often blocks, which share their code, may be compiled: four kinds of blocks, with and without a mask, several rows
# and one, give sixteen; where every layer has a block of its own kind it is more.
COMPILED_AT_MOST, COMPILED_PER_BLOCK = 16, 8
TRITON_FROM = (7, 0)  # compute capability


def check_compiling(structure: Structure, device: torch.device, processes: int) -> None:
    """Refuse what cannot be compiled here.

    Args:
        structure: of the bare model.
        device: where it is trained.
        processes: of this one cell.

    Raises:
        UserError: there is no compiler for the device, or there are several processes.
        UnsupportedError: nobody knows where the model's blocks are.
    """
    if processes > 1:
        raise UserError("training.compile=true is for cells of one process; say distributed=none processes=1")
    assert structure.blocks  # which says so where none are known
    if (lack := _lack(device)) is not None:
        raise UserError(f"training.compile=true: {lack}; install it, or say training.compile=false")


def _lack(device: torch.device) -> str | None:
    """What torch needs to compile for the device and does not find."""
    if device.type == "cuda":
        from torch.utils._triton import has_triton_package

        if not has_triton_package():
            return "torch compiles for a GPU by the package triton, which is not there"
        if torch.cuda.get_device_capability(device) < TRITON_FROM:
            return "triton compiles for GPUs of compute capability 7.0 and newer"
        found = any(shutil.which(name) for name in ("cc", "gcc", "clang"))
        return None if found else "triton needs a C compiler, and there is none"
    from torch._inductor import cpp_builder, exc

    try:
        cpp_builder.get_cpp_compiler()
    except (exc.InvalidCxxCompiler, RuntimeError):
        return "torch compiles for a CPU by a C++ compiler, and there is none"
    return None


class Compilation:
    """The blocks of one model, compiled while it is trained."""

    def __init__(self, model: nn.Module, structure: Structure, clock: StepClock) -> None:
        """Nothing is compiled before `at_work`, and then when a block is first called.

        Args:
            model: adapted, on its device; what a library has wrapped around the bare one stays uncompiled.
            structure: of the bare model.
            clock: times the steps, and is told in which of them something was compiled.
        """
        # Not before a worker has its GPU: peft imports bitsandbytes, which looks for one once.
        from bench.methods.shared.peft_library import innermost

        bare = innermost(model)
        self._blocks = [bare.get_submodule(block.path) for block in structure.blocks]
        self._clock, self._begin = clock, 0.0

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Within the block, the model's blocks run compiled; afterwards they are as they were.

        Raises:
            UnsupportedError: they differ from each other, or change, so often that they are compiled without end.
        """
        from torch._dynamo import config, reset  # seconds to import
        from torch._dynamo.callback import callback_handler
        from torch._dynamo.exc import FailOnRecompileLimitHit

        limit = COMPILED_AT_MOST + COMPILED_PER_BLOCK * len(self._blocks)
        limits = {"recompile_limit": limit, "accumulated_recompile_limit": limit, "fail_on_recompile_limit_hit": True}
        reset()  # what an earlier cell of this process has compiled; it forgets callbacks, too
        with ExitStack() as stack:
            stack.callback(reset)
            stack.enter_context(config.patch(limits))
            callback_handler.register_start_callback(self._started)
            callback_handler.register_end_callback(self._ended)
            for block in self._blocks:
                block.compile(backend=BACKEND, dynamic=True)
                stack.callback(setattr, block, "_compiled_call_impl", None)
            try:
                yield
            except FailOnRecompileLimitHit as error:
                raise UnsupportedError(
                    f"training.compile=true: the blocks were compiled {limit} times and are to be compiled again; "
                    "say training.compile=false"
                ) from error

    def resting(self, act: Callable[[int], None]) -> Callable[[int], None]:
        """The same function of a step, during which the blocks run uncompiled."""

        def uncompiled(step: int) -> None:
            with torch.compiler.set_stance("force_eager"):
                act(step)

        return uncompiled

    def _started(self, _: Any) -> None:
        self._begin = time.perf_counter()

    def _ended(self, _: Any) -> None:
        self._clock.compiled(time.perf_counter() - self._begin)
