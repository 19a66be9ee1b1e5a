"""One attempt at training a tiny model, by the harness's own `fit`; several tests kill, resume or spread it."""

import time
from dataclasses import replace

import torch
from accelerate import Accelerator

from bench.data.example import Padding
from bench.distributed.spread import spread
from bench.metering.phases import PhaseMeter
from bench.models.sharded import whole
from bench.records.schema import CellIdentity, Metrics, Record, Status
from bench.running.fitting import fit
from bench.running.preparation import Prepared
from bench.running.run import Run, silent
from bench.running.scores import Best, Scores
from bench.tasks.base import TaskData
from bench.training.arithmetic import Arithmetic
from bench.training.padding_free import PaddingFree
from tests.tiny import VOCABULARY, Adapted, settings_of, tiny_model

STEPS = 12  # epochs are of five steps, the last of one example only
DROPOUT = {
    "encoder": {"hidden_dropout_prob": 0.1, "attention_probs_dropout_prob": 0.1},
    "encoder_decoder": {"dropout_rate": 0.1},
    "decoder": {"attention_dropout": 0.1},
}


class Killed(BaseException):
    """Stands for a SIGKILL."""


class Fitted:
    """One attempt; dies before the checkpoint of `killed_at`."""

    def __init__(self, cell, folder, name, family, *, killed_at=None, dropout=True, way="none", **training):
        settings = settings_of(name) if dropout else without_dropout(settings_of(name))
        base = tiny_model(family, name == "qlora", **(DROPOUT[family] if dropout else {}))
        adapted = Adapted(settings, family, base=base, total_steps=STEPS)
        self.model, self.method = adapted.model, adapted.method
        accelerator = Accelerator(cpu=True)
        self.record = Record(CellIdentity.of(cell), Status.failed, {"shrunk": []}, metrics=Metrics("accuracy"))
        self.folder, self.seen = folder, []
        folder.mkdir(exist_ok=True)
        settings = {
            "batch_size": 4, "micro_batch_size": 2, "learning_rate": 1e-2, "log_every": 5, "evaluations": STEPS,
            "weight_decay": 0.1, "warmup": 0.2, "keep_best": True,
        }  # fmt: skip
        meter = PhaseMeter(accelerator.device)
        run = Run(
            cell=with_training(cell, settings | training), folder=folder, report=silent, accelerator=accelerator,
            meter=meter, record=self.record,
            begin=time.perf_counter(),
        )  # fmt: skip
        arithmetic = Arithmetic(run.cell.training.precision, run.device)
        data = TaskData(examples(family), {})
        prepared = Prepared(
            base=run.cell.base, architecture=None, arithmetic=arithmetic, data=data, padding=Padding(0), inference=None,
            setting=adapted.setting, head=None, structure=None,
            padding_free=PaddingFree(used=training.get("padding_free") is True, why="asked for"),
        )  # fmt: skip
        self.record.environment["arithmetic"] = prepared.number_types
        self.best = Best(self.method, keep=True)

        def evaluate(step):
            self.seen.append(step)
            score = 1.0 if step == 3 else 0.5
            self.best.offer(self.model, Scores({"accuracy": score}, {}, {"v": [1]}, {"v": [step]}), score)
            self.record.metrics.curve.append({"step": step, "values": {"accuracy": score}})
            if step == killed_at:
                raise Killed

        through = spread(arithmetic.wrap(self.model), adapted.setting.structure, way, accelerator)
        fit(run, self.model, self.method, prepared, best=self.best, evaluate=evaluate, through=through)
        self.parts = meter.train_parts

    def bits(self):
        return {name: whole(p.detach()).clone() for name, p in self.model.named_parameters() if p.requires_grad}


def with_training(cell, settings):
    return replace(cell, config=cell.config | {"training": cell.config["training"] | settings})


def examples(family, count=17):
    generator = torch.Generator().manual_seed(3)

    def tokens(low, high):
        return torch.randint(3, VOCABULARY, (int(torch.randint(low, high, (), generator=generator)),),
                             generator=generator).tolist()  # fmt: skip

    rows = []
    for index in range(count):
        ids = tokens(3, 9)
        labels = {"encoder": index % 2, "encoder_decoder": tokens(2, 5), "decoder": [-100, *ids[1:]]}[family]
        rows.append({"input_ids": ids, "labels": labels})
    return rows


def without_dropout(settings):
    return {
        key: without_dropout(value) if isinstance(value, dict) else 0.0 if key == "dropout" else value
        for key, value in settings.items()
    }


def same(first, second):
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)
