"""The primitives: one entry each, with all its facts (see `program.Primitive`).

To add an operation, define it here (or compose it from those that are here) and let a front end name it. What
rules are written with most is at hand in the package itself.
"""

from oracles.exact.program.primitives import (
    least_squares,
    linear_algebra,
    orders,
    orthogonal,
    roughness,
    sorting,
    spectral,
)
from oracles.exact.program.primitives.arithmetic import convert, detach, no_grad, pi
from oracles.exact.program.primitives.choices import compare, select
from oracles.exact.program.primitives.taylor import scalar

__all__ = [
    "compare",
    "convert",
    "detach",
    "least_squares",
    "linear_algebra",
    "no_grad",
    "orders",
    "orthogonal",
    "pi",
    "roughness",
    "scalar",
    "select",
    "sorting",
    "spectral",
]
