"""Benchmarks, and how tight the bounds are."""
