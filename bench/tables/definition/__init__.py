"""What a table is: its YAML, the records it takes, its rows and columns, and the finished table as data.

Here: definition and selection. Not here: what stands in the cells (`bench.tables.content`). Read `schema` first, then
`table`.
"""
