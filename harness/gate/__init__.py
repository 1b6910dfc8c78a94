"""A run against the baseline: what got worse, and what is told of it."""
