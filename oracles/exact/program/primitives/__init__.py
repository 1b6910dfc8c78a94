"""The primitives: one entry each, with all its facts (see `program.Primitive`).

To add an operation, define it here (or compose it from those that are here) and let a front end name it. What
rules are written with most is at hand in the package itself.
"""

from oracles.exact.program.primitives import (
    edges,
    integers,
    least_squares,
    linear_algebra,
    orders,
    orthogonal,
    predicates,
    roughness,
    sorting,
    spectral,
    steps,
)
from oracles.exact.program.primitives.arithmetic import convert, detach, no_grad, pi
from oracles.exact.program.primitives.choices import select
from oracles.exact.program.primitives.not_finite import compare
from oracles.exact.program.primitives.taylor import scalar

__all__ = [
    "compare",
    "convert",
    "detach",
    "edges",
    "integers",
    "least_squares",
    "linear_algebra",
    "no_grad",
    "orders",
    "orthogonal",
    "pi",
    "predicates",
    "roughness",
    "scalar",
    "select",
    "sorting",
    "spectral",
    "steps",
]
