"""What lies outside of the harness: its cache folder, the Hugging Face hub, and the noise of libraries.

Here: how processes and machines are got along with, whatever is run on them. Not here: anything that knows of cells.
"""
