"""A sweep says what it is about to run, for whoever looks on, and nothing any more when it has ended."""

from dataclasses import replace

from bench.records.owner import Owner
from bench.sweeping import announcement
from bench.sweeping.announcement import FOLDER, announced, announcements
from bench.sweeping.cost import Costs, work


def test_what_is_run_is_said_while_it_runs(compose, tmp_path):
    cells = [compose(f"seed={seed}", f"results_dir={tmp_path}") for seed in range(2)]
    top, costs = tmp_path / cells[0].experiment, Costs()
    costs.observe(cells[0], 12.0)
    with announced(cells, costs):
        (said,) = announcements(top)
        assert [cell.id for cell in said.cells] == [cell.id for cell in cells]
        assert said.cells[0].work == work(cells[0])
        assert said.rates == {(cells[0].model, cells[0].task, cells[0].method): 12.0 / work(cells[0])}
        assert said.is_alive
        with announced(cells[:1], costs):
            assert len(announcements(top)) == 2
    assert announcements(top) == []
    assert not (top / FOLDER).exists()


def test_what_a_killed_sweep_has_said_goes_with_the_next_one(compose, tmp_path, monkeypatch):
    cell = compose(f"results_dir={tmp_path}")
    top = tmp_path / cell.experiment
    killed = replace(Owner.this_process(), pid=2**22 + 1)
    with monkeypatch.context() as patch:
        patch.setattr(announcement.Owner, "this_process", lambda: killed)
        patch.setattr(announcement.Path, "unlink", lambda *_, **__: None)  # it had no time to
        with announced([cell], Costs()):
            pass
    (said,) = announcements(top)
    assert not said.is_alive
    with announced([cell], Costs()):
        assert [one.is_alive for one in announcements(top)] == [True]


def test_where_nothing_can_be_written_the_sweep_goes_on(compose, tmp_path):
    cell = compose(f"results_dir={tmp_path}")
    (tmp_path / cell.experiment).mkdir(parents=True)
    (tmp_path / cell.experiment / FOLDER).write_text("a file")
    with announced([cell], Costs()):
        assert announcements(tmp_path / cell.experiment) == []
