"""Pretrained models: loading, structure, heads, quantisation.

Here: where a model's files are and what is inside. Not here: what methods do with it. Read `load` first; `structure`
is what methods ask for.
"""
