"""What is learnt and asked: how an example becomes tokens, and how predictions become scores.

Here: the protocol and one file a task. Not here: files and caches (`bench.data`), nor how a model is asked
(`bench.evaluation`); nothing knows of methods. Read `base` first.
"""
