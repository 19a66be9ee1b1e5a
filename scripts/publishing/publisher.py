"""Runs stages in their order and within the time given, and writes after each what is known by then."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psutil

from bench.records.store import write_atomically
from scripts.publishing.running import Ended, run
from scripts.publishing.stages import Command, Stage
from scripts.publishing.state import Standing, State, Status
from scripts.publishing.summary import commit_of, summary

TABLE_SECONDS = 120.0  # for tables, which are made also when the time is up
IMPOSSIBLE = 2  # a trial's exit code: something that the user would have to give is not there


class Publisher:
    """One call's work.

    Attributes:
        state: where the stages stand; kept up to date on disk, with `summary.md` beside it.
    """

    def __init__(
        self, state: State, stages: Sequence[Stage], machine: dict[str, Any], environment: dict[str, str]
    ) -> None:
        """Nothing is run yet.

        Args:
            state: of earlier calls, or a new one.
            stages: in the order in which they are run.
            machine: what it is.
            environment: variables for all commands.
        """
        self.state, self._stages, self._machine, self._environment = state, stages, machine, environment
        self._logs = state.folder / "logs"

    def run(self, deadline: float) -> bool:
        """Run what is not done yet; returns whether something failed.

        Args:
            deadline: by the monotonic clock; what is running then is stopped, and nothing more is begun.

        Raises:
            KeyboardInterrupt: this process was to stop; what was running has been.
        """
        self._logs.mkdir(exist_ok=True)
        waiting = [stage for stage in self._stages if not self._is_done(stage)]
        for stage in waiting:  # what earlier calls said of it holds no longer, but the time that it took
            before = self.state.stages.get(stage.name, Standing())
            self.state.stages[stage.name] = Standing(reason="its turn has not come", seconds=before.seconds)
        self._write()
        for stage in waiting:
            self._stage(stage, deadline)
            standing = self.state.stages[stage.name]
            why = f": {standing.reason}" if standing.reason else f"  {standing.said}"
            print(f"{stage.name}: {standing.status}{why}", flush=True)
        return any(self.state.stages[stage.name].status == Status.failed for stage in self._stages)

    def _is_done(self, stage: Stage) -> bool:
        known = self.state.stages.get(stage.name)
        return known is not None and known.status == Status.done and known.commands == _lists(stage.commands)

    def _stage(self, stage: Stage, deadline: float) -> None:
        """Run one stage, and note how it ended."""
        standing = self.state.stages[stage.name]
        if stage.lacks is not None:
            standing.status, standing.reason = Status.impossible, stage.lacks
        elif time.monotonic() >= deadline:
            standing.reason = "the time was up"
        else:
            standing.status, standing.reason = Status.running, "no end of it is known"
            standing.commit, standing.commands = commit_of(self._machine), _lists(stage.commands)
            begin, before = time.monotonic(), standing.seconds
            try:
                self._run(stage, standing, deadline)
            except BaseException:
                standing.status, standing.reason = Status.interrupted, "the same command goes on with it"
                raise
            finally:
                standing.process, standing.seconds = None, before + time.monotonic() - begin
                self._write()
        self._write()

    def _run(self, stage: Stage, standing: Standing, deadline: float) -> None:
        """Trial, commands, tables."""
        if stage.trial is not None:
            ended = self._command(stage, standing, stage.trial, deadline)
            if ended.code == IMPOSSIBLE:
                standing.status, standing.reason = Status.impossible, ended.said
                return
            if self._has_ended_badly(standing, ended):
                return
        for command in stage.commands:
            ended = self._command(stage, standing, command, deadline)
            standing.said = ended.said
            if self._has_ended_badly(standing, ended):
                break
        else:
            standing.status, standing.reason = Status.done, ""
        for command in stage.tables:
            ended = self._command(stage, standing, command, time.monotonic() + TABLE_SECONDS)
            if ended.failure is not None and standing.status == Status.done:
                standing.status, standing.reason = Status.failed, f"its table: {ended.failure}"

    def _has_ended_badly(self, standing: Standing, ended: Ended) -> bool:
        if not ended.in_time:
            standing.status, standing.reason = Status.out_of_time, "stopped when the time was up; a longer call goes on"
        elif ended.failure is not None:
            standing.status, standing.reason = Status.failed, ended.failure
        return not ended.in_time or ended.failure is not None

    def _command(self, stage: Stage, standing: Standing, command: Command, deadline: float) -> Ended:
        def began(number: int) -> None:
            standing.process = (number, psutil.Process(number).create_time())
            self._write()

        log = self._logs / f"{stage.name}.txt"
        return run(command, log, deadline - time.monotonic(), self._environment, began)

    def _write(self) -> None:
        self.state.save()
        path: Path = self.state.folder / "summary.md"
        write_atomically(path, summary(self.state, self._stages, self._machine).encode())


def _lists(commands: Sequence[Command]) -> list[list[str]]:
    """Commands as JSON keeps them."""
    return [list(command) for command in commands]
