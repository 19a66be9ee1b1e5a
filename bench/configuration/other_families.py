"""Settings that a method has by family, given for a family that no selected model is of: they would change nothing."""

from collections.abc import Iterable

from bench.configuration.cell import Cell
from bench.configuration.origins import COMMAND_LINE
from bench.configuration.schema import Family
from bench.errors import UserError

FAMILIES = frozenset(map(str, Family))


def check_families(cells: Iterable[Cell]) -> None:
    """Refuse a value typed for a family, such as `method.r.encoder=4`, where no cell's model is of that family.

    Raises:
        UserError: one line with the key, and the one that would have an effect.
    """
    used, idle = set[str](), dict[str, str]()
    looked_at = set[tuple[int, str]]()
    for cell in cells:
        family = cell.config["model"]["family"]
        place = id(cell.origins), family
        if cell.origins is None or place in looked_at:
            continue
        looked_at.add(place)
        for key, origin in cell.origins.keys.items():
            parts = key.split(".")
            named = FAMILIES.intersection(parts[2:]) if parts[0] == "method" and origin == COMMAND_LINE else ()
            for name in named:
                if name == family:
                    used.add(key)
                else:
                    idle[key] = ".".join(family if part == name else part for part in parts)
    for key, other in idle.items():
        if key not in used:
            raise UserError(f"{key} changes nothing: no model here is of that family; say {other}=…")
