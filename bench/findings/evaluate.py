"""Claims against records: confirmed, refuted, or undecided and why."""

import math
from dataclasses import dataclass, field
from itertools import product
from typing import Any

import numpy as np

from bench.findings.claims import Check, Claim, load_claims
from bench.findings.commands import Wanted, commands
from bench.findings.evidence import Evidence, Figure
from bench.findings.protocol import SEEDS_TO_DECIDE, Choice, caveat, objection

CONFIRMED, REFUTED, UNDECIDED = "confirmed", "refuted", "undecided"
WITHOUT_LUCK = ("trainable", "share", "memory")  # quantities that neither seeds nor tuning change
RESAMPLES = 4000
LEAST_SEEDS = 5  # to ask for, where enough of them do not decide


@dataclass(frozen=True)
class Finding:
    """A claim and what the records say of it.

    Attributes:
        claim: the survey's.
        verdict: confirmed, refuted or undecided.
        figures: what was compared, each {"model", "method", "than", "quantity", "value", "low", "high", "interval",
            "seeds", "selection", "verdict"}; bounds of the claim in `low` and `high`, null for none; how the settings
            were chosen in `selection`.
        missing: what would have to be there, one line each.
        commands: what would decide it.
        caveats: what the verdict rests on, one line each.
    """

    claim: Claim
    verdict: str
    figures: list[dict[str, Any]] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    commands: list[str] = field(default_factory=list)
    caveats: list[str] = field(default_factory=list)


def evaluate(results_dir: str) -> list[Finding]:
    """Hold every claim of the survey against the records of the experiments `survey/…`.

    A claim is confirmed if all of its checks hold, refuted if one of them fails, else undecided. Trial runs and
    miniature records decide nothing. Scores of fewer than `SEEDS_TO_DECIDE` seeds decide nothing either, nor those of
    cells whose selection was not clean and equal (`bench.findings.protocol`). The 95 % bootstrap interval over seeds
    decides, and a bound inside it leaves the check undecided.

    Raises:
        UserError: records that cannot be read.
    """
    evidence = Evidence(results_dir)
    return [evaluate_claim(claim, evidence) for claim in load_claims()]


def evaluate_claim(claim: Claim, evidence: Evidence) -> Finding:
    """Decide one claim."""
    figures: list[dict[str, Any]] = []
    missing: dict[str, None] = {}
    wanted: dict[Wanted, None] = {}
    choices: dict[Choice, None] = {}
    for check in claim.checks:
        is_sure = check.quantity in WITHOUT_LUCK
        for model, method in product(check.models, check.methods):
            for than in _opponents(check, claim.table, model, method, evidence):
                sides = _sides(check, claim.table, model, [name for name in (method, than) if name], evidence)
                absent = [side for side in sides if not side.values]
                missing |= {side.missing: None for side in absent}
                wanted |= {side.wanted(0 if is_sure else SEEDS_TO_DECIDE): None for side in absent if side.helps}
                if absent:
                    continue
                figure = _figure(check, model, method, than, sides)
                figures.append(figure)
                objections = [] if is_sure else _objections(sides)
                if not is_sure:
                    choices |= {choice: None for side in sides for choice in side.choices}
                    wanted |= {side.wanted(SEEDS_TO_DECIDE): None for side in _few(sides)}
                missing |= dict.fromkeys(objections)
                if objections:
                    figure["verdict"] = UNDECIDED
                elif figure["verdict"] == UNDECIDED:
                    why, seeds = _why_undecided(figure)
                    missing[f"{method} on {model}: {why}"] = None
                    wanted |= {side.wanted(seeds): None for side in sides if seeds}
    verdicts = [figure["verdict"] for figure in figures]
    if REFUTED in verdicts:
        verdict = REFUTED
    else:
        verdict = CONFIRMED if figures and not missing and set(verdicts) == {CONFIRMED} else UNDECIDED
    lines = commands(wanted, evidence.results_dir) if verdict == UNDECIDED else []
    caveats = [said for said in [caveat(choices)] if said is not None and verdict != UNDECIDED]
    return Finding(claim, verdict, figures, list(missing), lines, caveats)


def _objections(sides: list[Figure]) -> list[str]:
    """Why a comparison of figures that are all there decides nothing, whatever they are."""
    few = [f"{side.method} on {side.model}: {_seeds(side)}; {SEEDS_TO_DECIDE} decide" for side in _few(sides)]
    unfair = objection([choice for side in sides for choice in side.choices])
    return few + ([] if unfair is None else [unfair])


def _few(sides: list[Figure]) -> list[Figure]:
    return [side for side in sides if len(side.values) < SEEDS_TO_DECIDE]


def _seeds(side: Figure) -> str:
    return "1 seed" if len(side.values) == 1 else f"{len(side.values)} seeds"


def _why_undecided(figure: dict[str, Any]) -> tuple[str, int]:
    """Why a figure decides nothing, and how many seeds may change that."""
    if not math.isfinite(figure["value"]):
        return f"{figure['quantity']} is no number", 0
    return "more seeds; the interval holds a bound of the claim", max(LEAST_SEEDS, 2 * figure["seeds"])


def _opponents(check: Check, table: str, model: str, method: str, evidence: Evidence) -> list[str]:
    """The methods to compare with; an empty name for none."""
    if check.than != ("others",):
        return [than for than in check.than if than != method] or [""]
    others = [other for other in evidence.methods(check, table, model) if other != method]
    # With nothing run there is nobody to compare with; full fine-tuning stands for what is missing.
    return others or ["full"]


def _sides(check: Check, table: str, model: str, names: list[str], evidence: Evidence) -> list[Figure]:
    """The figures that a comparison needs: of each of `names` on `model`, then on the other model if there is one."""
    models = [model, check.than_model] if check.than_model else [model]
    return evidence.figures(check, table, [(on, name) for on in models for name in names])


def _figure(check: Check, model: str, method: str, than: str, sides: list[Figure]) -> dict[str, Any]:
    arrays = [np.array(side.values) for side in sides]
    value = float(combine(check.form, [array.mean() for array in arrays]))
    interval = bootstrap(check.form, arrays)
    return {
        "model": model,
        "method": method,
        "than": " ".join(part for part in (than, f"on {check.than_model}" if check.than_model else "") if part) or None,
        "quantity": f"{check.quantity} {check.of}".strip(),
        "form": check.form,
        "value": value,
        "low": check.low,
        "high": check.high,
        "interval": interval,
        "seeds": min(len(array) for array in arrays),
        "selection": "; ".join(dict.fromkeys(str(choice) for side in sides for choice in side.choices)),
        "verdict": decide(value, interval, check.low, check.high),
    }


def combine(form: str, sides: list[Any]) -> Any:
    """A comparison's value from its sides, numbers or arrays of equal shape; of four, minus that of the second pair."""
    if len(sides) == 4:
        return combine(form, sides[:2]) - combine(form, sides[2:])
    if form == "value":
        return sides[0]
    ours, theirs = sides
    if form == "difference":
        return ours - theirs
    return ours / theirs if form == "ratio" else 100 * (1 - ours / theirs)


def bootstrap(form: str, sides: list[np.ndarray[Any, Any]], seed: int = 0) -> tuple[float, float] | None:
    """95 % percentile interval of the comparison, seeds drawn with replacement on each side; None for single seeds.

    Args:
        form: as in `combine`.
        sides: values per seed, each of shape `(seeds,)`.
        seed: of the drawing.
    """
    if max(len(side) for side in sides) < 2 or not all(np.isfinite(side).all() for side in sides):
        return None
    random = np.random.default_rng(seed)
    drawn = [random.choice(side, (RESAMPLES, len(side))).mean(axis=1) for side in sides]
    low, high = np.quantile(combine(form, drawn), [0.025, 0.975])
    return float(low), float(high)


def decide(value: float, interval: tuple[float, float] | None, low: float | None, high: float | None) -> str:
    """Whether `value`, or all of its `interval`, lies between the bounds (confirmed), outside (refuted), or both.

    A bound of exactly 0 must be passed, not only reached: "above" is not "equal".
    """
    if not math.isfinite(value):
        return UNDECIDED
    first, last = interval or (value, value)
    low, high = (-math.inf if low is None else low), (math.inf if high is None else high)
    inside = (first > low if low == 0 else first >= low) and (last < high if high == 0 else last <= high)
    if inside:
        return CONFIRMED
    outside = (last <= low if low == 0 else last < low) or (first >= high if high == 0 else first > high)
    return REFUTED if outside else UNDECIDED
