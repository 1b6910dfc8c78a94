"""Gradients by central differences: df/dx_i is close to (f(x + h e_i) - f(x - h e_i)) / 2h.

Two errors meet in h.  The truncation f'''(x) h^2 / 6 grows with it, and the rounding eps |f| / h falls, so
that in float64 the document's h = 1e-4 gives about nine digits.  **In float32 nearly all digits are lost**:
f itself has seven, its difference over 2e-4 keeps two or three of them at best.  Use float64 for this.

x is perturbed **in place**, one element at a time, and f gets x itself.  The document's closures need this:
`lambda W: net.loss(x, t)` ignores its argument and reads net.W, which must be the array that moves.  Every
element is put back bit for bit, also when f raises.

Source: Saito, Deep Learning from Scratch, sections 4.3 and 4.4.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from reference.checks import Floats, as_step, check_perturbable


def numerical_gradient(f: Callable[[Floats], Any], x: Floats, h: float = 1e-4) -> Floats:
    """Central differences of a scalar function of an array of any shape; 2 x.size calls of f.

    f: takes x (...), gives a scalar
    x: (...), a writable floating array whose elements do not share memory
    h: finite, above 0
    Returns an array of x's shape and dtype.
    Raises TypeError if x is not a floating array (an integer array cannot hold x + h: the document's version
    returns 25000 for a derivative of 6) or f's result is not a number, ValueError if x is read-only or
    overlaps itself, if h is not allowed, or if f's result is not a scalar.  What f raises passes through.
    """
    return _differences(f, x, h, "numerical_gradient")


def numerical_gradient_1d(f: Callable[[Floats], Any], x: Floats, h: float = 1e-4) -> Floats:
    """`numerical_gradient` for x of shape (n,); any other number of axes raises ValueError."""
    check_perturbable(x, "numerical_gradient_1d")
    if x.ndim != 1:
        raise ValueError(
            f"numerical_gradient_1d: x must be 1-D, got shape {x.shape}; use numerical_gradient, or "
            "numerical_gradient_2d for one point per row"
        )
    return _differences(f, x, h, "numerical_gradient_1d")


def numerical_gradient_2d(f: Callable[[Floats], Any], x: Floats, h: float = 1e-4) -> Floats:
    """One gradient per row: x (points, n) holds a point in each row, and f gets one row (n,) at a time.

    x of shape (n,) is one point.  The rows are views, so that x itself is perturbed and restored.
    Returns an array of x's shape and dtype; raises as `numerical_gradient`, and ValueError for other shapes.
    """
    who = "numerical_gradient_2d"
    check_perturbable(x, who)
    if x.ndim not in (1, 2):
        raise ValueError(
            f"{who}: x must be 1-D (n,) or 2-D (points, n), got shape {x.shape}; use numerical_gradient "
            "for a function of the whole array"
        )
    if x.ndim == 1:
        return _differences(f, x, h, who)  # (n,)
    gradient = np.empty_like(x)  # (points, n)
    for point, row in enumerate(x):  # row: (n,), a view
        gradient[point] = _differences(f, row, h, who)
    return gradient


def _differences(f: Callable[[Floats], Any], x: Floats, h: float, who: str) -> Floats:
    check_perturbable(x, who)
    h = as_step(h, who)
    gradient = np.empty_like(x)  # (...)
    walk = np.nditer(x, flags=["multi_index", "zerosize_ok"])
    for _ in walk:
        index = walk.multi_index
        kept = x[index]  # a scalar of its own, not a view
        try:
            x[index] = kept + h
            above = _scalar(f(x), who)
            x[index] = kept - h
            below = _scalar(f(x), who)
        finally:
            x[index] = kept
        gradient[index] = (above - below) / (2 * h)
    return gradient


def _scalar(value: Any, who: str) -> Any:
    """Accept one real number.  Integers become floats, or unsigned ones would wrap in the difference."""
    array = np.asarray(value)
    if array.ndim != 0:
        raise ValueError(
            f"{who}: f must return a scalar, got an array of shape {array.shape}; sum it, or index one entry"
        )
    if array.dtype.kind not in "fiub":
        raise TypeError(
            f"{who}: f must return a real number, got {value!r} ({type(value).__name__}); "
            "return e.g. float(loss)"
        )
    return array[()] if array.dtype.kind == "f" else float(array)
