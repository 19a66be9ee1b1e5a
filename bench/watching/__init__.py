"""A look at results while sweeps run: a page for this machine's browser, from the results folder alone.

Here: who is where, in numbers and words, and a small server. Not here: tables (`bench.tables`), nor the terminal's
progress (`bench.sweeping`). Read `watch` first.
"""
