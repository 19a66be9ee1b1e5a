"""The fine-tuning methods; see docs/methods.md.

Here: the protocol (`base`), what every method may use (`trainable`, `folding`), and one file a method. `shared` holds
what several methods are made of. Not here: anything of tasks. Read `base` first, then `lora` or `bitfit`.
"""
