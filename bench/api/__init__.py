"""Python's way in: `bench.cell`, `bench.sweep`, `bench.records`, `bench.table`; each goes the way of its command.

`bench/__init__.py` says what is public, and docs/python.md documents it. Read `words` first: from Python values to the
words of a command line.
"""
