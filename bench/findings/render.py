"""Findings as text, Markdown and JSON."""

import json
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.text import Text

from bench.findings.components import CONTRIBUTES, DOES_NOT, HOW, ComponentFinding
from bench.findings.echoes import AGREES, DISAGREES, Echo
from bench.findings.evaluate import CONFIRMED, REFUTED, UNDECIDED, Finding
from bench.tables.formats.markdown import escape

STYLES = {CONFIRMED: "green", REFUTED: "red", UNDECIDED: "yellow"}
ECHO_STYLES = {AGREES: "green", DISAGREES: "red", UNDECIDED: "yellow"}
OUR_STYLES = {CONTRIBUTES: "green", DOES_NOT: "red", UNDECIDED: "yellow"}
SHOWN = 6  # missing things listed in text; JSON has all


def summary(findings: list[Finding]) -> str:
    """`3 confirmed, 1 refuted, 17 undecided of 21 claims`."""
    counts = Counter(finding.verdict for finding in findings)
    parts = [f"{counts[verdict]} {verdict}" for verdict in STYLES]
    return f"{', '.join(parts)} of {len(findings)} claims"


def figure_text(figure: dict[str, Any]) -> str:
    """One comparison in words: `score average of lora minus full on roberta_base: +0.52 [0.31, 0.70], 3 seeds`."""
    joins = {"difference": "minus", "ratio": "over", "reduction": "below", "value": ""}
    than = f" {joins[figure['form']]} {figure['than']}" if figure["than"] else ""
    unit = " %" if figure["form"] == "reduction" or figure["quantity"] == "share" else ""
    unit = " GB" if figure["quantity"] == "memory" and figure["form"] in {"value", "difference"} else unit
    value = f"{figure['value']:+.4g}" if figure["form"] == "difference" else f"{figure['value']:.4g}"
    interval = "" if figure["interval"] is None else " [{:.4g}, {:.4g}]".format(*figure["interval"])
    seeds = "1 seed" if figure["seeds"] == 1 else f"{figure['seeds']} seeds"
    what = f"{figure['quantity']} of {figure['method']}{than} on {figure['model']}"
    return f"{figure['verdict']}: {what}: {value}{unit}{interval} ({bounds_text(figure)}), {seeds}"


def bounds_text(figure: dict[str, Any]) -> str:
    """What the claim asks for: `above 0`, `2.4 to 3.6`."""
    low, high = figure["low"], figure["high"]
    if low is not None and high is not None:
        return f"claimed {low:.4g} to {high:.4g}"
    if low is not None:
        return f"claimed {'above' if low == 0 else 'at least'} {low:.4g}"
    return f"claimed {'below' if high == 0 else 'at most'} {high:.4g}"


def lines_of(finding: Finding, limit: int | None = None) -> list[str]:
    """Caveats, figures, what is missing, and the commands that would decide it; at most `limit` of the middle two."""
    lines = [f"caveat: {item}" for item in finding.caveats]
    lines += [figure_text(figure) for figure in finding.figures[:limit]]
    if limit is not None and len(finding.figures) > limit:
        lines.append(f"and {len(finding.figures) - limit} more figures")
    lines += [f"missing: {item}" for item in finding.missing[:limit]]
    if limit is not None and len(finding.missing) > limit:
        lines.append(f"and {len(finding.missing) - limit} more missing")
    return lines + [f"would decide it: {command}" for command in finding.commands]


def render_findings(findings: list[Finding], console: Console, ours: Sequence[ComponentFinding] = ()) -> None:
    """Print every claim with its verdict and what is behind it, then ours, what components do."""
    _print(findings, console)
    console.print(summary(findings), markup=False, highlight=False)
    for one in ours:
        line = Text(f"{one.verdict:16s} ", style=f"bold {OUR_STYLES[one.verdict]}")
        console.print(line.append(one.id, style="bold").append(f"  {one.text}"), soft_wrap=True)
        for detail in one.lines:
            console.print(Text(f"                 {detail}", style="dim"), soft_wrap=True)
    if ours:
        console.print(f"ours: {our_summary(ours)}", markup=False, highlight=False)


def render_echo(made: Echo, console: Console) -> None:
    """Print each statement with whether the experiment agrees, and what is behind it."""
    _print(made.findings, console)
    console.print(f"{made.experiment}: {made.summary}", markup=False, highlight=False, soft_wrap=True)


def _print(findings: Sequence[Finding], console: Console) -> None:
    styles = STYLES | ECHO_STYLES
    for finding in findings:
        claim = finding.claim
        line = Text(f"{finding.verdict:9s} ", style=f"bold {styles[finding.verdict]}")
        line.append(f"{claim.id}", style="bold").append(
            f"  {claim.claim} [Table {claim.table}, {claim.source}]", style=""
        )
        console.print(line, soft_wrap=True)
        for detail in lines_of(finding, SHOWN):
            console.print(Text(f"          {detail}", style="dim"), soft_wrap=True)


def echo_to_markdown(made: Echo) -> str:
    """A heading, the counts, and a table of the statements with what was compared."""
    lines = [f"### The survey's order in {made.experiment}", "", f"{escape(made.summary)}.", ""]
    lines += ["| Statement | Verdict | The survey says | Compared |", "| :--- | :--- | :--- | :--- |"]
    for one in made.findings:
        cells = (one.claim.id, one.verdict, one.claim.claim, "; ".join(lines_of(one)))
        lines.append(f"| {' | '.join(escape(cell) for cell in cells)} |")
    return "\n".join(lines) + "\n"


def echo_to_json(made: Echo) -> str:
    """`{"experiment", "table", "miniature", "counts": {"agrees": 12, …}, "statements": [{"id", "verdict", …}]}`."""
    told = {"experiment": made.experiment, "table": made.table, "miniature": made.miniature}
    counts = {verdict: made.counts[verdict] for verdict in ECHO_STYLES}
    items = [_item(finding) for finding in made.findings]
    return _json(told | {"counts": counts, "statements": items})


def our_summary(ours: Sequence[ComponentFinding]) -> str:
    """`2 contribute, 0 do not, 5 undecided of 7 components`."""
    counts = Counter(one.verdict for one in ours)
    parts = {CONTRIBUTES: "contribute", DOES_NOT: "do not", UNDECIDED: "undecided"}
    return ", ".join(f"{counts[verdict]} {words}" for verdict, words in parts.items()) + f" of {len(ours)} components"


def findings_to_markdown(findings: list[Finding], ours: Sequence[ComponentFinding] = ()) -> str:
    """A heading, a table of verdicts, and the details of each claim; then ours, what components do, under their own."""
    lines = ["### The survey's claims", "", f"{summary(findings)}.", ""]
    lines += ["| Claim | Verdict | The survey says | Source |", "| :--- | :--- | :--- | :--- |"]
    for finding in findings:
        claim = finding.claim
        cells = (claim.id, finding.verdict, claim.claim, f"Table {claim.table}, {claim.source}")
        lines.append(f"| {' | '.join(escape(cell) for cell in cells)} |")
    for finding in findings:
        lines += ["", f"**{escape(finding.claim.id)}**: {finding.verdict}", ""]
        notes = [f"read as: {finding.claim.note}"] if finding.claim.note else []
        lines += [f"- {escape(detail)}" for detail in [*notes, *lines_of(finding, SHOWN)]]
    if ours:
        lines += ["", "### Ours: what components do", "", f"{our_summary(ours)}. {HOW}", ""]
        lines += ["| Component | Verdict | Effect | |", "| :--- | :--- | :--- | :--- |"]
        rows = ((one.id, one.verdict, one.text, "; ".join(one.lines)) for one in ours)
        lines += [f"| {' | '.join(escape(cell) for cell in row)} |" for row in rows]
    return "\n".join(lines) + "\n"


def findings_to_json(findings: list[Finding], ours: Sequence[ComponentFinding] = ()) -> str:
    """`{"findings": [{"id", "verdict", "figures", "missing", "caveats", "table", "claim", "source", "note", …}]}`.

    Beside them under "components" ours: `[{"id", "method", "model", "component", "verdict", "value", "interval", …}]`.
    """
    items = [_item(finding) for finding in findings]
    components = [_finite({"id": one.id, **asdict(one)}) for one in ours]
    return _json({"findings": items, "components": components})


def _item(finding: Finding) -> dict[str, Any]:
    return {
        "id": finding.claim.id,
        "verdict": finding.verdict,
        "figures": [_finite(figure) for figure in finding.figures],
        "missing": finding.missing,
        "caveats": finding.caveats,
        "table": finding.claim.table,
        "claim": finding.claim.claim,
        "source": finding.claim.source,
        "note": finding.claim.note,
        "commands": finding.commands,
    }


def _json(told: dict[str, Any]) -> str:
    return json.dumps(told, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _finite(figure: dict[str, Any]) -> dict[str, Any]:
    """JSON has no NaN and no infinity."""
    return {
        key: None if isinstance(value, float) and not math.isfinite(value) else value for key, value in figure.items()
    }
