"""What `method=peft/any` knows of the peft library's tuners, so that each setting acts as meant or is refused.

Here: what cannot be had and why (`refusals`), which values fit (`values`), where a tuner sits (`places`). Not here: the
methods that the harness offers by name. Read `bench.methods.peft_any` first.
"""
