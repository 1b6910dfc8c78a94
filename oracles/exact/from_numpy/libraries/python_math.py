"""Python's `math`, `cmath` and `statistics`, of recorded numbers."""

from __future__ import annotations

import math
from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np

from oracles.exact.from_numpy.array import as_python
from oracles.exact.from_numpy.nested import swap, values


def _special(name: str) -> Callable[..., Any]:
    def function(x: Any) -> Any:
        return getattr(import_module("scipy.special"), name)(x)

    return function


def _log(x: Any, base: Any = None) -> Any:
    return np.log(x) if base is None else np.log(x) / np.log(base)


def _distance(p: Any, q: Any) -> Any:
    return np.sqrt(sum((a - b) * (a - b) for a, b in zip(p, q, strict=True)))


def _product(numbers: Any, *, start: Any = 1) -> Any:
    for number in numbers:
        start = start * number
    return start


def _hypot(*numbers: Any) -> Any:
    if len(numbers) == 2:
        return np.hypot(*numbers)
    return np.sqrt(sum(x * x for x in numbers))


def _is_close(a: Any, b: Any, *, rel_tol: Any = 1e-9, abs_tol: Any = 0.0) -> bool:
    return bool(abs(a - b) <= max(rel_tol * max(abs(a), abs(b)), abs_tol))


def _frexp(x: Any) -> Any:
    """A number of [1/2, 1), and the power of two by which it is to be multiplied."""
    if x == 0:
        return x, 0
    power = math.frexp(values(x))[1]
    while abs(np.ldexp(x, -power)) >= 1.0:  # what is exact may be another number than what ran
        power += 1
    while abs(np.ldexp(x, -power)) < 0.5:
        power -= 1
    return np.ldexp(x, -power), power


def _remainder(x: Any, y: Any) -> Any:
    return x - np.rint(x / y) * y


def _rect(r: Any, phi: Any) -> Any:
    return r * np.cos(phi) + 1j * (r * np.sin(phi))


def _mean(data: Any) -> Any:
    return sum(data[1:], data[0]) / len(data)


def _fmean(data: Any, weights: Any = None) -> Any:
    if weights is None:
        return _mean(data)
    return sum(x * w for x, w in zip(data, weights, strict=True)) / sum(weights)


_SAME = (
    "sqrt exp exp2 expm1 log2 log10 log1p cbrt sin cos tan sinh cosh tanh degrees radians fabs copysign fmod"
)
_ARCS = {f"a{name}": f"arc{name}" for name in ("sin", "cos", "tan", "sinh", "cosh", "tanh")}
_MATH: dict[str, Callable[..., Any]] = {
    **{name: getattr(np, name) for name in _SAME.split()},
    **{name: getattr(np, theirs) for name, theirs in _ARCS.items()},
    "atan2": np.arctan2,
    "log": _log,
    "pow": np.power,
    "hypot": _hypot,
    "dist": _distance,
    "prod": _product,
    "fsum": lambda numbers: sum(numbers),
    "floor": lambda x: int(np.floor(x)),
    "ceil": lambda x: int(np.ceil(x)),
    "trunc": lambda x: int(np.trunc(x)),
    "modf": np.modf,
    "ldexp": np.ldexp,
    "frexp": _frexp,
    "remainder": _remainder,
    **{name: _special(name) for name in ("erf", "erfc", "gamma")},
    "lgamma": _special("gammaln"),
    "isclose": _is_close,
    "isnan": np.isnan,
    "isinf": np.isinf,
    "isfinite": np.isfinite,
}


_OF_COMPLEX = "exp sqrt log10 sin cos tan sinh cosh tanh"
# Of complex numbers, which real ones are made into.
_CMATH: dict[str, Callable[..., Any]] = {
    **{name: getattr(np, name) for name in _OF_COMPLEX.split()},
    **{name: getattr(np, theirs) for name, theirs in _ARCS.items()},
    "log": _log,
    "phase": np.angle,
    "polar": lambda z: (abs(z), np.angle(z)),
}


def _of_floats(function: Callable[..., Any]) -> Callable[..., Any]:
    """Of Python's numbers such a number, whatever dtype an argument has."""

    def new(*args: Any, **kwargs: Any) -> Any:
        return swap(function(*(swap(arg, as_python) for arg in args), **kwargs), as_python)

    return new


def _of_complex(function: Callable[..., Any]) -> Callable[..., Any]:
    """Likewise of complex numbers."""
    return _of_floats(lambda *given: function(*(z if np.iscomplexobj(z) else z + 0j for z in given)))


MATH = {name: _of_floats(function) for name, function in _MATH.items()}
CMATH = {name: _of_complex(function) for name, function in _CMATH.items()} | {"rect": _of_floats(_rect)}
STATISTICS = {"mean": _mean, "fmean": _of_floats(_fmean)}
