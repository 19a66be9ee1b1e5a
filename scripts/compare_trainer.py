"""Our training loop against transformers' Trainer: same cell, same examples, same machine, taking turns in one run.

    python scripts/compare_trainer.py [--cells roberta_lora roberta_full t5_lora …] [--rounds 5] [--steps 60]

Without --cells: on a GPU these three, with random weights and random tokens of real lengths, at the survey's batch size
and length; on a CPU the miniature with its own data. llama_1b_lora is LLaMA-7B's architecture, narrower and with fewer
layers, in the survey's micro-batches but without checkpointing, which the Trainer would have to be told of. The Trainer
has its best ordinary settings: fused AdamW, the same precision, losses read every ten steps, no evaluation, nothing
saved; --trainer-grouped gives it batches of similar lengths too, as our loop has. Each round goes once through all
examples on either side, with a model of its own. The clock starts when everything is set up and stops when the device
has finished. The last line is ours over theirs in speed, the slowest cell's: above 1 is faster.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from transformers import PrinterCallback, Trainer, TrainerCallback, TrainingArguments

import bench.system.quiet  # noqa: F401  # before the libraries that it silences
from bench.configuration.cell import Cell
from bench.configuration.compose import Configurations, build
from bench.configuration.schema import Family, Precision
from bench.metering.memory import peak_and_reset
from bench.metering.phases import PhaseMeter
from bench.metering.time import StepClock
from bench.methods.base import Method
from bench.models.head import head_parameters
from bench.running.preparation import Prepared, load_adapted, prepare
from bench.running.runner import _accelerator
from bench.tasks.build import task_of
from bench.training.batches import token_count
from bench.training.loop import batches_of, train
from bench.training.losses import Losses
from bench.training.optimiser import make_optimiser, make_schedule

RANDOM = ("model.weights=random", "data.synthetic=true", "data.synthetic_shortest=12")
CELLS = {
    "roberta_lora": ("model=roberta_base", "task=glue/cola", "method=lora", *RANDOM),
    "roberta_full": ("model=roberta_base", "task=glue/cola", "method=full", *RANDOM),
    "t5_lora": ("model=t5_base", "task=wmt16", "method=lora", *RANDOM),
    "llama_1b_lora": (
        "model=llama_7b", "model.architecture.hidden_size=2048", "model.architecture.num_hidden_layers=22",
        "model.architecture.num_attention_heads=16", "model.architecture.intermediate_size=5504", "task=mmlu",
        "method=lora", "training.gradient_checkpointing=false", *RANDOM,
    ),
    "miniature": ("model=miniature/roberta", "task=miniature/sst2", "method=lora"),
    "miniature_bf16": ("model=miniature/roberta", "task=miniature/sst2", "method=lora", "model.dtype=bfloat16"),
    "miniature_t5": ("model=miniature/t5", "task=miniature/wmt16", "method=lora"),
    "miniature_llama": ("model=miniature/llama", "task=miniature/mmlu", "method=lora"),
}  # fmt: skip
LOG_EVERY = 10


@dataclass(frozen=True)
class Round:
    """One side's way through all examples: seconds on the clock, and the peak of memory in bytes."""

    seconds: float
    peak: int


class Contest:
    """One cell, prepared once; every round loads and adapts a model of its own."""

    def __init__(self, cell: Cell, device: torch.device) -> None:
        self.cell, self.device = cell, device
        self.method = build(cell.config["method"], Method)
        task = task_of(cell)
        self.prepared: Prepared = prepare(cell, task, self.method, PhaseMeter(self.device), self.device)
        self.examples = list(self.prepared.data.train)
        self.steps = -(-len(self.examples) // cell.training.batch_size)
        with_targets = self.prepared.setting.family == Family.encoder_decoder
        self.tokens = sum(token_count(self.prepared.padding([row]), with_targets) for row in self.examples)

    def ours(self) -> Round:
        """Through `bench.training.loop.train`."""
        cell, setting, training = self.cell, self.prepared.setting, self.cell.training
        model: Any = self.prepared.arithmetic.wrap(load_adapted(cell, self.method, self.prepared, self.device)[0])
        head = {name for name, _ in head_parameters(model, setting.structure)}
        optimiser = make_optimiser(model, self.method, head, training)
        pin = self.device.type == "cuda"
        self._start()
        train(
            model, self.method, batches_of(self.examples, self.prepared.batching, training, cell.seed, pin=pin),
            optimiser=optimiser,
            schedule=make_schedule(optimiser, training, self.steps), training=training, total_steps=self.steps,
            family=setting.family, arithmetic=self.prepared.arithmetic, clock=StepClock(self.device), losses=Losses(),
            evaluate=lambda _: None, progress=lambda *_: None, checkpoint=lambda _: None,
        )  # fmt: skip
        return self._stop()

    def theirs(self, grouped: bool) -> Round:
        """Through transformers' Trainer."""
        training = self.cell.training
        model = load_adapted(self.cell, self.method, self.prepared)[0]
        clock = _Clock(self._start, self._stop)
        with tempfile.TemporaryDirectory() as folder:
            options = TrainingArguments(
                output_dir=folder, per_device_train_batch_size=training.micro_batch_size or training.batch_size,
                gradient_accumulation_steps=training.accumulation, num_train_epochs=1, seed=self.cell.seed,
                learning_rate=training.learning_rate, lr_scheduler_type="linear", weight_decay=training.weight_decay,
                adam_beta2=training.beta2, adam_epsilon=training.epsilon,
                max_grad_norm=training.max_grad_norm or 0.0, optim="adamw_torch_fused",
                bf16=self.prepared.arithmetic.precision == Precision.bf16, use_cpu=self.device.type == "cpu",
                logging_steps=LOG_EVERY, save_strategy="no", eval_strategy="no", report_to=[], disable_tqdm=True,
                remove_unused_columns=False, train_sampling_strategy="group_by_length" if grouped else "random",
            )  # fmt: skip
            trainer = Trainer(
                model=model, args=options, train_dataset=self.examples, data_collator=self.prepared.padding,
                callbacks=[clock],
            )  # fmt: skip
            trainer.remove_callback(PrinterCallback)
            trainer.train()
        assert clock.round is not None
        return clock.round

    def _start(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        peak_and_reset(self.device)
        self._began = time.perf_counter()

    def _stop(self) -> Round:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        seconds = time.perf_counter() - self._began
        peak = peak_and_reset(self.device)
        return Round(seconds, (peak.peak_rss if peak.peak_allocated is None else peak.peak_allocated) or 0)


class _Clock(TrainerCallback):
    """Starts when the Trainer has set everything up, stops after its last step."""

    def __init__(self, start: Callable[[], None], stop: Callable[[], Round]) -> None:
        self._start, self._stop = start, stop
        self.round: Round | None = None

    def on_train_begin(self, *_: Any, **__: Any) -> None:
        self._start()

    def on_train_end(self, *_: Any, **__: Any) -> None:
        self.round = self._stop()


def main() -> None:
    """Let both sides run each cell, and print what came out."""
    options = arguments()
    if options.threads:
        torch.set_num_threads(options.threads)
    names = options.cells or (
        ["roberta_lora", "roberta_full", "t5_lora"] if torch.cuda.is_available() else ["miniature"]
    )
    ratios = [compare(name, options) for name in names]
    print(f"ratio: {min(ratios):.2f}")


def compare(name: str, options: argparse.Namespace) -> float:
    """Run one cell on both sides, in turns; returns the median of the rounds' ratios."""
    with Configurations() as configurations:
        cell = configurations.cell([*CELLS[name], f"training.log_every={LOG_EVERY}"])
        limit = options.steps * cell.training.batch_size
        cell = configurations.cell([*CELLS[name], f"training.log_every={LOG_EVERY}", f"data.limit_train={limit}"])
    contest = Contest(cell, _accelerator(cell).device)
    length = contest.tokens / len(contest.examples)
    print(
        f"{name}: {contest.steps} steps of {cell.training.batch_size} examples, {length:.0f} tokens each, "
        f"on {contest.device}, {torch.get_num_threads()} threads"
    )
    ours, theirs = [], []
    for number in range(options.rounds + 1):
        pair = contest.ours(), contest.theirs(options.trainer_grouped)
        if number:  # the first round warms both sides up
            ours.append(pair[0])
            theirs.append(pair[1])
    report("ours", contest, ours)
    report("Trainer, grouped by length" if options.trainer_grouped else "Trainer", contest, theirs)
    ratios = [their.seconds / our.seconds for our, their in zip(ours, theirs, strict=True)]
    median = statistics.median(ratios)
    print(f"  ratio {median:.2f}, from {min(ratios):.2f} to {max(ratios):.2f} over {len(ratios)} rounds")
    return median


def report(side: str, contest: Contest, rounds: list[Round]) -> None:
    """One line for one side: medians over its rounds."""
    seconds = statistics.median(each.seconds for each in rounds)
    print(
        f"  {side}: {contest.steps / seconds:.2f} steps/s, {contest.tokens / seconds:.0f} tokens/s, "
        f"peak {max(each.peak for each in rounds) / 1e9:.2f} GB"
    )


def arguments() -> argparse.Namespace:
    """What the user asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cells", nargs="+", choices=list(CELLS))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=60, help="in each round")
    parser.add_argument("--trainer-grouped", action="store_true", help="let the Trainer group by length too")
    parser.add_argument("--threads", type=int, default=0, help="of torch; default: its own choice")
    return parser.parse_args()


if __name__ == "__main__":
    main()
