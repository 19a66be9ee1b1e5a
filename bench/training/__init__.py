"""The training loop, its batches, its optimiser and its checkpoints.

Here: optimizer steps. Not here: what happens around them in a cell's life (`bench.running.fitting`). Read `loop` first.
"""
