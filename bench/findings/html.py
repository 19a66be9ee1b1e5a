"""Findings as a section of the report's page."""

from collections.abc import Sequence

from bench.findings.components import CONTRIBUTES, DOES_NOT, HOW, ComponentFinding
from bench.findings.echoes import AGREES, DISAGREES, Echo
from bench.findings.evaluate import Finding
from bench.findings.render import lines_of, our_summary, summary
from bench.tables.page.html import escape


def findings_to_html(findings: list[Finding]) -> str:
    """A `<section>`: each claim with its verdict, opening to what is behind it."""
    return (
        f'<section id="findings">\n<h2>The survey\'s claims</h2>\n<p>{escape(summary(findings))}</p>\n'
        + "".join(_claim(finding) for finding in findings)
        + "</section>\n"
    )


def components_to_html(ours: Sequence[ComponentFinding]) -> str:
    """A `<section>` of ours: each component with its verdict; empty where there are none."""
    if not ours:
        return ""
    said = escape(f"{our_summary(ours)}. {HOW}")
    items = "".join(_component(one) for one in ours)
    return f'<section id="components">\n<h2>Ours: what components do</h2>\n<p>{said}</p>\n{items}</section>\n'


def echoes_to_html(made: Sequence[Echo]) -> str:
    """A `<section>`: the survey's statements of order, held against other models; empty where there are none."""
    if not made:
        return ""
    parts = []
    for one in made:
        items = "".join(_claim(finding) for finding in one.findings)
        parts.append(f"<h3>{escape(one.experiment)}</h3>\n<p>{escape(one.summary)}.</p>\n{items}")
    return f'<section id="echoes">\n<h2>The survey\'s order on other models</h2>\n{"".join(parts)}</section>\n'


def _component(one: ComponentFinding) -> str:
    lines = "".join(f"<li>{escape(line)}</li>" for line in one.lines)
    kind = {CONTRIBUTES: "confirmed", DOES_NOT: "refuted"}.get(one.verdict, one.verdict)  # of the page's colours
    verdict = f'<span class="verdict {kind}">{escape(one.verdict)}</span>'
    words = f"{verdict} <b>{escape(one.id)}</b>: {escape(one.text)}"
    return f"<details><summary>{words}</summary><ul>{lines}</ul></details>\n"


def _claim(finding: Finding) -> str:
    claim = finding.claim
    notes = [f"read as: {claim.note}"] if claim.note else []
    lines = "".join(f"<li>{escape(line)}</li>" for line in [*notes, *lines_of(finding)])
    kind = {AGREES: "confirmed", DISAGREES: "refuted"}.get(finding.verdict, finding.verdict)  # of the page's colours
    verdict = f'<span class="verdict {kind}">{escape(finding.verdict)}</span>'
    source = f"Table {claim.table}, {claim.source}"
    words = f"{verdict} <b>{escape(claim.id)}</b>: {escape(claim.claim)} <small>({escape(source)})</small>"
    return f"<details><summary>{words}</summary><ul>{lines}</ul></details>\n"
