"""Figures: every row is in them, names can be read, and a user's own table has them too."""

import itertools
import warnings
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Annotation

from bench.records.schema import MemorySplit, Status
from bench.tables import make_table
from bench.tables.figures.drawing import as_svg, figures_of, write_figures
from bench.tables.figures.labels import spread
from tests.tables.made_records import make_record, save

GIGA = 10**9
SPLIT = MemorySplit(GIGA, GIGA // 10, GIGA // 10, GIGA // 5, GIGA, GIGA // 10)
# Trainable parameters and score, as of a run of the miniature: names that lie close together.
CROWDED = {
    "Full fine-tuning": (743_000, 0.936), "QLoRA": (460_000, 0.921), "Child-Tuning_D": (318_000, 0.914),
    "MAM adapter": (750_000, 0.885), "Adapter^S": (67_000, 0.9), "LoRA": (29_000, 0.868), "(IA)³": (19_500, 0.8),
    "BitFit": (21_000, 0.762), "ProPELT (adapter)": (27_500, 0.753), "AdaLoRA": (36_000, 0.74),
    "Prefix-tuning": (32_500, 0.67), "Prompt-tuning": (19_300, 0.664), "ProPELT (LoRA)": (83_000, 0.818),
    "ProPELT (prefix)": (270_000, 0.764),
}  # fmt: skip


def drawing(table, kind):
    return next(drawn for drawn in figures_of(table) if f".{kind}" in drawn.name)


def texts(axes):
    return [text.get_text().strip() for text in axes.texts]


def test_no_name_covers_another_or_a_marker(tmp_path):
    for title, (trainable, score) in CROWDED.items():
        save(
            tmp_path,
            make_record(method=title, titles={"method": title}, trainable=trainable, scores={"accuracy": score}),
        )
    figure = drawing(make_table(str(tmp_path), "miniature/glue"), "score").figure
    renderer = FigureCanvasAgg(figure).get_renderer()
    axes = figure.axes[0]
    names = [text for text in axes.texts if isinstance(text, Annotation)]
    assert {name.get_text() for name in names} == {*CROWDED}
    boxes = {name.get_text(): name.get_window_extent(renderer) for name in names}
    for one, other in itertools.combinations(boxes, 2):
        assert not boxes[one].overlaps(boxes[other]), (one, other)
    for trainable, score in CROWDED.values():
        x, y = axes.transData.transform((trainable, 100 * score))
        assert not any(box.contains(x, y) for box in boxes.values())
    width, height = figure.canvas.get_width_height()
    assert all(box.x0 >= 0 and box.x1 <= width and box.y0 >= 0 and box.y1 <= height for box in boxes.values())


@settings(deadline=None)
@given(st.lists(st.floats(0, 100), min_size=1, max_size=12))
def test_places_at_the_ends_of_lines_keep_their_order_and_distance(wanted):
    places = spread(sorted(wanted), 8, 0, 100)
    assert all(after - before >= 8 - 1e-9 for before, after in itertools.pairwise(places))
    assert places[0] >= -1e-9
    assert places[-1] <= 100 + 1e-9


def test_what_has_room_stays_where_it_is_and_neighbours_share_the_way():
    assert spread([10, 30, 50], 8, 0, 100) == [10, 30, 50]
    assert spread([40, 42], 8, 0, 100) == [37, 45]


def test_rows_without_a_split_or_a_peak_are_shown_as_such_beside_the_others(tmp_path):
    save(
        tmp_path,
        *(make_record("roberta_base", "glue/rte", m, experiment="survey/memory", split=SPLIT, train_peak=5 * GIGA // 2)
          for m in ("full", "lora")),
        make_record("roberta_base", "glue/rte", "ia3", experiment="survey/memory", train_peak=2 * GIGA),
        make_record("roberta_base", "glue/rte", "bitfit", experiment="survey/memory", status=Status.out_of_memory,
                    train_peak=None),
    )  # fmt: skip
    figure = drawing(make_table(str(tmp_path), "survey/memory"), "memory").figure
    axes = figure.axes[0]
    assert len(axes.patches) == 2 * 6 + 1
    assert [label.get_text() for label in axes.get_yticklabels()] == ["full", "ia3", "bitfit", "lora"]
    assert texts(axes) == ["2.50", "2.00", "OOM", "2.50"]
    legend = figure.legends[0]
    assert [text.get_text() for text in legend.get_texts()] == [  # column by column
        "frozen weights", "optimiser state", "not split", "trainable weights", "activations", "gradients", "rest",
    ]  # fmt: skip
    figure.draw_without_rendering()
    box = legend.get_window_extent()
    assert box.x0 >= 0
    assert box.x1 <= figure.canvas.get_width_height()[0]
    words = [text.get_window_extent() for text in legend.get_texts()]
    assert not any(one.overlaps(other) for one, other in itertools.combinations(words, 2))


def own_table(folder: Path, text: str) -> str:
    (folder / "mine" / "table").mkdir(parents=True)
    (folder / "mine" / "table" / "mine.yaml").write_text(text)
    return str(folder / "mine")


def test_a_users_table_of_learning_rates_has_its_figure(tmp_path):
    save(
        tmp_path,
        *(
            make_record("llama_7b", "mmlu", method, scores={"accuracy_macro": 0.3}, experiment="survey/learning_rate",
                        training={"learning_rate": rate})
            for method in ("full", "lora") for rate in (1e-5, 1e-4, 1e-3)
        ),
    )  # fmt: skip
    mine = own_table(tmp_path, "title: Mine\nrows: [method, training.learning_rate]\ncolumns:\n- {task: mmlu}\n")
    table = make_table(str(tmp_path), "survey/learning_rate", "mine", config_dir=mine)
    axes = drawing(table, "rates").figure.axes[0]
    assert len(axes.containers) == 2
    assert sorted(texts(axes)) == ["full", "lora"]


def test_a_users_table_of_curves_has_its_figure(tmp_path):
    curve = [(1, 0.3), (2, 0.35), (3, 0.32)]
    save(tmp_path, make_record("llama_7b", "mmlu", scores={"accuracy_macro": 0.4}, experiment="runs", curve=curve))
    mine = own_table(tmp_path, "title: Mine\ncolumns:\n- {field: curve_best}\n")
    axes = drawing(make_table(str(tmp_path), "runs", "mine", config_dir=mine), "curve").figure.axes[0]
    assert [round(value, 6) for value in axes.lines[0].get_ydata()] == [30, 35, 32]


def test_names_that_no_font_has_are_one_line_instead_of_matplotlibs_warnings(tmp_path, capfd):
    for method in ("full", "lora"):
        # Private use: no font has it.
        titles = {"method": f"\ue0f0\ue0f1 {method}"}
        save(tmp_path, make_record(method=method, titles=titles, trainable=len(method), scores={"accuracy": 0.5}))
    table = make_table(str(tmp_path), "miniature/glue", "glue")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert "\ue0f0\ue0f1 lora" in as_svg(drawing(table, "score").figure)
        assert capfd.readouterr().err == ""
        write_figures(table, tmp_path / "out")
    lines = capfd.readouterr().err.strip().splitlines()
    assert len(lines) == 1
    assert "\ue0f0\ue0f1" in lines[0]


def of_size(method, budget, trainable, accuracy, seed):
    record = make_record("roberta_base", "glue/rte", method, seed, {"accuracy": accuracy}, experiment="budget/glue",
                         trainable=trainable)  # fmt: skip
    record.cell.config["method"]["budget"] = budget
    record.cell.id += f"-{trainable}"
    return record


def test_equal_sizes_have_a_line_per_method_and_a_hollow_mark_for_its_own(tmp_path):
    sizes = ((None, 3000), ("0.1%", 1000), ("1%", 10_000))
    save(
        tmp_path,
        *(
            of_size(method, budget, kept, 0.5 + 0.1 * (kept > 2000), seed)
            for method in ("lora", "adapter_s") for budget, kept in sizes for seed in (0, 1)
        ),
    )  # fmt: skip
    axes = drawing(make_table(str(tmp_path), "budget/glue", "budget"), "budgets").figure.axes[0]
    assert sorted(texts(axes)) == ["adapter_s", "lora"]
    assert [line.get_xdata()[0] for line in axes.lines if line.get_markerfacecolor() == "none"] == [3000, 3000]
