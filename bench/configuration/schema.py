"""The schema of a cell's configuration: every key, type and default of a cell stands here once.

These dataclasses are Hydra's structured configs: `bench.configuration.compose` checks each composed configuration
against them. This file imports neither torch nor transformers.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from omegaconf import MISSING

from bench.configuration.ranges import NOT_NEGATIVE, check_number, check_section
from bench.errors import UserError


class Family(StrEnum):
    """The three kinds of pretrained language models that the harness knows."""

    encoder = "encoder"
    encoder_decoder = "encoder_decoder"
    decoder = "decoder"


class Weights(StrEnum):
    """Where a model's values come from: its checkpoint, or the initialiser (exact architecture, no download)."""

    pretrained = "pretrained"
    random = "random"


class HeadWeights(StrEnum):
    """What a task head starts from: the cell's seed, or the head that the checkpoint brings, which has to fit."""

    fresh = "fresh"
    checkpoint = "checkpoint"


class Schedule(StrEnum):
    """How the learning rate falls after the warm-up."""

    linear = "linear"
    constant = "constant"
    cosine = "cosine"


class Dtype(StrEnum):
    """The type of the frozen base's values; auto: the one that its checkpoint is stored in."""

    float32 = "float32"
    bfloat16 = "bfloat16"
    float16 = "float16"
    auto = "auto"


class Precision(StrEnum):
    """The arithmetic of the forward and backward pass; the 16-bit ones are autocast, which keeps sums in fp32."""

    auto = "auto"  # what goes with model.dtype
    fp32 = "fp32"
    tf32 = "tf32"  # products of 10-bit mantissas, NVIDIA's since Ampere
    bf16 = "bf16"
    fp16 = "fp16"  # with a scaled loss; steps whose gradients overflow are left out, and counted in the record


class Optimiser(StrEnum):
    """What makes steps of gradients; the 8-bit and paged ones and Lion are bitsandbytes'."""

    adamw = "adamw"
    adamw_8bit = "adamw_8bit"
    paged_adamw = "paged_adamw"  # its state can be paged out to the host's memory
    paged_adamw_8bit = "paged_adamw_8bit"
    adafactor = "adafactor"
    lion = "lion"
    sgd = "sgd"  # with beta1 as momentum


class Quantisation(StrEnum):
    """How the frozen base is stored: as it is, in bitsandbytes' 4-bit NormalFloat, or as LLM.int8() has it."""

    none = "none"
    nf4 = "nf4"
    int8 = "int8"


class AttentionKind(StrEnum):
    """How attention is computed; the results agree up to rounding, memory and time do not."""

    auto = "auto"  # the best that machine, model and method allow: flash_attention_2, else sdpa, else eager
    sdpa = "sdpa"  # by torch's scaled_dot_product_attention, fused where there is a kernel for it
    eager = "eager"  # product, softmax, product: the scores of all pairs of tokens are written out, and kept
    flash_attention_2 = "flash_attention_2"  # the package flash-attn's; 16 bits, GPUs since Ampere, padding left out
    flex = "flex"  # torch's flex_attention, compiled for the mask; on GPUs, without dropout


class ScoreOn(StrEnum):
    """Which rows are scored: those that tables report, or others, so that choosing settings never sees these."""

    reported = "reported"
    selection = "selection"  # the task's validation split beside a test split, else a share of its training rows


@dataclass
class ModelConfig:
    """One pretrained model; exactly one of `hub`, `path` and `shipped` says where its files are (`path` wins)."""

    name: str = MISSING  # as records know it
    title: str = MISSING  # as tables print it
    family: Family = MISSING  # which decides how it answers, and what a method takes of it
    hub: str | None = None  # repository on the Hugging Face hub
    revision: str | None = None  # commit or tag on the hub
    path: str | None = None  # local folder with config.json, safetensors and tokenizer
    shipped: str | None = None  # backbone inside the package
    architecture: dict[str, Any] = field(default_factory=dict)  # transformers', to count and for random weights
    weights: Weights = Weights.pretrained  # random: for efficiency alone
    head: HeadWeights = HeadWeights.fresh  # of a task head; language models have none
    dtype: Dtype = Dtype.float32  # of the frozen base; what is trained is kept in fp32
    quantisation: Quantisation = Quantisation.none  # of the blocks' linear layers
    double_quantisation: bool = True  # of nf4: the scales of the blocks are quantised too
    compute_dtype: Dtype = Dtype.bfloat16  # of nf4: what the weights are unpacked to for each product
    int8_threshold: float = 6.0  # of int8: columns of inputs with such a value are computed in 16 or 32 bits; 0: none
    attention: AttentionKind = AttentionKind.sdpa  # how it is computed
    structure: Any = None  # where its parts are, of a type that is not known, or "discover"; docs/models.md
    allow_pickle: bool = False  # pickle checkpoints can run code when they are read

    def __post_init__(self) -> None:
        self.family, self.weights = Family(self.family), Weights(self.weights)
        self.head = HeadWeights(self.head)
        self.dtype, self.compute_dtype = Dtype(self.dtype), Dtype(self.compute_dtype)
        if self.compute_dtype == Dtype.auto:
            raise UserError("model.compute_dtype=auto: say float32, bfloat16 or float16")
        self.quantisation, self.attention = Quantisation(self.quantisation), AttentionKind(self.attention)
        check_section("model", vars(self))


@dataclass
class TrainingConfig:
    """How a cell is trained. Lengths in tokens, learning rates per optimizer step."""

    batch_size: int = 32  # examples per optimizer step
    micro_batch_size: int | None = None  # examples per backward pass; null: the whole batch at once
    max_length: int = 128  # longer inputs are truncated
    epochs: float = 3.0  # passes over the training rows, parts of one too
    max_steps: int | None = None  # stops earlier than `epochs`; trial runs only
    learning_rate: float = 1e-4  # the highest, behind the warm-up
    head_learning_rate: float | None = None  # of the task head; null: the same as learning_rate
    schedule: Schedule = Schedule.linear  # to zero at the last step, but for constant
    warmup: float = 0.0  # share of the optimizer steps
    weight_decay: float = 0.0  # biases and norms are spared
    # What the learning rate is multiplied with, by kind of parameter (weight, bias, norm, embedding, head) or by a part
    # of its name (lora_B).
    rate_multipliers: dict[str, float] = field(default_factory=dict)
    weight_decays: dict[str, float] = field(default_factory=dict)  # likewise: in place of weight_decay
    optimiser: Optimiser | None = None  # null: the method's own, AdamW for most
    beta1: float = 0.9  # of the gradients' running mean
    beta2: float = 0.999  # of that of their squares
    epsilon: float = 1e-8  # beside the root that a step is divided by
    max_grad_norm: float | None = 1.0  # gradients are clipped to this norm; null: they are not
    precision: Precision = Precision.auto  # of the arithmetic, not of what is kept
    master_weights: bool = True  # keep what is trained in fp32; false: in model.dtype, which loses small updates
    gradient_checkpointing: bool = False  # activations are computed again for the backward pass
    compile: bool = False  # torch.compile of the blocks, for training; evaluation runs them as they are
    length_grouped: bool = True  # batches of similar lengths: less padding
    # auto | true | false: a micro-batch is one row of texts, one behind the other; auto: with flash_attention_2.
    padding_free: bool | str = "auto"
    evaluations: int = 1  # how many times, evenly spread, the validation split is scored; the last is at the end
    keep_best: bool = False  # score the best of these evaluations on the test split, instead of the last state
    evaluation_batch_size: int = 64  # examples at a time, at most
    evaluation_tokens: int = 32768  # padded tokens at a time, at most: shared prefixes, new tokens and beams counted
    log_every: int = 10  # optimizer steps between two readings of the loss
    # The study that chose these settings, as `bench tune` writes it; empty: none did. Is no part of a cell's identity.
    chosen_by: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Check the ranges; structured configs check the types."""
        self.schedule, self.precision = Schedule(self.schedule), Precision(self.precision)
        self.optimiser = None if self.optimiser is None else Optimiser(self.optimiser)
        check_section("training", vars(self))
        if self.padding_free not in (True, False, "auto"):
            raise UserError(f"training.padding_free={self.padding_free} must be auto, true or false")
        for name, factor in self.rate_multipliers.items():
            check_number(f"training.rate_multipliers.{name}", factor, NOT_NEGATIVE)
        for name, decay in self.weight_decays.items():
            check_number(f"training.weight_decays.{name}", decay, NOT_NEGATIVE)
        if self.batch_size % (self.micro_batch_size or self.batch_size):
            raise UserError(f"training.micro_batch_size={self.micro_batch_size} must be a divisor of {self.batch_size}")

    @property
    def accumulation(self) -> int:
        """Backward passes per optimizer step."""
        return self.batch_size // (self.micro_batch_size or self.batch_size)


@dataclass
class DataConfig:
    """Where the data come from and how much of them is used."""

    root: str | None = None  # a local mirror of the hub's repositories; null: the hub or its cache
    limit_train: int | None = None  # first rows only; trial runs
    limit_evaluation: int | None = None  # likewise, of the rows that are scored
    any_size: bool = False  # take splits with other than the published number of rows
    synthetic: bool = False  # random tokens instead of data and tokenizer, for efficiency; trains, scores nothing
    synthetic_shortest: int | None = None  # lengths are uniform from here to training.max_length; null: all of that
    score_on: ScoreOn = ScoreOn.reported  # selection: the split that is reported is not read
    selection_share: float = 0.1  # of the training rows, cut off with score_on=selection where the task has no other
    selection_seed: int = 0  # decides which; rows with the same text stay together

    def __post_init__(self) -> None:
        """Check the ranges."""
        self.score_on = ScoreOn(self.score_on)
        check_section("data", vars(self))

    @property
    def selects(self) -> bool:
        """Whether other rows are scored than those that are reported."""
        return self.score_on == ScoreOn.selection


@dataclass
class ExperimentConfig:
    """A named grid of cells. Each item of `grid` maps configuration keys to a value or a list of values."""

    name: str = "runs"  # records lie in the folder of this name in results_dir
    title: str = ""  # as tables and pages print it
    table: str | None = None  # the survey's table that this experiment makes, e.g. "glue"
    design: str | None = None  # of an ablation: which components of a method are off together, one_off or factorial
    grid: list[dict[str, Any]] = field(default_factory=list)  # of all values of an item every combination is a cell


@dataclass
class CellConfig:
    """Everything that `bench run` takes. `task` and `method` are open: their classes check their own settings."""

    experiment: ExperimentConfig = field(default_factory=ExperimentConfig)  # a name: which grid the cell belongs to
    model: ModelConfig = MISSING  # a name: which pretrained model
    task: dict[str, Any] = field(default_factory=dict)  # a name: what is learnt and asked
    method: dict[str, Any] = field(default_factory=dict)  # a name: how it is fine-tuned
    peft: dict[str, Any] = field(default_factory=dict)  # of method=peft/any, which takes it over
    training: TrainingConfig = field(default_factory=TrainingConfig)
    data: DataConfig = field(default_factory=DataConfig)
    seed: int = 0  # of the head, the method's values, dropout and the order of the rows
    results_dir: str = "results"  # where records are kept
    device: str = "auto"  # auto | cpu | cuda; auto: a GPU where there is one
    save_trained: bool = True  # keep what was trained beside the record
    memory_split: bool = True  # follow some steps storage by storage: what fills the train peak, operations per second
    measure_inference: bool = False  # time and memory of the adapted, the merged and the bare model's forward pass
    forgetting_text: str | None = None  # a file that the training has not, .txt or .jsonl: its perplexity before, after
    forgetting_column: str = "text"  # of a .jsonl file
    memory_limit: str | None = None  # 80GiB: a cell whose foretold train peak is more ends before weights are loaded
    predict_memory: bool = False  # the predicted train peak beside the measured one; always where memory runs out
    threads: int | None = None  # CPU threads of torch; null: torch's own choice
    distributed: str = "none"  # none | ddp | fsdp: how the cell's processes share the work
    processes: int = 1  # of this one cell, each with a GPU of its own where there are GPUs
    on_oom: str = "record"  # record | shrink: too little memory for a step ends the cell, or halves its micro-batches
    checkpoint_seconds: float | None = None  # between two checkpoints; null: so that they take under 1 % of the time
    tracker: Any = None  # tensorboard | mlflow | wandb | …, or a list: told about the training; docs/trackers.md
    tracker_dir: str = "trackers"  # where they keep what they keep on this machine
    force: bool = False  # run although a finished record is there


SECTIONS: dict[str, type[ModelConfig | TrainingConfig | DataConfig]] = {
    "model": ModelConfig,
    "training": TrainingConfig,
    "data": DataConfig,
}


def check_processes(config: dict[str, Any]) -> None:
    """Refuse a number of processes that does not go with how they share the work.

    Raises:
        UserError: one line.
    """
    way, processes, batch = config["distributed"], config["processes"], config["training"]["batch_size"]
    if (way == "none") != (processes == 1):
        raise UserError(f"distributed={way} processes={processes}: several processes need ddp or fsdp, and one neither")
    if processes > batch:
        raise UserError(f"processes={processes} exceed training.batch_size={batch}")
