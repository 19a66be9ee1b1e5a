"""What lies outside of the harness: terminals, foreign files and links, its cache folder, the Hugging Face hub.

Here: how processes and machines are got along with, whatever is run on them. Not here: anything that knows of cells.
"""
