"""Findings as a section of the report's page."""

from bench.findings.evaluate import Finding
from bench.findings.render import lines_of, summary
from bench.tables.page.html import escape


def findings_to_html(findings: list[Finding]) -> str:
    """A `<section>`: each claim with its verdict, opening to what is behind it."""
    return (
        f'<section id="findings">\n<h2>The survey\'s claims</h2>\n<p>{escape(summary(findings))}</p>\n'
        + "".join(_claim(finding) for finding in findings)
        + "</section>\n"
    )


def _claim(finding: Finding) -> str:
    claim = finding.claim
    notes = [f"read as: {claim.note}"] if claim.note else []
    lines = "".join(f"<li>{escape(line)}</li>" for line in [*notes, *lines_of(finding)])
    verdict = f'<span class="verdict {finding.verdict}">{escape(finding.verdict)}</span>'
    source = f"Table {claim.table}, {claim.source}"
    words = f"{verdict} <b>{escape(claim.id)}</b>: {escape(claim.claim)} <small>({escape(source)})</small>"
    return f"<details><summary>{words}</summary><ul>{lines}</ul></details>\n"
