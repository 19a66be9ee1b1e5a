"""What is published of a machine, in order of value: each stage is worth more to a reader than those after it."""

import importlib.util
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from scripts.publishing.gpu_tests import files_with_gpu_tests

Command = tuple[str, ...]  # what follows the interpreter

SEEDS = "seed=0,1,2"
FORMATS = "format=csv,latex,markdown"
GLUE_TASKS = ("rte", "mrpc", "stsb", "cola", "sst2", "qnli", "mnli", "qqp")  # those with the fewest examples first
MINIATURE_GLUE_TASKS = ("rte", "sst2")  # enough to rehearse with


class Size(StrEnum):
    """The real thing, or its rehearsal on a CPU."""

    full = "full"
    miniature = "miniature"


@dataclass(frozen=True)
class Setting:
    """What the user chose.

    Attributes:
        folder: where the results go; relative to the repository's folder if it lies there, so that records and logs
            name no folder of the machine's.
        size: the models' size.
        data: a mirror of the hub's data sets, as for `data.root`; None: the hub, or its cache.
        roberta: a folder with RoBERTa-base, as for `model.path`; None: the hub, or its cache.
    """

    folder: Path
    size: Size = Size.full
    data: Path | None = None
    roberta: Path | None = None

    @property
    def records(self) -> str:
        """The results folder of all cells."""
        return f"results_dir={self.folder / 'records'}"


@dataclass(frozen=True)
class Stage:
    """One measurement.

    Attributes:
        name: in the state, the summary and the name of the log.
        title: what is measured.
        value: why somebody would want to know.
        commands: run in turn; the stage is done when all have ended with 0.
        tables: run after them, however they ended: they show what there is.
        trial: asks whether it is possible here at all; exit code 2 says no, and why in its last line.
        lacks: why it is not possible here, where that is known without a trial.
    """

    name: str
    title: str
    value: str
    commands: tuple[Command, ...]
    tables: tuple[Command, ...] = ()
    trial: Command | None = None
    lacks: str | None = None


def stages_of(setting: Setting, scratch: Path) -> list[Stage]:
    """All stages, those of most value first.

    Args:
        setting: what the user chose.
        scratch: a folder for what need not be kept.
    """
    return [_gpu_tests(), *_memory(setting), *_trainer(setting), _mmlu(setting), *_glue(setting, scratch)]


def _gpu_tests() -> Stage:
    return Stage(
        "gpu-tests", "the tests marked gpu", "whether what is measured below can be believed",
        (("-m", "pytest", "-m", "gpu", "-q", "-p", "no:cacheprovider", *files_with_gpu_tests()),),
    )  # fmt: skip


def _memory(setting: Setting) -> list[Stage]:
    """The survey's Table VII, with random weights: family by family, the small models first."""
    rest: Command
    if setting.size == Size.full:
        experiment, rest = "survey/memory", ()
        families = {"roberta": "roberta_base,roberta_large", "t5": "t5_base,t5_large", "llama": "llama_7b,llama_13b"}
    else:
        experiment = "miniature/memory"
        rest = ("method=full,lora", "training.max_steps=6", "predict_memory=true", "measure_inference=true")
        families = {name: f"miniature/{name}" for name in ("roberta", "t5", "llama")}
    tables = tuple(
        ("-m", "bench", "table", f"experiment={experiment}", f"definition={definition}", setting.records, FORMATS,
         f"out={setting.folder / 'tables' / definition}")
        for definition in ("memory", "speed", "inference")
    )  # fmt: skip
    return [
        Stage(
            f"memory-{family}", f"peak memory, its parts, its prediction, step times: {models}",
            "the survey's table of memory at true size, and whether `bench plan` can be relied on",
            (("-m", "bench", "sweep", f"experiment={experiment}", f"model={models}", setting.records, *rest),), tables,
        )
        for family, models in families.items()
    ]  # fmt: skip


def _trainer(setting: Setting) -> list[Stage]:
    if setting.size == Size.full:
        cells = {"roberta": ("roberta_lora", "roberta_full"), "t5": ("t5_lora",), "llama": ("llama_1b_lora",)}
        lengths = {"roberta": (5, 60), "t5": (5, 60), "llama": (3, 20)}  # rounds, steps of each
    else:
        cells = {"roberta": ("miniature",), "t5": ("miniature_t5",), "llama": ("miniature_llama",)}
        lengths = dict.fromkeys(cells, (1, 3))
    return [
        Stage(
            f"trainer-{family}", f"our training loop against transformers' Trainer: {', '.join(names)}",
            "whether step times are the methods', not the harness's",
            (("-m", "scripts.compare_trainer", "--cells", *names, "--rounds", str(lengths[family][0]),
              "--steps", str(lengths[family][1])),),
        )
        for family, names in cells.items()
    ]  # fmt: skip


def _mmlu(setting: Setting) -> Stage:
    lacks = None
    if importlib.util.find_spec("lm_eval") is None:
        lacks = "lm-eval is not installed: pip install -e '.[lm-eval]'"
    if setting.size == Size.full:
        if setting.data is None or not (setting.data / "cais" / "mmlu" / "all").is_dir():
            lacks = "no questions at hand: DATA=FOLDER with cais/mmlu/all"
        source: Command = ("--data", str(setting.data), "--layers", "22", "--hidden", "2048")
    else:
        source = ("--miniature", "--model", "bench/miniature/backbones/llama", "--subjects", "sociology",
                  "--questions", "4", "--rounds", "1")  # fmt: skip
    return Stage(
        "mmlu", "our few-shot scoring against lm-evaluation-harness", "whether scores of MMLU mean what others mean",
        (("-m", "scripts.compare_mmlu", *source),), lacks=lacks,
    )  # fmt: skip


def _glue(setting: Setting, scratch: Path) -> list[Stage]:
    """The survey's Table III for RoBERTa-base, task by task, three seeds of each cell."""
    model: Command
    rest: Command
    tasks: tuple[str, ...]
    if setting.size == Size.full:
        experiment, prefix, tasks = "survey/glue", "glue", GLUE_TASKS
        model = ("model=roberta_base",)
        rest = ("save_trained=false",)
        rest += (f"data.root={setting.data}",) if setting.data is not None else ()
        rest += (f"model.path={setting.roberta}",) if setting.roberta is not None else ()
    else:
        experiment, prefix, tasks = "miniature/glue", "miniature", MINIATURE_GLUE_TASKS
        model = ("model=miniature/roberta",)
        rest = ("save_trained=false", "method=lora", "training.max_steps=4", "data.limit_train=64",
                "data.limit_evaluation=32")  # fmt: skip
    short = ("training.max_steps=1", "data.limit_train=32", "data.limit_evaluation=8", f"results_dir={scratch}")
    table = ("-m", "bench", "table", f"experiment={experiment}", "interval=true", setting.records, FORMATS,
             f"out={setting.folder / 'tables' / 'glue'}")  # fmt: skip
    return [
        Stage(
            f"glue-{task}", f"GLUE's {task}, three seeds of every method", "the survey's comparison on real data",
            (("-m", "bench", "sweep", f"experiment={experiment}", *model, f"task={prefix}/{task}", SEEDS,
              setting.records, *rest),),
            (table,),
            ("-m", "bench", "run", *model, f"task={prefix}/{task}", *rest, "method=bitfit", *short),
        )
        for task in tasks
    ]  # fmt: skip
