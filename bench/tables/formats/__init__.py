"""A finished table as CSV, LaTeX, Markdown or text. Nothing here computes."""
