"""The survey's claims against the records: confirmed, refuted, undecided.

Here: the claims (`survey.yaml`), the evidence that records give for each, and the report. Not here: anything that
trains. Read `evaluate` first.
"""

from bench.findings.evaluate import Finding, evaluate
from bench.findings.render import findings_to_json, findings_to_markdown, render_findings
from bench.tables.content.reference import set_reference

__all__ = [
    "Finding",
    "evaluate",
    "findings_to_json",
    "findings_to_markdown",
    "render_findings",
    "set_reference",
]
