"""The life of one cell, from its configuration to its record.

Here: the order of things; each thing is done by the folder that knows about it (models, tasks, methods, training,
evaluation, metering). Not here: several cells (`bench.sweeping`). Read `runner` first, on one screen.
"""
