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
# # From records to a figure of your own
#
# Everything that was measured is in the records: one file for each cell, one row of a pandas frame here. docs/python.md
# says what each column is, and in which unit.

# %%
import matplotlib.pyplot as plt
import pandas as pd

import bench

# The records of the other notebook. What is there is not run again.
trial = {"training": {"max_steps": 8, "evaluations": 2}, "data": {"limit_train": 256, "limit_evaluation": 48}}
bench.sweep(
    model="miniature/roberta", task="miniature/sst2", method=["full", "lora", "bitfit"], seed=[0], **trial
).run()  # fmt: skip

frame = bench.records("results", settings=["method.r"])
done = frame[frame["status"] == "done"].sort_values("trainable")
done[["method_title", "score", "trainable", "train_peak", "method.r", "training.learning_rate"]]

# %% [markdown]
# ## Score against size
#
# 3.5 inches are a column of a two-column paper.

# %%
figure, axes = plt.subplots(figsize=(3.5, 2.4), layout="constrained")
for method, rows in done.groupby("method_title", sort=False):
    axes.scatter(rows["trainable"], 100 * rows["score"], label=method, s=18)
axes.set(xscale="log", xlabel="trained parameters", ylabel="accuracy (%)", title="miniature")
axes.legend(frameon=False, fontsize="small")
figure.savefig("score.pdf")

# %% [markdown]
# ## Accuracy along training
#
# `curve` is a list of `{"step", "value"}` for each record.

# %%
figure, axes = plt.subplots(figsize=(3.5, 2.4), layout="constrained")
for _, row in done.iterrows():
    curve = pd.DataFrame(list(row["curve"]))
    axes.plot(curve["step"], 100 * curve["value"], marker="o", markersize=3, label=row["method_title"])
axes.set(xlabel="optimizer step", ylabel="accuracy (%)", title="miniature")
axes.legend(frameon=False, fontsize="small")
figure.savefig("curve.pdf")

# %% [markdown]
# ## What fills the memory

# %%
parts = [
    "frozen_weights",
    "trainable_weights",
    "gradients",
    "optimiser_state",
    "activations",
]  # bytes; `rest` is left out
memory = done.set_index("method_title")[parts] / 1e6
axes = memory.plot.barh(stacked=True, figsize=(3.5, 2.0), xlabel="MB", ylabel="", fontsize="small")
axes.legend(frameon=False, fontsize="x-small")
axes.figure.savefig("memory.pdf", bbox_inches="tight")
memory.round(2)

# %% [markdown]
# Averages over seeds, intervals and tests are `bench.table`'s: which records may stand beside each other is decided
# there, and its notes say what was left out.
