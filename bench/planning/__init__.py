"""What a cell will need, before anything is loaded: counts on the meta device, peak memory on fake tensors.

Here: predictions. Not here: measurements (`bench.metering`), nor how a plan is shown (`bench.cli`). Read `plan` first.
"""
