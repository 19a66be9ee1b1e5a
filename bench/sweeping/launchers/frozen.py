"""Imported last by the fork server: no worker searches what was imported before for circles, nor copies it for that.

A search touches every object, so that a worker would get a copy of all memory that holds some; gc.freeze is for this,
https://docs.python.org/3/library/gc.html#gc.freeze. Each cell makes such a search when its optimizer is done with.
"""

import gc

gc.collect()
gc.freeze()
