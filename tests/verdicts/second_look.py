"""The catalogue once more in mpmath, and its derivatives by differences at 120 digits: a second look.

Nothing is shared with the code that is checked: functions of plain numbers, differentiated numerically.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import mpmath
import numpy as np

from tests.oracles.drawn_anew import ELEMENTWISE, sigmoid

DIGITS = 120
STEP = 40  # differences at 10^-40 are right to 80 digits less what the third derivative adds


def _each(function: Callable[[Any], Any]) -> Callable[..., list[Any]]:
    return lambda x: [function(v) for v in x.flat]


def _softmax(x: Any) -> Any:
    rows = x.reshape(-1, x.shape[-1])
    out = []
    for row in rows:
        e = [mpmath.exp(v - max(row)) for v in row]
        out += [v / mpmath.fsum(e) for v in e]
    return np.array(out, object).reshape(x.shape)


def _cross_entropy(y: Any, t: Any) -> list[Any]:
    y = y.reshape(-1, y.shape[-1])
    labels = np.argmax(t.reshape(y.shape).astype(float), axis=-1) if t.size == y.size else t.ravel()
    guard = mpmath.mpf(1e-7)
    return [-mpmath.fsum(mpmath.log(row[int(k)] + guard) for row, k in zip(y, labels, strict=True)) / len(y)]


def _network(w1: Any, b1: Any, w2: Any, b2: Any, x: Any, t: Any) -> list[Any]:
    hidden = np.array([sigmoid(v) for v in (x @ w1 + b1).flat], object).reshape(len(x), -1)
    return _cross_entropy(_softmax(hidden @ w2 + b2), t)


FUNCTIONS: dict[str, Callable[..., list[Any]]] = {
    "function_2": lambda x: [mpmath.fsum(v * v for v in x.flat)],
    "identity_function": _each(lambda x: x),
    **{name: _each(function) for name, function in ELEMENTWISE.items()},
    "relu": _each(lambda x: max(x, 0)),
    "softmax": lambda x: list(_softmax(x).flat),
    "mean_squared_error": lambda y, t: [mpmath.fsum(v * v for v in (y - t).flat) / 2],
    "cross_entropy_error": _cross_entropy,
    "softmax_loss": lambda x, t: _cross_entropy(_softmax(x), t),
    "simple_net": lambda w, x, t: _cross_entropy(_softmax(np.atleast_2d(x) @ w), t),
    "two_layer_net": _network,
}


def derivative(case: str, args: tuple[Any, ...], cotangent: Any, argument: int, at: tuple[int, ...]) -> Any:
    """The derivative of <cotangent, function> along one element of one argument."""
    with mpmath.workdps(DIGITS):
        numbers = [_numbers(a) for a in args]
        weights = [mpmath.mpf(float(v)) for v in np.asarray(cotangent).flat]
        step = mpmath.mpf(10) ** -STEP

        def projected(move: Any) -> Any:
            moved = list(numbers)
            moved[argument] = moved[argument].copy()
            moved[argument][at] += move
            found = FUNCTIONS[case](*moved)
            return mpmath.fsum(w * v for w, v in zip(weights, found, strict=True))

        return (projected(step) - projected(-step)) / (2 * step)


def _numbers(array: Any) -> Any:
    if array.dtype.kind in "iub":
        return array
    return np.array([mpmath.mpf(float(v)) for v in array.flat], object).reshape(array.shape)
