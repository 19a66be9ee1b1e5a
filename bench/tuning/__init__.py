"""Equal-budget search over settings: the same number of trials for every method, full fine-tuning included.

Here: what is searched, trials as ordinary cells, the choice, what the search has bought. Not here: running cells
(`bench.sweeping`). Read `protocol` first.
"""
