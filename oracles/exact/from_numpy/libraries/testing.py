"""numpy.testing's assertions about recorded numbers: that they hold is decided, as a branch is."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from oracles.exact.from_numpy.making import as_array
from oracles.exact.from_numpy.nested import values


def _near(x: Any, y: Any, decimal: int) -> Any:
    return np.less(np.abs(x - y), 1.5 * 10.0**-decimal)


# What must hold of the two arrays, with those of the other parameters that say how near they must be.
HOLDS: dict[str, Callable[..., Any]] = {
    "assert_array_less": np.less,
    "assert_array_equal": np.equal,
    "assert_equal": np.equal,
    "assert_allclose": np.isclose,
    "assert_almost_equal": _near,
    "assert_array_almost_equal": _near,
}
NEARNESS = ("rtol", "atol", "equal_nan", "decimal")


def _asserting(name: str, holds: Callable[..., Any]) -> Callable[..., Any]:
    def checked(*args: Any, **kwargs: Any) -> None:
        own = getattr(np.testing, name)
        own(*values(args), **values(kwargs))  # NumPy's error, if it has one
        given = inspect.signature(own).bind(*args, **kwargs)
        given.apply_defaults()
        x, y = (as_array(found) for found in list(given.arguments.values())[:2])
        near = {k: v for k, v in given.arguments.items() if k in NEARNESS}
        if not np.all(holds(x, y, **near)):
            raise AssertionError(f"np.testing.{name} does not hold of the exact numbers")

    return checked


TESTING: dict[str, Callable[..., Any]] = {name: _asserting(name, holds) for name, holds in HOLDS.items()}
