"""How long a large task takes from parquet to tokens, and how much memory it holds: MNLI's layout, artificial text.

    python -m scripts.measure_data [--rows 400000]

Pairs of about 20 and 10 words (MNLI's mean) are drawn from 20,000 made-up words by Zipf's law, written as a mirror's
parquet files, and read through the task `glue/mnli` with a byte-level BPE tokenizer that is trained on a part of them.
It prints the seconds of the first time (read, checked, tokenised, kept), those of the second (from the cache), and the
resident memory that the process gained, at its peak and while the data are held.
"""

import argparse
import itertools
import os
import random
import resource
import tempfile
import time
from pathlib import Path

import psutil
import pyarrow as pa
import pyarrow.parquet
from tokenizers import ByteLevelBPETokenizer
from transformers import PreTrainedTokenizerFast

import bench.system.quiet  # noqa: F401  # before the libraries that it silences
from bench.configuration.compose import Configurations
from bench.configuration.schema import DataConfig, Family
from bench.tasks.build import task_from

WORDS, VOCABULARY, MOST = 20_000, 16_000, 128
LENGTHS = {"premise": 20, "hypothesis": 10}  # words, in the mean
SPLITS = {"train": 1.0, "validation_matched": 0.025, "validation_mismatched": 0.025}


def main() -> None:
    """Make the files, read them twice, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=400_000)
    rows = parser.parse_args().rows
    with tempfile.TemporaryDirectory() as folder:
        os.environ["BENCH_CACHE"] = str(Path(folder) / "cache")
        sample = write(Path(folder) / "nyu-mll/glue/mnli", rows)
        tokenizer = trained_on(sample)
        with Configurations() as configurations:
            task = task_from(configurations.cell(["task=glue/mnli"]).config["task"]).on(Family.encoder)
        before = psutil.Process().memory_info().rss
        seconds = []
        for _ in range(2):
            begin = time.perf_counter()
            data = task.load(tokenizer, MOST, DataConfig(root=folder, any_size=True))
            tokens = len(data.train[len(data.train) - 1]["input_ids"])
            seconds.append(time.perf_counter() - begin)
        held = psutil.Process().memory_info().rss - before
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 - before
        print(f"{len(data.train):,} rows, {os.cpu_count()} processors; the last row has {tokens} tokens")
        print(f"parquet to tokens: {seconds[0]:.1f} s; from the cache: {seconds[1]:.1f} s")
        print(f"resident memory gained: {held / 1e9:.2f} GB held, {peak / 1e9:.2f} GB at the peak")


def write(folder: Path, rows: int) -> list[str]:
    """The splits' parquet files; returns some of the text."""
    draw = random.Random(0)
    letters = "abcdefghijklmnopqrstuvwxyz"
    words = ["".join(draw.choices(letters, k=draw.randint(2, 9))) for _ in range(WORDS)]
    weights = list(itertools.accumulate(1 / rank for rank in range(1, WORDS + 1)))
    folder.mkdir(parents=True)
    for split, share in SPLITS.items():
        count = max(1, int(rows * share))
        columns = {
            name: [
                " ".join(draw.choices(words, cum_weights=weights, k=max(1, int(draw.gauss(mean, mean / 3)))))
                for _ in range(count)
            ]
            for name, mean in LENGTHS.items()
        }
        table = pa.table({**columns, "label": [at % 3 for at in range(count)], "idx": range(count)})
        pa.parquet.write_table(table, folder / f"{split}-00000-of-00001.parquet")
    return columns["premise"]


def trained_on(texts: list[str]) -> PreTrainedTokenizerFast:
    """A byte-level BPE tokenizer, as RoBERTa has one."""
    backend = ByteLevelBPETokenizer()
    backend.train_from_iterator(
        texts, VOCABULARY, special_tokens=["<s>", "<pad>", "</s>", "<unk>"], show_progress=False
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=backend._tokenizer, bos_token="<s>", eos_token="</s>", pad_token="<pad>", unk_token="<unk>"
    )


if __name__ == "__main__":
    main()
