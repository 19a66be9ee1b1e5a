"""From a grid to its cells."""

from hypothesis import given
from hypothesis import strategies as st

from bench.configuration.experiment import grid_overrides

GRID = [
    {"model": ["a", "b"], "method": ["lora", "ia3"], "seed": [0, 1]},
    {"model": "a", "method": "full", "training.learning_rate": [1e-5, 2e-5], "task.subjects": [["x", "y"]]},
]


def expand(grid, **given):
    return [" ".join(overrides) for overrides in grid_overrides(grid, given)]


def test_every_combination_of_every_sub_grid():
    cells = expand(GRID)
    assert len(cells) == 8 + 2
    assert "model=a method=lora seed=1" in cells
    assert "model=a method=full training.learning_rate=1e-05 task.subjects=[x,y]" in cells


def test_model_task_and_method_pick_from_the_grid():
    assert len(expand(GRID, method=["lora", "prefix"])) == 4
    assert expand(GRID, method=["prefix"]) == []


def test_any_other_key_overrides_all_cells_and_several_values_multiply_them():
    assert len(expand(GRID, seed=["7"])) == 4 + 2
    assert len(expand(GRID, seed=["7", "8"])) == 8 + 4
    assert all("data.limit_train=5" in cell for cell in expand(GRID, **{"data.limit_train": ["5"]}))


def test_a_key_with_a_plus_sign_goes_before_the_grid_s():
    cells = expand(GRID, **{"++training.learning_rate": ["1"], "+x.y": ["2", "3"]})
    assert all("++training.learning_rate=1" in cell and " training.learning_rate" not in cell for cell in cells)
    assert sum(" +x.y=2" in cell for cell in cells) == sum(" +x.y=3" in cell for cell in cells) == len(cells) / 2


def test_no_grid_is_one_cell():
    assert expand([]) == [""]
    assert expand([], method=["lora", "ia3"]) == ["method=lora", "method=ia3"]


@given(st.lists(st.dictionaries(st.sampled_from(["model", "task", "seed", "x.y"]), st.lists(st.integers(0, 3)))))
def test_each_cell_occurs_once(grid):
    cells = expand(grid)
    assert len(cells) == len(set(cells))
