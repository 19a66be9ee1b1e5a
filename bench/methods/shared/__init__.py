"""What several methods are made of: bottlenecks, masks, prefixes in attention, the peft library, checks of ranges.

Not here: methods of their own, nor what every method may use (`bench.methods.base`, `trainable`, `folding`).
"""
