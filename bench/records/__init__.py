"""What running a cell left behind, and how it is kept.

Here: the schema, the files of a cell's folder, and who runs a cell now. Not here: what becomes of records
(`bench.tables`). Read `schema` first, then `store`.
"""
