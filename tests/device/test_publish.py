"""The cells that `make publish` measures, those of its rehearsal, on a device that is not the host."""

import pytest

from bench.configuration.compose import Configurations
from bench.records.schema import Status
from bench.running.runner import run_cell
from bench.sweeping.selection import selected
from scripts.publishing.stages import Setting, Size, stages_of
from tests.planning.test_prediction import always

SWEEP = ("-m", "bench", "sweep")


@pytest.fixture
def stages(tmp_path):
    """The last cell of each stage that sweeps, by the stage's name."""
    cells = {}
    with Configurations() as configurations:
        for stage in stages_of(Setting(tmp_path, Size.miniature), tmp_path / "scratch"):
            for command in stage.commands:
                if command[:3] == SWEEP:
                    words = selected(list(command[3:]), configurations.compose)[-1]
                    cells[stage.name] = configurations.cell([*words, f"results_dir={tmp_path}"])
    return cells


STAGES = ["memory-roberta", "memory-t5", "memory-llama", "glue-rte"]
ONE_OF_EACH_KIND = [("memory-llama",), ("glue-rte",)]  # `test_cell.py` measures inference on the other families


@pytest.mark.parametrize("name", always(ONE_OF_EACH_KIND, [(name,) for name in STAGES]))
def test_a_cell_of_each_stage_ends_as_done(stages, on_the_device, name):
    on_the_device()
    record, _ = run_cell(stages[name])
    assert record.status == Status.done, record.error and record.error.traceback
    if name.startswith("memory"):
        assert record.memory.train_peak_predicted is not None
        assert record.inference
