"""From files to arrays of tokens: where a data set lies, whether it is what was published, and how it is kept.

Here: mirrors and caches, schemas and counts, examples and their padding, random data. Not here: what a task makes of
them (`bench.tasks`). Read `source` first, then `example`.
"""
