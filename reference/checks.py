"""What every function of this package asks of its inputs, and the words it refuses them with.

A message names the function, the value it got, what is allowed, and what to do.  A wrong type or dtype
is a TypeError; a right type with a wrong value or shape is a ValueError.
"""

import math
import operator
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats: TypeAlias = NDArray[np.floating[Any]]
"""A floating array of any precision; a NumPy scalar where a function of elements was given one."""

Scalar: TypeAlias = np.floating[Any]
"""A NumPy scalar of any precision, as a loss is."""


def as_floating(x: ArrayLike, who: str, name: str = "x") -> Floats:
    """Give x as a floating array: floats keep their dtype, integers and booleans become float64.

    No copy is made of a floating array, so the caller must not write into the result.
    """
    array = np.asarray(x)
    if array.dtype.kind == "f":
        return array
    if array.dtype.kind in "iub":
        return array.astype(np.float64)
    raise TypeError(
        f"{who}: {name} must hold real numbers, got dtype {array.dtype}; pass e.g. {name}.astype(float)"
    )


def as_cotangent(cotangent: ArrayLike, like: Floats, shape: tuple[int, ...], who: str) -> Floats:
    """Give the cotangent in the dtype of `like`; its shape must be `shape`, that of the function's output.

    It is not broadcast: a cotangent of another shape belongs to another function.
    """
    array = as_floating(cotangent, who, "cotangent")
    if array.shape != shape:
        raise ValueError(
            f"{who}: cotangent has shape {array.shape}, the output has shape {shape}; "
            "pass one number for every output element"
        )
    return array.astype(like.dtype, copy=False)


def as_rows(x: ArrayLike, who: str, name: str = "x") -> Floats:
    """Give x as a floating array (classes,) or (batch, classes), with at least one row and one column."""
    array = as_floating(x, who, name)
    if array.ndim not in (1, 2):
        raise ValueError(
            f"{who}: {name} must be 1-D (classes,) or 2-D (batch, classes), got shape {array.shape}; "
            "reshape it so that the classes are the last of at most two axes"
        )
    if array.size == 0:
        raise ValueError(
            f"{who}: {name} is empty, got shape {array.shape}; pass at least one row with at least one entry"
        )
    return array


def check_perturbable(x: object, who: str) -> None:
    """Accept only an array whose elements can be moved by a small step, one at a time and in place."""
    if not isinstance(x, np.ndarray):
        raise TypeError(
            f"{who}: x must be a NumPy array, since it is perturbed in place, got {type(x).__name__}; "
            "pass np.array(x, dtype=float)"
        )
    check_floating_dtype(x, who, "x")
    if not x.flags.writeable:
        raise ValueError(f"{who}: x is read-only, and it is perturbed in place; pass a copy, x.copy()")
    if _may_overlap(x):
        raise ValueError(
            f"{who}: elements of x share memory (strides {x.strides} for shape {x.shape}), so that "
            f"perturbing one moves others; pass a copy, x.copy()"
        )


def check_floating_dtype(x: NDArray[Any], who: str, name: str) -> None:
    """Refuse a dtype that cannot hold a small step: 3 + 1e-4 stored as an integer is 3 again."""
    if x.dtype.kind != "f":
        raise TypeError(
            f"{who}: {name} has dtype {x.dtype}, which cannot hold a small real step; "
            f"pass {name}.astype(float)"
        )


def _may_overlap(x: NDArray[Any]) -> bool:
    """Tell whether two indices can reach one address.

    Sorted by stride, each stride must step over all that the smaller ones span.  Slices and transposes of
    an array always do; a broadcast (stride 0) or a sliding window never does.
    """
    if x.size < 2:
        return False
    reach = x.itemsize
    for stride, length in sorted((abs(s), n) for s, n in zip(x.strides, x.shape, strict=True) if n > 1):
        if stride < reach:
            return True
        reach += stride * (length - 1)
    return False


def as_step(h: object, who: str) -> float:
    """Accept a finite real number above 0."""
    number = _as_real(h, who, "h")
    if not (math.isfinite(number) and number > 0):
        raise ValueError(f"{who}: h must be finite and above 0, got {h!r}; pass e.g. h=1e-4")
    return number


def as_not_negative(value: object, who: str, name: str) -> float:
    """Accept a finite real number, 0 or above."""
    number = _as_real(value, who, name)
    if not (math.isfinite(number) and number >= 0):
        raise ValueError(f"{who}: {name} must be finite and 0 or above, got {value!r}; pass e.g. {name}=0.01")
    return number


def as_count(value: object, who: str, name: str, least: int = 0) -> int:
    """Accept an integer of at least `least`."""
    try:
        if isinstance(value, bool | np.bool):
            raise TypeError
        number = operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        raise TypeError(
            f"{who}: {name} must be an integer, got {value!r} ({type(value).__name__}); "
            f"pass a whole number of at least {least}"
        ) from None
    if number < least:
        raise ValueError(f"{who}: {name} must be at least {least}, got {number}; pass a larger number")
    return number


def _as_real(value: object, who: str, name: str) -> float:
    if isinstance(value, bool | np.bool) or not isinstance(value, int | float | np.integer | np.floating):
        raise TypeError(
            f"{who}: {name} must be a real number, got {value!r} ({type(value).__name__}); pass a float"
        )
    return float(value)
