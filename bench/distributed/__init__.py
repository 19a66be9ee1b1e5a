"""The processes that train one cell together: how they speak to each other, and how a model is spread over them.

Here: what one of them sees. Not here: starting them and joining their records (`bench.running.ranks`). Read
`team` first.
"""
