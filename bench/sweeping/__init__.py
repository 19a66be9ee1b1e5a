"""Many cells: which of an experiment's are to be run, in which order, where, and where they stand.

Here: the cells that a command line selects, the sweeper, its launchers, what cells cost, status, and what has to be
fetched beforehand. Not here: what running one cell means (`bench.running`). Read `selection` first, then `sweeper`.
"""
