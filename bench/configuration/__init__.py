"""From words to cells: the schema of a cell and its identity, and Hydra's composition of one or of ten thousand.

Here: everything that is known before anything is loaded. Not here: what a cell does; nothing imports torch. Read
`schema` first, then `cell` and `compose`.
"""
