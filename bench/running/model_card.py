"""The model card of what a cell has trained: what it is, what it scores, what it was made of, and by which command."""

import json
import shlex
from pathlib import Path
from typing import Any

import numpy as np
from huggingface_hub import ModelCardData

from bench.configuration.cell import hash_of
from bench.configuration.origins import COMMAND_LINE, leaves
from bench.configuration.schema import Family
from bench.records.schema import Record, RecordError, Status
from bench.records.store import FILE, read_record
from bench.running.trained import TrainedCell
from bench.tables.statistics.summary import bootstrap_interval

CARD = "README.md"
LIBRARIES = {"peft": "peft", "merged": "transformers", "state": "bench"}
CONTENT = {
    "peft": "Only what was trained is in here, in the peft library's format.",
    "merged": "What was trained is folded into the base's weights: a whole model, with its tokenizer.",
    "state": "Only what was trained is in here, in the tensors of the benchmark's own method.",
}
CHOICES = ("model", "task", "method")  # named by their files on a command line
UNSAID = (
    "results_dir",
    "device",
    "threads",
    "tracker",
    "tracker_dir",
    "force",
)  # of a command line, what decides nothing
OPEN = "*to be filled in by whoever publishes this*"
LOADING = {
    "peft": """\
from peft import PeftModel
from transformers import {auto}

base = {auto}.from_pretrained({base}{labels})
model = PeftModel.from_pretrained(base, "FOLDER").eval()""",
    "merged": """\
from transformers import {auto}, AutoTokenizer

model = {auto}.from_pretrained("FOLDER").eval()
tokenizer = AutoTokenizer.from_pretrained("FOLDER")""",
    "state": """\
import bench

model = bench.load("FOLDER/record.json")""",
}


def card_of(found: TrainedCell, path: Path, form: str, command: str) -> str:
    """The card in Markdown, with the hub's fields in front; licences are left open."""
    record, config = found.record, found.cell.config
    base, method, task = config["model"], config["method"], config["task"]
    head = bool(found.base.structure.head)
    data = ModelCardData(
        base_model=base["hub"], library_name=LIBRARIES[form], pipeline_tag=_pipeline(found), tags=["peft-benchmark"],
    )  # fmt: skip
    parts = [
        f"---\n{data.to_yaml()}\n---",
        f"# {base['title']}, {method['title']}, {task['title']}",
        f"{base['title']} fine-tuned with {method['title']} ({method['paper'] or 'no paper'}) on {task['title']}"
        f"{' with a task head' if head else ''}. {CONTENT[form]}",
        "## Scores\n\n" + _scores(record, path),
        "## Use\n\n```python\n" + _loading(found, form) + "\n```\n\n" + _base(found),
        "## Data\n\n" + _data(record),
        "## Licence\n\n" + f"- of this: {OPEN}\n- of the base: {OPEN}\n- of the data: {OPEN}",
        "## Settings\n\n" + _settings(config),
        "## Made by\n\n```\n" + "\n".join(filter(None, (run_command(record), command))) + "\n```\n\n" + _where(record),
    ]
    return "\n\n".join(parts) + "\n"


def run_command(record: Record) -> str:
    """The command line that runs the cell again: its model, task, method and seed, and what was said besides."""
    config, cell = record.cell.config, record.cell
    values = dict(leaves(config))
    said = {key: values[key] for key, origin in record.origins.items() if key in values and _is_said(key, origin)}
    words = [f"{choice}={getattr(cell, choice)}" for choice in CHOICES] + [f"seed={cell.seed}"]
    words += [f"{key}={_word(value)}" for key, value in said.items()]
    return "bench run " + " ".join(shlex.quote(word) for word in words)


def _is_said(key: str, origin: str) -> bool:
    """Whether a value came from outside of the files that model, task and method name."""
    from_experiment = origin.startswith("experiment/") and not key.startswith("experiment.")
    return (origin == COMMAND_LINE or from_experiment) and key not in ("seed", *UNSAID)


def _word(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value).replace('"', "")


def _scores(record: Record, path: Path) -> str:
    assert record.metrics is not None, "the cell is done"
    metrics, seeds = record.metrics, _of_other_seeds(record, path)
    rows = ["| Metric | This model | Over seeds | Bootstrap 95 % |", "|---|---|---|---|"]
    for name, value in metrics.values.items():
        values = np.array([one for record in seeds if (one := _value(record, name)) is not None])
        interval = bootstrap_interval(values)
        over = f"{values.mean():.4f} (n = {len(values)})" if len(values) > 1 else "–"
        between = "–" if interval is None else f"{interval[0]:.4f} to {interval[1]:.4f}"
        rows.append(f"| {name} | {'–' if value is None else f'{value:.4f}'} | {over} | {between} |")
    splits = metrics.notes.get("scored_on", {}).get("splits", [])
    counts = ", ".join(f"{name}: {metrics.examples.get(name, '?')} rows" for name in splits)
    said = [f"- {line}" for line in record.warnings]
    if len(seeds) < 2:
        said.append("- There is one seed: nothing says how far another would be.")
    return "\n".join([*rows, "", f"Scored on {counts or 'nothing'}.", *said])


def _value(record: Record, name: str) -> float | None:
    return None if record.metrics is None else record.metrics.values.get(name)


def _of_other_seeds(record: Record, path: Path) -> list[Record]:
    """The records beside this one, this one included, that differ in nothing but the seed."""
    cell, folder = record.cell, path.resolve().parent
    prefix, found = cell.id.rpartition(f"-s{cell.seed}-")[0], [record]
    for other in sorted(folder.parent.glob(f"{prefix}-s*-*")):
        if other == folder or not (other / FILE).is_file():
            continue
        try:
            read = read_record(other / FILE)
        except RecordError:
            continue  # of no use here; tables say what is wrong with it
        if read.status == Status.done and _without_seed(read) == _without_seed(record):
            found.append(read)
    return found


def _without_seed(record: Record) -> str:
    config = record.cell.config
    return hash_of({key: config[key] for key in ("model", "task", "method", "training", "data")})


def _loading(found: TrainedCell, form: str) -> str:
    architecture, base = found.base.architecture, found.cell.config["model"]
    labels = f", num_labels={architecture.num_labels}" if found.base.structure.head else ""
    return LOADING[form].format(auto=_auto(found), base=json.dumps(base["hub"] or "THE BASE'S FOLDER"), labels=labels)


def _base(found: TrainedCell) -> str:
    base, weights = found.cell.config["model"], found.record.fingerprints.get("weights") or {}
    revision = weights.get("revision") or base["revision"]
    where = f"`{base['hub']}`" + (f" at revision `{revision}`" if revision else "") if base["hub"] else base["title"]
    return (
        f"The base: {where}, weights with the fingerprint `{weights.get('digest')}`, values in {found.setting.dtype}"
        f"{'' if found.setting.quantisation == 'none' else f', stored in {found.setting.quantisation}'}."
    )


def _auto(found: TrainedCell) -> str:
    if found.base.structure.head:
        return "AutoModelForSequenceClassification"
    is_decoder = found.base.config.family == Family.decoder
    return "AutoModelForCausalLM" if is_decoder else "AutoModelForSeq2SeqLM"


def _pipeline(found: TrainedCell) -> str:
    return "text-classification" if found.base.structure.head else "text-generation"


def _data(record: Record) -> str:
    assert record.metrics is not None, "the cell is done"
    rows = [f"- {name}: {count} rows" for name, count in record.metrics.examples.items()]
    prints: Any = record.fingerprints.get("data") or {}
    rows += [f"- `{name}`, fingerprint `{one.get('digest')}`" for name, one in prints.items() if isinstance(one, dict)]
    return "\n".join(rows)


def _settings(config: dict[str, Any]) -> str:
    shown = {key: {k: v for k, v in config[key].items() if k != "components"} for key in ("method", "training")}
    return f"```json\n{json.dumps(shown, indent=1, ensure_ascii=False, default=str)}\n```"


def _where(record: Record) -> str:
    said, parameters = record.environment, record.parameters
    libraries = ", ".join(f"{name} {version}" for name, version in said.get("libraries", {}).items() if version)
    counted = "" if parameters is None else f" Trained: {parameters.trainable:,} values, head {parameters.head:,}."
    on = said.get("accelerator") or said.get("cpu") or "an unknown processor"
    return f"On {on} with {libraries}.{counted}"
