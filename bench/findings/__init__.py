"""The survey's claims against the records: confirmed, refuted, undecided; and apart from them, claims of ours.

Here: the claims (`survey.yaml`), the evidence that records give for each, whether other models agree with their order
(`echoes`), what components of methods do (`components`), and the report. Not here: anything that trains. Read
`evaluate` first.
"""

from bench.findings.components import ComponentFinding, evaluate_components
from bench.findings.echoes import Echo, echo
from bench.findings.evaluate import Finding, evaluate
from bench.findings.render import (
    echo_to_json,
    echo_to_markdown,
    findings_to_json,
    findings_to_markdown,
    render_echo,
    render_findings,
)
from bench.tables.content.reference import set_reference

__all__ = [
    "ComponentFinding",
    "Echo",
    "Finding",
    "echo",
    "echo_to_json",
    "echo_to_markdown",
    "evaluate",
    "evaluate_components",
    "findings_to_json",
    "findings_to_markdown",
    "render_echo",
    "render_findings",
    "set_reference",
]
