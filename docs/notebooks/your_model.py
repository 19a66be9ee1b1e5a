# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # The survey's comparison on your model in ten minutes
#
# Which fine-tuning method suits your model and your data? Name both below. As it stands, this runs on the miniature
# that the package ships: a minute on two cores, no network, no GPU. Its figures compare the methods on the miniature
# and nothing else.

# %%
import pandas as pd

import bench

MODEL = "miniature/roberta"  # yours: {"name": "encoder", "path": "FOLDER"}, or encoder_decoder, decoder
TASK = "miniature/sst2"  # yours: glue/rte, or one that `bench task new` has declared in a folder (config_dir=FOLDER)
METHODS = ["full", "lora", "bitfit"]  # more: adapter_s, ia3, prefix_tuning, adalora, qlora, mam, propelt_lora, …
SEEDS = [0]  # three or more, and the table has deviations
# What makes this a trial; leave it out for the whole training.
TRIAL = {"training": {"max_steps": 8, "evaluations": 2}, "data": {"limit_train": 256, "limit_evaluation": 48}}

# %% [markdown]
# ## What it would need
#
# Nothing is loaded for this. Names, settings and pairs that do not go together are refused here, in one line.

# %%
sweep = bench.sweep(model=MODEL, task=TASK, method=METHODS, seed=SEEDS, **TRIAL)
plans = sweep.plan(device_memory="24GiB")
pd.DataFrame(
    {
        "method": plan.cell.method,
        "trained": plan.prediction and plan.prediction.parameters.trainable,
        "peak (MB)": plan.prediction and round(plan.prediction.peak / 1e6),
        "fits": plan.fits,
        "why not": plan.reason,
    }
    for plan in plans
)

# %% [markdown]
# ## The training
#
# Each cell runs in a process of its own, one per GPU at a time (`workers=`). What is finished is not run again: after
# an interruption, or with more methods and seeds, run this once more.

# %%
frame = sweep.run()
frame[["method", "seed", "status", "score", "trainable", "train_seconds"]]

# %% [markdown]
# ## The table
#
# Scores ×100 as in the survey. Methods that share a letter (`.tied`) cannot be told apart, and all that share one with
# the best are marked 1 (`.rank`). Read the notes before you believe the figures.

# %%
table = bench.table("runs", columns=["train_peak", "train_seconds"])
print(*table.attrs["notes"], sep="\n")
table.dropna(axis="columns", how="all")

# %% [markdown]
# ## And then
#
# - The learning rates are those that the package has for the task and the method. `bench fair` searches them for every
#   method alike, on data that no table reports, and writes the paragraph for the paper (docs/fairness.md).
# - The best one, ready for use:

# %%
best = max(sweep.cells, key=lambda cell: frame.set_index("id")["score"].get(cell.id, float("-inf")))
model = bench.load(best.path, device="cpu")
print(best.id, sum(parameter.numel() for parameter in model.parameters()))
