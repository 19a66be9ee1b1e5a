"""Writes two tables of docs/memory.md: `python -m scripts.document_memory [NAME …]`; minutes, without a GPU.

The recipes: what can be trained on which card, and with which command. And what others have measured and published,
beside what the plan foretells for settings as near to theirs as the harness has them.
"""

import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from bench.configuration.compose import Configurations
from bench.planning.plan import usable
from bench.planning.predict import Prediction, predict

COMMAND = "python -m scripts.document_memory"
PAGE = Path(__file__).parents[1] / "docs" / "memory.md"
GIB, GB = 1024**3, 1000**3
CARDS = (16, 24, 48, 80)  # GiB

BF16, ONE = "model.dtype=bfloat16", "training.micro_batch_size=1"
PURE = (BF16, "training.master_weights=false")  # what is trained in bf16, too, as torchtune has it
ALL = "method.sites.decoder=[query,key,value,output,feed_forward_input,feed_forward_output]"
TORCHTUNE_7B = "https://docs.pytorch.org/torchtune/stable/tutorials/lora_finetune.html"
TORCHTUNE_QLORA = "https://docs.pytorch.org/torchtune/stable/tutorials/qlora_finetune.html"
TORCHTUNE_3B = "https://github.com/pytorch/torchtune, README"
FACTORY = "https://github.com/hiyouga/LLaMA-Factory, README"
QUERY_VALUE = "method.sites.decoder=[query,value]"
LONG = ("training.batch_size=2", "training.micro_batch_size=2", "training.max_length=4096")
PAGED_8BIT = "training.optimiser=paged_adamw_8bit"


@dataclass(frozen=True)
class Recipe:
    """Settings of `bench run task=mmlu` (512 tokens, checkpointing, a batch of 16) and what they are for."""

    model: str
    method: str
    settings: tuple[str, ...]

    @property
    def command(self) -> tuple[str, ...]:
        """As on the command line."""
        return (f"model={self.model}", "task=mmlu", f"method={self.method}", *self.settings)


RECIPES = tuple(
    Recipe(model, method, settings)
    for model in ("llama_7b", "llama_3_1_8b", "llama_13b")
    for method, settings in (
        ("qlora", (BF16, ONE)),
        ("qlora", (BF16, "training.micro_batch_size=4")),
        ("lora", (BF16, ONE)),
        ("lora", (BF16, "training.micro_batch_size=4")),
        ("adapter_s", (BF16, ONE)),
        ("full", (*PURE, ONE, PAGED_8BIT)),
        ("full", (*PURE, ONE)),
    )
)


@dataclass(frozen=True)
class Published:
    """A measurement of others, in bytes, and the settings that come nearest to it."""

    what: str
    source: str
    size: float
    settings: tuple[str, ...]
    difference: str


def _seven(method: str, *settings: str) -> tuple[str, ...]:
    return ("model=llama_7b", "task=mmlu", f"method={method}", *settings)


def _three(method: str, *settings: str) -> tuple[str, ...]:
    return ("model=llama_3_2_3b", "task=mmlu", f"method={method}", *LONG, *settings)


TWO = ("training.batch_size=2", "training.micro_batch_size=2")
NOT_OF_OURS = "theirs computes the loss in pieces, compiles, and steps within the backward pass; ours has all logits"
PUBLISHED = (
    Published(
        "torchtune, LLaMA-2-7B, LoRA r = 8 on q and v, batch 2, checkpointing", TORCHTUNE_7B, 15.57 * GB,
        _seven("lora", *PURE, *TWO, "method.r=8", QUERY_VALUE), "theirs is reserved: with what lies unused",
    ),
    Published(
        "the same, r = 64 on all linear layers", TORCHTUNE_7B, 17.04 * GB,
        _seven("lora", *PURE, *TWO, "method.r=64", ALL), "as above",
    ),
    Published(
        "torchtune, LLaMA-2-7B, QLoRA, batch 2, checkpointing", TORCHTUNE_QLORA, 9.29 * GB,
        _seven("qlora", *PURE, *TWO, "method.r=8", ALL, "method.paged=false"),
        "theirs is reserved, 9.13 of it from loading, where weights are packed on the GPU; 7.36 were allocated then",
    ),
    Published(
        "torchtune, LLaMA-3.2-3B, full, batch 2, 4096 tokens at most", TORCHTUNE_3B, 25.5 * GIB,
        _three("full", *PURE, "training.max_length=512", "training.gradient_checkpointing=false"),
        "theirs are Alpaca's texts, unpacked, far shorter than 4096: reckoned with 512",
    ),
    Published(
        "the same packed to 4096, with checkpointing", TORCHTUNE_3B, 24.9 * GIB, _three("full", *PURE), NOT_OF_OURS
    ),
    Published(
        "the same with 8-bit AdamW", TORCHTUNE_3B, 17.6 * GIB,
        _three("full", *PURE, "training.optimiser=adamw_8bit"), NOT_OF_OURS,
    ),
    Published(
        "the same, LoRA", TORCHTUNE_3B, 8.5 * GIB, _three("lora", *PURE, "method.r=8", QUERY_VALUE), NOT_OF_OURS
    ),
    Published("the same, QLoRA", TORCHTUNE_3B, 4.6 * GIB, _three("qlora", *PURE, "method.r=8"), NOT_OF_OURS),
    *(
        Published(
            f"LLaMA-Factory, 7B in 4 bits, {length} tokens", FACTORY, size * GB,
            _seven("qlora", BF16, ONE, "training.batch_size=1", "method.r=8", f"training.max_length={length}",
                "model.architecture.max_position_embeddings=8192"),
            "how theirs was read is not said; CUDA's context and what lies unused come on top of ours",
        )
        for length, size in ((1024, 6), (2048, 7), (4096, 9), (8192, 12))
    ),
)  # fmt: skip


@cache
def foretold(settings: tuple[str, ...]) -> Prediction:
    """On a GPU."""
    print(" ".join(settings), file=sys.stderr)
    with Configurations() as configurations:
        return predict(configurations.cell(list(settings)), "cuda")


def recipes() -> list[str]:
    """The table of the recipes: peak, parts, the smallest card that it fits."""
    rows: list[Sequence[str]] = [
        ("`bench run task=mmlu …`", "peak", "weights", "trained", "gradients", "optimiser", "activations, rest", "card")
    ]
    for recipe in RECIPES:
        found = foretold(recipe.command)
        parts, words = found.parts, [word for word in recipe.command if word != "task=mmlu"]
        sizes = (parts.frozen_weights, parts.trainable_weights, parts.gradients, parts.optimiser_state,
                 parts.activations + parts.rest)  # fmt: skip
        card = next((f"{size} GiB" for size in CARDS if found.peak <= usable(size * GIB, "cuda")), "none of these")
        rows.append((f"`{' '.join(words)}`", _gb(found.peak), *map(_gb, sizes), card))
    return list(_table(rows))


def published() -> list[str]:
    """The table of others' measurements."""
    rows = [("measured by others", "GB", "foretold", "ratio", "our settings", "what differs")]
    for one in PUBLISHED:
        peak = foretold(one.settings).peak
        words = " ".join(word for word in one.settings if word != "task=mmlu")
        rows.append(
            (
                f"{one.what} ({one.source})",
                _gb(one.size),
                _gb(peak),
                f"{peak / one.size:.2f}",
                f"`{words}`",
                one.difference,
            )
        )
    return list(_table(rows))


def _gb(size: float) -> str:
    return f"{size / GB:.2f}"


def _table(rows: Sequence[Sequence[str]]) -> Iterable[str]:
    head, *rest = rows
    yield "| " + " | ".join(head) + " |"
    yield "|---" * len(head) + "|"
    yield from ("| " + " | ".join(row) + " |" for row in rest)


SECTIONS = {"recipes": recipes, "published": published}


def section(page: str, name: str) -> str:
    """What stands on the page between a section's marks."""
    return page.split(_begin(name))[1].split(_end(name), maxsplit=1)[0].strip()


def _begin(name: str) -> str:
    return f"<!-- {name}: written by {COMMAND}; do not edit -->"


def _end(name: str) -> str:
    return f"<!-- end of {name} -->"


def main() -> None:
    """Write the tables into the page."""
    page = PAGE.read_text()
    for name in sys.argv[1:] or SECTIONS:
        before, rest = page.split(_begin(name))
        after = rest.split(_end(name))[1]
        page = "\n".join([f"{before}{_begin(name)}", "", *SECTIONS[name](), "", f"{_end(name)}{after}"])
        PAGE.write_text(page)


if __name__ == "__main__":
    main()
