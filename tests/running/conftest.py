"""Cells that are trained once and used by several tests."""

import pytest

from tests.running.trained_cells import CELLS, run


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    """The record's path of each of `CELLS`, trained once."""
    return {method: run(family, method, tmp_path_factory.mktemp("results")) for method, family in CELLS.items()}
