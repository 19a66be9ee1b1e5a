"""How a sweep's cells are run: on this machine, by SLURM, by Ray.

Here: processes, jobs and their ends. Not here: which cells there are to run. Read `local` first; `cluster` is what the
other two share.
"""
