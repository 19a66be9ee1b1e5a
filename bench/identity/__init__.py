"""What a cell was made of, and whether that has changed since: weights, tokenizer, data, classes of the user's own.

Here: digests of files, which files a model, a split or a class consists of, and the comparison of two fingerprints. All
of it is free of torch, for commands that look at ten thousand records. Not here: the record that carries the
fingerprints (`bench.records`). Read `fingerprints` first; docs/identity.md says what makes a cell stale.
"""
