"""The document's first function to minimise, and the descent that does it.

    f(x) = x_0^2 + x_1^2,    df/dx_i = 2 x_i,    x <- x - lr df/dx

With exact gradients a step multiplies x by 1 - 2 lr: lr = 0.1 shrinks it by 0.8, lr above 1 blows it up.

Source: Saito, Deep Learning from Scratch, section 4.4.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from reference.checks import (
    Floats,
    as_cotangent,
    as_count,
    as_floating,
    as_not_negative,
    check_floating_dtype,
)
from reference.numerical import numerical_gradient


def function_2(x: ArrayLike) -> Floats:
    """x[0]^2 + x[1]^2, smooth.  Shapes: x (2, ...), result (...); a point is (2,), a grid (2, rows, columns).

    Floats keep their dtype, integers become float64.  Squares beyond the dtype's range overflow, with NumPy's
    warning.  Raises ValueError if the first axis is not 2 long, TypeError if x is not real.
    """
    x = _two_coordinates(x, "function_2")  # (2, ...)
    y: Floats = x[0] ** 2 + x[1] ** 2  # (...)
    return y


def function_2_vjp(cotangent: ArrayLike, x: ArrayLike) -> Floats:
    """dL/dx_i = g 2 x_i.  Shapes: cotangent (...), x (2, ...), result (2, ...).  Raises as `function_2`."""
    x = _two_coordinates(x, "function_2_vjp")  # (2, ...)
    g = as_cotangent(cotangent, x, x.shape[1:], "function_2_vjp")  # (...)
    return g * (2 * x)  # (2, ...)


def gradient_descent(
    f: Callable[[Floats], Any], init_x: Floats, lr: float = 0.01, step_num: int = 100
) -> Floats:
    """Take step_num steps x <- x - lr df/dx from init_x, with df/dx from `numerical_gradient`.

    f: takes x (...), gives a scalar
    init_x: (...), a floating array; it is copied, never written to (the document's version overwrites it)
    lr: the learning rate, finite, 0 or above;  step_num: an integer, 0 or above
    Returns the last x, a new array of init_x's shape and dtype.
    Raises TypeError if init_x is no floating array or step_num no integer, ValueError if lr or step_num is
    out of range, and what `numerical_gradient` raises.
    """
    who = "gradient_descent"
    if not isinstance(init_x, np.ndarray):
        raise TypeError(
            f"{who}: init_x must be a NumPy array, got {type(init_x).__name__}; "
            "pass np.array(init_x, dtype=float)"
        )
    check_floating_dtype(init_x, who, "init_x")
    lr = as_not_negative(lr, who, "lr")
    step_num = as_count(step_num, who, "step_num")
    x = init_x.copy()  # (...)
    for _ in range(step_num):
        x -= lr * numerical_gradient(f, x)  # (...)
    return x


def _two_coordinates(x: ArrayLike, who: str) -> Floats:
    array = as_floating(x, who)
    if array.ndim == 0 or array.shape[0] != 2:
        raise ValueError(
            f"{who}: x must have shape (2,) or (2, ...), got {array.shape}; "
            "put the two coordinates on the first axis"
        )
    return array
