"""Whether a whole number of Python's is a factor or a divisor, as a temperature is, and nothing else.

It may be an axis, a count, an order, an exponent: a gradient for that one alone is right. So the program with
2.0 in its place must be the one with 1.0 in it, but for ones that have become 2 or a half, and multiply or
divide.
"""

from __future__ import annotations

import numpy as np

from oracles.exact.program.program import Equation, Program, Var

SAME_NUMBERS = frozenset({"broadcast", "reshape", "convert"})
SCALES = frozenset({"mul", "div"})


def is_factor(here: Program, there: Program) -> bool:
    """Whether nothing differs between a program with 1.0 and one with 2.0 but what scales."""
    if len(here.equations) != len(there.equations):
        return False
    moved = set[Var]()
    for one, other in zip(here.equations, there.equations, strict=True):
        name = other.primitive.name
        if one.primitive.name != name or [v.shape for v in one.operands] != [v.shape for v in other.operands]:
            return False
        own = not moved.isdisjoint(other.operands)
        if not _is_alike(one, other):
            if name != "constant" or not _is_scaled(one, other):
                return False
            moved.add(other.output)
        elif own and name in SAME_NUMBERS:
            moved.add(other.output)
        elif own and name not in SCALES:
            return False
    return bool(moved)


def _is_alike(one: Equation, other: Equation) -> bool:
    return one.params.keys() == other.params.keys() and all(
        np.array_equal(value, other.params[key]) for key, value in one.params.items()
    )


def _is_scaled(one: Equation, other: Equation) -> bool:
    """Whether a constant is 1 here, and 2 or a half there."""
    numbers = np.asarray(other.params["value"])
    return bool(np.all(one.params["value"] == 1) and any((numbers == two).all() for two in (2, 0.5)))
