"""What stands in a table: entries with their means and spreads, marks, comparisons, others' figures, captions.

Read `build` first: from a definition and records to a table.
"""
