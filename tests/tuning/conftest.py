"""A search whose trials are made up, in an empty folder."""

import pytest

from tests.tuning import stub


@pytest.fixture
def tune(bench, monkeypatch):
    """Run `bench tune` on one task; `score` gives a trial's score by its cell."""
    monkeypatch.setattr("bench.cli.tune.launch", stub.launch)

    def call(score, *arguments, **options):
        monkeypatch.setattr("bench.running.attempt.run_cell", stub.runner(score, **options))
        return bench(*stub.ARGUMENTS, *arguments)

    return call
