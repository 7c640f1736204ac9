"""Data sets: what they are, where they come from, how batches are drawn."""
