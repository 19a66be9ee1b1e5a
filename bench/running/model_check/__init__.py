"""A model looked at before anything is trained on it: where it is from, what is inside, its tokenizer and weights.

`look` begins; each other file finds one section of the report.
"""
