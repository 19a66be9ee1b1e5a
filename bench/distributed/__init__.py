"""One cell on several processes: each trains on its share of every batch."""
