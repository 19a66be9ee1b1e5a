"""Command lines with anything in them: one line and exit code 2 for a mistake, nothing written outside."""

from hypothesis import given, seed
from hypothesis import strategies as st

from tests.fuzz.place import SEED, command, emptied, inputs
from tests.tables.made_records import make_record, save

READING = ["table", "table", "reference", "doctr", "", "-x"]
KEYS = [
    "experiment", "results_dir", "out", "format", "definition", "statistic", "interval", "level", "compare", "only",
    "seed", "model", "task", "method", "training", "training.learning_rate", "training.epochs", "experiment.name",
    "data.root", "+x", "~seed", "method.r", "peft.type", "hydra/launcher", "workers", "timeout", "",
]  # fmt: skip
VALUES = [
    "", " ", "..", "../x", "../../escape", "/", ".", "~", "-1", "0", "1", "1e400", "nan", "null", "true", "[1]",
    "{a:1}", "[", "${x}", "${oc.env:HOME}", "a,b", "a=b", "'", '"', "\x1b[2J", "\u202e", "x" * 300, "\x00",
    "miniature/glue", "runs", "lora", "csv", "json", "miniature/roberta", "miniature/sst2",
    "../model/miniature/roberta", "done",
]  # fmt: skip
VALUE = st.sampled_from(VALUES) | st.text(max_size=6)
SETTING = st.tuples(st.sampled_from(KEYS) | st.text(max_size=4), VALUE).map("=".join)
WORD = SETTING | st.sampled_from(["--config-dir", "--config-dir=", "-m", "--", "x", "=", "--config-dir=nowhere"])
# Of a cell that runs: -m would start workers of its own, and results go where they are told to.
ALONE = WORD.filter(lambda word: word != "-m" and not word.startswith("results_dir="))
RIGHT = st.sampled_from(["seed=3", "training.log_every=1", "training.learning_rate=1e-3", "force=true", "device=cpu"])
SMALL = (
    "model=miniature/roberta", "model.weights=random", "task=miniature/sst2", "method=bitfit", "training.max_steps=1",
    "data.limit_train=32", "data.limit_evaluation=4",
)  # fmt: skip


@seed(SEED)
@inputs(120)
@given(name=st.sampled_from(READING), words=st.lists(WORD, max_size=4))
def test_commands_that_read_records(name, words, capsys, tmp_path):
    with emptied(tmp_path) as place:
        save(place / "results", make_record())
        command(capsys, place, name, *words)


@seed(SEED)
@inputs(8)
@given(name=st.sampled_from(["findings", "report"]), words=st.lists(WORD, max_size=2))
def test_commands_that_read_everything(name, words, capsys, tmp_path):
    with emptied(tmp_path) as place:
        save(place / "results", make_record())
        command(capsys, place, name, *words)


@seed(SEED)
@inputs(50)
@given(name=st.sampled_from(["status", "sweep", "show"]), words=st.lists(WORD, max_size=3))
def test_commands_that_compose(name, words, capsys, tmp_path):
    with emptied(tmp_path) as place:
        (place / "results").mkdir()
        own = {"sweep": ["dry_run=true", "experiment=miniature/glue"], "status": ["experiment=miniature/glue"]}
        model = ["model=miniature/roberta", "task=miniature/sst2", "method=lora"]
        command(capsys, place, name, *own.get(name, []), *model, *words)


@seed(SEED)
@inputs(20)
@given(words=st.lists(ALONE | RIGHT, max_size=2))
def test_a_cell_that_runs(words, capsys, tmp_path):
    with emptied(tmp_path) as place:
        command(capsys, place, "run", *SMALL, *words)


@seed(SEED)
@inputs(20)
@given(words=st.lists(WORD | RIGHT, max_size=2))
def test_a_plan(words, capsys, tmp_path):
    with emptied(tmp_path) as place:
        command(capsys, place, "plan", *SMALL, *words)


@seed(SEED)
@inputs(30)
@given(words=st.lists(WORD, min_size=1, max_size=4))
def test_fetching(words, capsys, tmp_path):
    with emptied(tmp_path) as place:
        command(capsys, place, "fetch", "experiment=miniature/glue", *words)
