"""Pure functions on arrays: means and intervals, paired tests, the Pareto front. Nothing here knows of records."""
