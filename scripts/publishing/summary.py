"""`summary.md`: what was measured on a machine, what was not, and why not."""

from collections.abc import Sequence
from typing import Any

from scripts.publishing.stages import Stage
from scripts.publishing.state import Standing, State, Status

REHEARSAL = (
    "**This is a rehearsal and no measurement** (rehearsal: true): miniature models and a few steps, on the CPU. It "
    "shows that the stages run, and nothing about any method, model or GPU."
)
KEPT = (
    "Kept: `machine.json`, `publish.json`, this file, `logs/`, `tables/`, and `records/` with every cell's "
    "`record.json` as the harness wrote it. Git leaves out what is large or of no use elsewhere: trained weights, "
    "checkpoints, predictions, claims (`.gitignore`)."
)


def summary(state: State, stages: Sequence[Stage], machine: dict[str, Any]) -> str:
    """The page in Markdown.

    Args:
        state: where the stages stand.
        stages: all there are, in their order.
        machine: `machine.json`.
    """
    standings = [(stage, state.stages.get(stage.name, Standing())) for stage in stages]
    missing = [(stage, one) for stage, one in standings if one.status != Status.done]
    parts = [f"# {state.name}", "", *([REHEARSAL, ""] if state.rehearsal else []), *_machine(machine), ""]
    parts += [
        f"{len(standings) - len(missing)} of {len(standings)} stages are done. Times are those of whole stages.",
        "",
    ]
    parts += ["| stage | what | status | minutes | last line |", "| :--- | :--- | :--- | ---: | :--- |"]
    for stage, one in standings:
        minutes = f"{one.seconds / 60:.1f}" if one.seconds else ""
        parts.append(f"| {stage.name} | {_cell(stage.title)} | {one.status} | {minutes} | {_cell(one.said)} |")
    parts += ["", "## What is not there", ""]
    parts += [f"- **{stage.name}** ({stage.value}): {_reason(one)}." for stage, one in missing] or [
        "Nothing is missing."
    ]
    parts += ["", *_commits(standings), KEPT]
    return "\n".join(parts) + "\n"


def _machine(machine: dict[str, Any]) -> list[str]:
    environment = machine["environment"]
    gpus = [f"{one['name']} ({one['memory'] / 2**30:.0f} GiB)" for one in machine["gpus"]]
    libraries = ", ".join(f"{name} {version}" for name, version in environment["libraries"].items())
    return [
        f"- GPU: {', '.join(gpus) or 'none used'}",
        f"- driver: {environment['driver'] or 'not known'}; CUDA {environment['cuda'] or 'none'}",
        f"- processor: {environment['cpu']}",
        f"- Python {environment['python']}, {libraries}",
        f"- code: {commit_of(machine)}",
    ]


def commit_of(machine: dict[str, Any]) -> str:
    """The commit of the code, and whether anything was changed since."""
    git = machine["environment"]["git"]
    if git is None:
        return "no git checkout"
    return f"{git['commit']}, {'with uncommitted changes' if git['dirty'] else 'a clean tree'}"


def _commits(standings: Sequence[tuple[Stage, Standing]]) -> list[str]:
    """A note where stages were run by different code."""
    ran = {one.commit: [other.name for other, two in standings if two.commit == one.commit] for _, one in standings}
    ran.pop(None, None)
    if len(ran) < 2:
        return []
    return [
        "Stages were run by different code:",
        "",
        *(f"- {key}: {', '.join(names)}" for key, names in ran.items()),
        "",
    ]


def _reason(one: Standing) -> str:
    return f"{one.status}{': ' if one.reason else ''}{one.reason}".rstrip(".")


def _cell(text: str) -> str:
    """Text that leaves a table's row whole."""
    return " ".join(text.replace("|", "\\|").split())
