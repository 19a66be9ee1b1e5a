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


@pytest.fixture
def fair(bench, monkeypatch):
    """Run `bench fair` of bitfit and two baselines on a task; `score` gives a cell's score."""
    monkeypatch.setattr("bench.cli.tune.launch", stub.launch)
    monkeypatch.setattr("bench.cli.fair.launch", stub.launch)
    words = ["method=bitfit", "model=miniature/roberta", "task=miniature/sst2", "baselines=full,lora"]

    def call(score, *arguments, **options):
        monkeypatch.setattr("bench.running.attempt.run_cell", stub.runner(score, **options))
        given = {argument.partition("=")[0] for argument in arguments}
        return bench("fair", *(word for word in words if word.partition("=")[0] not in given), *arguments)

    return call
