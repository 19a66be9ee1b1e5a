"""Figures of a finished table. Read `drawing` first: which there are; `plots` draws them."""
