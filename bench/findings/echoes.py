"""The survey's statements of order, held against another model: do its records agree with what the survey found?

The survey's claims are of its own models, and only these confirm or refute them. Which method comes before which can be
asked of any model: of each claim the comparisons between methods are kept, without their sizes, and the experiment's
models stand in the place of the survey's. The same seeds and the same clean and equal selection are asked for.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from bench.errors import NotComparableError, NothingToShowError, UserError
from bench.findings.claims import Check, Claim, load_claims
from bench.findings.evaluate import CONFIRMED, REFUTED, UNDECIDED, Finding, evaluate_claim
from bench.findings.evidence import SCORES, Evidence, table_for
from bench.findings.experiments import experiments
from bench.tables.definition.table import Table, main_column

AVERAGE = "average"
AGREES, DISAGREES = "agrees", "disagrees"
WORDS = {CONFIRMED: AGREES, REFUTED: DISAGREES, UNDECIDED: UNDECIDED}
OF_ORDER = ("score", "share", "trainable")  # quantities; memory without a GPU, and of a small model, says nothing


@dataclass(frozen=True)
class Echo:
    """The statements of order of one of the survey's tables, held against one experiment.

    Attributes:
        experiment: whose records were asked.
        table: the survey's.
        miniature: artificial data or models: agreement or not says nothing of real ones.
        findings: each claim with its verdict, `agrees`, `disagrees` or `undecided`; so have its figures.
    """

    experiment: str
    table: str
    miniature: bool
    findings: tuple[Finding, ...]

    @property
    def counts(self) -> Counter[str]:
        """How many comparisons of each verdict; what two statements say alike is one."""
        of = ("model", "method", "than", "quantity", "low", "high")
        found = {
            tuple(figure[key] for key in of): figure["verdict"]
            for finding in self.findings
            for figure in finding.figures
        }
        return Counter(found.values())

    @property
    def summary(self) -> str:
        """`12 comparisons of the survey's Table III agree, 3 disagree, 4 are undecided`."""
        counts = self.counts
        said = f"{counts[AGREES]} comparisons of the survey's Table {self.table} agree"
        said += f", {counts[DISAGREES]} disagree, {counts[UNDECIDED]} are undecided"
        missing = sum(not finding.figures for finding in self.findings)
        said += f"; {missing} of its {len(self.findings)} statements could not be compared" if missing else ""
        return said + ("; miniature: artificial data and models, which say nothing of real ones" * self.miniature)


def echo(results_dir: str, experiment: str) -> Echo:
    """Hold an experiment against the survey's statements of order.

    Args:
        results_dir: where records lie.
        experiment: whose table is one of the survey's with scores, on models of any kind.

    Raises:
        UserError: it has another table; or no records, or such as do not go together in one.
    """
    table = table_for(results_dir, experiment)
    if table.survey not in SCORES:
        known = ", ".join(definition for _, definition in SCORES.values())
        raise UserError(
            f"experiment '{experiment}' makes the table '{table.definition}', of which the survey states no order of "
            f"methods; it does of {known}"
        )
    return _echo(results_dir, table)


def echoes(results_dir: str) -> list[Echo]:
    """Of all experiments that have records and such a table, but the survey's own."""
    found = []
    for experiment in experiments(results_dir):
        try:
            table = table_for(results_dir, experiment)
        except (NothingToShowError, NotComparableError):
            continue  # the report says so where it makes their tables
        if table.survey in SCORES and SCORES[table.survey][0] != experiment:
            found.append(_echo(results_dir, table))
    return found


def _echo(results_dir: str, table: Table) -> Echo:
    models = tuple(dict.fromkeys(row.model for block in table.blocks for row in block.rows))
    evidence = Evidence.of(results_dir, table)
    whole = main_column(table.columns)  # of one task there is no average
    claims = _of_order(load_claims(), table.survey, models, AVERAGE if whole is None else whole.key)
    found = tuple(_in_words(evaluate_claim(claim, evidence)) for claim in claims)
    return Echo(table.experiment, table.survey, table.miniature, found)


def _of_order(claims: Sequence[Claim], table: str, models: tuple[str, ...], whole: str) -> list[Claim]:
    """The table's claims with what they say of order, of these models; what is said of the average, of `whole`."""
    found = []
    for claim in claims:
        checks = dict.fromkeys(
            replace(order, models=models, of=whole if order.of == AVERAGE else order.of)
            for check in claim.checks
            if (order := _order(check)) is not None
        )
        if claim.table == table and checks:
            found.append(replace(claim, checks=tuple(checks)))
    return found


def _order(check: Check) -> Check | None:
    """Which comes first, if the check says that: `about 1.3 above` is `above`; `about as good` is no order."""
    if not check.than or check.than_model is not None or check.quantity not in OF_ORDER or check.form != "difference":
        return None
    if check.low is not None and check.low >= 0:
        return replace(check, low=0, high=None)
    if check.high is not None and check.high <= 0:
        return replace(check, low=None, high=0)
    return None


def _in_words(finding: Finding) -> Finding:
    """Not confirmed or refuted: another model's records do neither."""
    figures: list[dict[str, Any]] = [figure | {"verdict": WORDS[figure["verdict"]]} for figure in finding.figures]
    return replace(finding, verdict=WORDS[finding.verdict], figures=figures)
