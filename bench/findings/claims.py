"""The survey's claims as `survey.yaml` states them, and the checks that decide them."""

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import yaml

from bench.errors import UserError
from bench.tables.content.reference import SURVEY

QUANTITIES = ("score", "share", "trainable", "memory", "spread", "fluctuation")
FORMS = ("value", "difference", "ratio", "reduction")


@dataclass(frozen=True)
class Check:
    """For each of `models` and `methods`, the quantity compared with `than` lies between `low` and `high`.

    Attributes:
        quantity: one of `QUANTITIES`.
        models, methods: whose.
        of: for scores, the column of the survey's table.
        than: the methods to compare with; ("others",) for every other method of the model; empty for the value itself.
        form: "value", "difference", "ratio", or "reduction" (percent below `than`).
        than_model: compares the form with that of this model.
        low, high: bounds, both allowed; None for no bound.
    """

    quantity: str
    models: tuple[str, ...]
    methods: tuple[str, ...]
    of: str = ""
    than: tuple[str, ...] = ()
    form: str = "value"
    than_model: str | None = None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Claim:
    """One claim of the survey.

    Attributes:
        id: its name.
        table: the survey's table or figure.
        claim: what the survey says.
        source: from where we know it.
        note: how we read it.
        checks: all of them hold if the claim does.
    """

    id: str
    table: str
    claim: str
    source: str
    note: str
    checks: tuple[Check, ...]


def load_claims(path: Path = SURVEY) -> list[Claim]:
    """All claims of the file at `path`.

    Raises:
        UserError: the file cannot be read, or a check says something that no check can say.
    """
    try:
        data = yaml.load(path.read_text(encoding="utf-8"), getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except yaml.YAMLError as error:
        raise UserError(f"{path}: {' '.join(str(error).split())}") from error
    return [
        Claim(
            id=item["id"],
            table=str(item["table"]),
            claim=item["claim"],
            source=item["source"],
            note=item.get("note", ""),
            checks=tuple(_check(check, item["id"]) for check in item["checks"]),
        )
        for item in data["findings"]
    ]


def _check(data: dict[str, Any], claim: str) -> Check:
    data = dict(data)
    than = data.pop("than", ())
    data["than"] = (than,) if isinstance(than, str) else tuple(than)
    data["form"] = data.pop("as", "difference" if data["than"] else "value")
    if "near" in data:
        near, tolerance = data.pop("near"), data.pop("tolerance")
        data["low"], data["high"] = near - tolerance, near + tolerance
    for key in ("models", "methods"):
        data[key] = tuple(data.get(key, ()))
    known = {field.name for field in fields(Check)}
    wrong = sorted(data.keys() - known)
    if wrong or data.get("quantity") not in QUANTITIES or data["form"] not in FORMS:
        raise UserError(f"claim {claim}: cannot read the check {data}")
    return Check(**data)
