"""`experiment=ablation/METHOD`: the cells of an ablation."""

import pytest

from bench.configuration.compose import Configurations
from bench.sweeping.selection import select_cells

HERE = ["model=miniature/roberta", "task=miniature/sst2", "seed=0"]


def off_in(*words, config_dir=None):
    """What is off in each selected cell."""
    with Configurations(config_dir) as configurations:
        selected = select_cells([*words], configurations.compose, configurations.folders)
    return [
        (cell, {name for name, state in cell.config["method"]["components"].items() if state == "off"})
        for _, cell in selected.values()
    ]


def test_one_component_is_off_at_a_time_and_the_complete_method_comes_first():
    found = off_in("experiment=ablation/mam", *HERE)
    assert [off for _, off in found] == [set(), {"prefix"}, {"reparameterisation"}, {"adapter"}, {"scale"}]
    assert {cell.experiment for cell, _ in found} == {"ablation/mam"}
    assert {cell.method for cell, _ in found} == {"mam"}


def test_every_cell_is_a_plain_cell():
    with Configurations() as configurations:
        plain = configurations.cell(["method=mam", "method.without=prefix", *HERE])
    assert plain.id in {cell.id for cell, _ in off_in("experiment=ablation/mam", *HERE)}


def test_all_combinations_without_what_is_moot():
    found = [frozenset(off) for _, off in off_in("experiment=ablation/propelt_adapter", "design=factorial", *HERE)]
    assert sorted(map(sorted, found)) == sorted(
        map(
            sorted,
            [(), ("masks",), ("mask_learning",), ("sharing",), ("sharing", "masks"), ("sharing", "mask_learning")],
        )
    )
    assert len(set(found)) == len(found)


def test_model_task_and_seed_stand_in_place_of_the_experiments():
    cells = [cell for cell, _ in off_in("experiment=ablation/adalora", "task=miniature/cola,miniature/rte", *HERE[::2])]
    assert {(cell.model, cell.task, cell.seed) for cell in cells} == {
        ("miniature/roberta", task, 0) for task in ("miniature/cola", "miniature/rte")
    }
    usual = [cell for cell, _ in off_in("experiment=ablation/adalora")]
    assert {cell.model for cell in usual} == {"roberta_base"}
    assert len({cell.task for cell in usual}) == 4
    assert {cell.seed for cell in usual} == set(range(5))


def test_seeds_are_paired():
    cells = [cell for cell, _ in off_in("experiment=ablation/ia3", *HERE[:2], "seed=0,1,2")]
    assert len(cells) == 3 * 5
    assert all(sum(cell.seed == seed for cell in cells) == 5 for seed in range(3))


def test_what_is_off_already_is_left_out_and_comes_back_with_its_setting():
    off = [off for _, off in off_in("experiment=ablation/lora", *HERE)]
    assert {"b_rate", "keys", "output", "feed_forward"} <= off[0]
    assert len(off) == 1 + 4
    assert len(off_in("experiment=ablation/lora", "method.b_rate=16", *HERE)) == 1 + 5
    assert len(off_in("experiment=ablation/prefix_tuning", "method.inner=32", *HERE)) == 2


def test_a_method_of_ones_own_is_taken_apart_by_the_same_rule(tmp_path, bench):
    (tmp_path / "mine" / "method").mkdir(parents=True)
    (tmp_path / "mine" / "method" / "mine.yaml").write_text(
        "defaults: [lora, _self_]\nname: mine\ntitle: Mine\ndropout: 0.1\n"
        "components:\n  dropout: {off: {dropout: 0.0}}\n  value: {drop: {sites: [value]}}\n"
    )
    found = off_in("experiment=ablation/mine", *HERE, config_dir=str(tmp_path / "mine"))
    more = [off - found[0][1] for _, off in found]
    assert {"dropout"} in more
    assert {"value", "values"} in more, "those of the file that it builds on are its own too"
    assert {cell.experiment for cell, _ in found} == {"ablation/mine"}
    result = bench(
        "sweep", "--config-dir", "mine", "experiment=ablation/mine", *HERE, "dry_run=true", "design=factorial"
    )
    assert result.returncode == 0, result.stderr
    assert "mine" in result.stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["experiment=ablation/mamm"], "unknown experiment 'ablation/mamm'; did you mean ablation/mam"),
        (["experiment=ablation/bitfit"], "'bitfit' declares no components, so that nothing of it can be left out"),
        (["experiment=ablation/prefix_tuning"], "every component of prefix_tuning is off already: reparameterisation"),
        (["experiment=ablation/mam", "design=factorail"], "unknown design 'factorail'; did you mean factorial?"),
        (["experiment=ablation/mam", "design=one_off,factorial"], "one design at a time"),
        (
            ["experiment=miniature/glue", "design=factorial"],
            "'miniature/glue' is no ablation; say experiment=ablation/",
        ),
        (["experiment=ablation/mam", "model=miniature/robert"], "unknown model 'miniature/robert'"),
    ],
)
def test_what_cannot_be_is_one_line(bench, words, said):
    result = bench("sweep", *words, "dry_run=true")
    assert result.returncode == 2
    assert said in result.stderr
    assert result.stderr.count("\n") == 1


def test_a_table_without_records_names_the_command(bench):
    result = bench("table", "experiment=ablation/mam")
    assert result.returncode == 2
    assert "make some with: bench sweep experiment=ablation/mam" in result.stderr
