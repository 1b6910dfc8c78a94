"""The primitives: one entry each, with all its facts (see `program.Primitive`).

To add an operation, define it here (or compose it from those that are here) and let a front end name it.
"""

from oracles.exact.program.primitives import (
    arithmetic,
    arrays,
    choices,
    comparisons,
    linear_algebra,
    orders,
    reductions,
    scans,
    spectral,
    taylor,
)

__all__ = [
    "arithmetic",
    "arrays",
    "choices",
    "comparisons",
    "linear_algebra",
    "orders",
    "reductions",
    "scans",
    "spectral",
    "taylor",
]
