"""The settings that `bench plan` takes for itself; all others are a cell's."""

from collections.abc import Sequence
from dataclasses import dataclass

from bench.configuration.ranges import WORKERS, check_number
from bench.errors import UserError, unknown_name
from bench.planning.asked import Trace, bytes_of
from bench.system.processors import processors

FORMS = ("table", "json")
OWN = ("format", "device_memory", "trace", "workers")


@dataclass(frozen=True)
class PlanSettings:
    """How a plan is made and shown.

    Attributes:
        form: one of `FORMS`.
        memory: bytes of the device to fit; None where none was named.
        trace: what a prediction follows.
        workers: how many processes predict.
    """

    form: str
    memory: int | None
    trace: Trace
    workers: int

    @classmethod
    def of(cls, arguments: Sequence[str]) -> tuple["PlanSettings", list[str]]:
        """Read the settings, and return with them what else there is.

        Raises:
            UserError: a value that is none.
        """
        own = {key: value for key, _, value in (item.partition("=") for item in arguments) if key in OWN}
        form, trace = own.get("format", "table"), own.get("trace", Trace.blocks)
        if form not in FORMS:
            raise unknown_name("format", form, FORMS)
        if trace not in list(Trace):
            raise unknown_name("trace", trace, list(Trace))
        memory = bytes_of(own["device_memory"]) if "device_memory" in own else None
        workers = own.get("workers", str(processors()))
        if not workers.isdecimal():
            raise UserError(f"workers={workers} must be a number: {WORKERS}")
        check_number("workers", int(workers), WORKERS)
        rest = [item for item in arguments if item.partition("=")[0] not in own]
        return cls(form, memory, Trace(trace), int(workers)), rest
