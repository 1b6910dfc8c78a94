"""The primitives: one entry each, with its evaluation on balls and its derivative.

To add an operation, define it here (or compose it from those that are here) and let a front end name it.
"""

from oracles.exact.program.primitives import arrays, elementwise, linear_algebra, reductions, spectral

__all__ = ["arrays", "elementwise", "linear_algebra", "reductions", "spectral"]
