"""What a cell costs: parameters, memory, time, operations; and what it ran on.

Here: measuring. Not here: foretelling (`bench.planning`). Read `phases` first; `storages` is how memory is split.
"""
