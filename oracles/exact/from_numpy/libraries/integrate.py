"""scipy.integrate's rules for numbers that are given: sums of them, with SciPy's weights."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from oracles.exact.from_numpy.making import as_array


def _at(x: Any, axis: int, where: Any) -> Any:
    key: list[Any] = [slice(None)] * x.ndim
    key[axis] = where
    return x[tuple(key)]


def _steps(y: Any, x: Any, dx: Any, axis: int) -> Any:
    """From each place to the next one, so that they multiply what stands between those of y."""
    if x is None:
        return dx
    x = as_array(x)
    if x.ndim == 1:
        x = x.reshape([-1 if a == axis % y.ndim else 1 for a in range(y.ndim)])
    return np.diff(x, axis=axis)


def _trapezia(y: Any, x: Any, dx: Any, axis: int) -> Any:
    both = _at(y, axis, slice(1, None)) + _at(y, axis, slice(None, -1))
    return _steps(y, x, dx, axis) * both / 2.0


def _trapezoid(y: Any, x: Any = None, dx: Any = 1.0, axis: int = -1) -> Any:
    y = as_array(y)
    kind = y.dtype if y.dtype.kind in "fc" else np.dtype(np.float64)
    return np.sum(_trapezia(y, x, dx, axis).astype(kind), axis)


def _cumulative_trapezoid(y: Any, x: Any = None, dx: Any = 1.0, axis: int = -1, initial: Any = None) -> Any:
    if initial not in (None, 0):
        raise ValueError("`initial` must be `None` or `0`.")
    y = as_array(y)
    found = np.cumsum(_trapezia(y, x, dx, axis), axis)
    if initial is None:
        return found
    return np.concatenate([np.zeros_like(_at(found, axis, slice(0, 1))), found], axis)


def _simpson(y: Any, x: Any = None, *, dx: Any = 1.0, axis: int = -1) -> Any:
    """Parabolas over pairs of steps; in a last single step that through the last three numbers."""
    y, axis = as_array(y), axis % np.ndim(y)
    n, h = y.shape[axis], _steps(y, x, dx, axis)
    if n % 2:
        return _parabolas(y, h, x is None, axis)
    last, other = _at(y, axis, -1), _at(y, axis, -2)
    if n == 2:
        return 0.5 * (h if x is None else _at(h, axis, -1)) * (last + other)
    found = _parabolas(_at(y, axis, slice(None, -1)), h, x is None, axis)
    a, b = (as_array(h if x is None else _at(h, axis, k)).astype(np.float64) for k in (-2, -1))
    found += (
        (2 * b**2 + 3 * a * b) / (6 * (b + a)) * last
        + (b**2 + 3.0 * a * b) / (6 * a) * other
        - b**3 / (6 * a * (a + b)) * _at(y, axis, -3)
    )
    return found


def _parabolas(y: Any, h: Any, is_even: bool, axis: int) -> Any:
    """Of an odd count of numbers; the steps are as long as each other, or those that stand along the axis."""
    left, middle, right = (_at(y, axis, slice(k, y.shape[axis] - 2 + k, 2)) for k in range(3))
    if is_even:
        found = np.sum(left + 4.0 * middle + right, axis)
        found *= h / 3.0
        return found
    a, b = (_at(h, axis, slice(k, y.shape[axis] - 1, 2)).astype(np.float64) for k in range(2))
    total = a + b
    terms = left * (2.0 - b / a) + middle * (total * (total / (a * b))) + right * (2.0 - a / b)
    return np.sum(total / 6.0 * terms, axis)


INTEGRATE: dict[str, Callable[..., Any]] = {
    "trapezoid": _trapezoid,
    "cumulative_trapezoid": _cumulative_trapezoid,
    "simpson": _simpson,
}
