"""Python's `max` and `min` of recorded numbers: where several are equal, any of them may be the one."""

from __future__ import annotations

import builtins
from collections.abc import Callable
from functools import reduce
from typing import Any

import numpy as np

from oracles.exact.from_numpy.array import is_traced
from oracles.exact.from_numpy.stand_ins import Function

UFUNCS: dict[str, np.ufunc] = {"max": np.maximum, "min": np.minimum}


def substitute(name: str) -> Function:
    """What stands for `max` or `min` while code is recorded.

    Python compares, and takes a branch; that says what holds beside the point, but at a tie.
    """
    original = getattr(builtins, name)
    return Function(original, _extreme(original, UFUNCS[name]))


def _extreme(original: Callable[..., Any], ufunc: np.ufunc) -> Callable[..., Any]:
    def found(*args: Any, **kwargs: Any) -> Any:
        if kwargs or not args:
            return original(*args, **kwargs)
        given = list(args[0]) if len(args) == 1 else args
        return reduce(ufunc, given) if _are_tied(original, given) else original(given)

    return found


def _are_tied(original: Callable[..., Any], given: Any) -> bool:
    """Whether recorded numbers, or one and a number, are equal and the extreme one."""
    if not any(is_traced(x) for x in given):
        return False
    values = [x.in_numpy if is_traced(x) else x for x in given]
    if not all(isinstance(v, float | int | np.number) for v in values):
        return False
    best = original(values)
    return sum(bool(v == best) for v in values) > 1
