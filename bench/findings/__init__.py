"""The survey's claims against the records: confirmed, refuted, undecided."""

from bench.findings.evaluate import Finding, evaluate
from bench.findings.evidence import check_there_are_records
from bench.findings.render import findings_to_json, findings_to_markdown, render_findings
from bench.tables.reference import set_reference

__all__ = [
    "Finding",
    "check_there_are_records",
    "evaluate",
    "findings_to_json",
    "findings_to_markdown",
    "render_findings",
    "set_reference",
]
