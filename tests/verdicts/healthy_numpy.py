"""Backward passes in plain NumPy that a naive proof accuses or passes: the book's loss, relu, overwriting."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.verdicts.corpus import Implementation
from tests.verdicts.mutants_numpy import silu, softmax

LABELS = np.array([2, 0, 4, 1])
EPSILON = 1e-7


def _one_hot(p: Any) -> Any:
    t = np.zeros_like(p)
    t[np.arange(len(p)), LABELS] = 1
    return t


def book_loss(x: Any) -> Any:
    """The book's cross entropy of softmax(x), with log(y + 1e-7)."""
    p = softmax(x)
    return -np.log(p[np.arange(len(p)), LABELS] + EPSILON).sum() / len(p)


def ideal_loss(x: Any) -> Any:
    """The loss that the book's gradient belongs to: without the 1e-7."""
    p = softmax(x)
    return -np.log(p[np.arange(len(p)), LABELS]).sum() / len(p)


def book_vjp(cotangent: Any, x: Any) -> Any:
    """(y - t) / batch, the gradient of the ideal loss."""
    p = softmax(x)
    return cotangent * (p - _one_hot(p)) / len(p)


def exact_vjp(cotangent: Any, x: Any) -> Any:
    """The gradient of the loss as it is: each row of the book's times y / (y + 1e-7) at its label."""
    p = softmax(x)
    label = p[np.arange(len(p)), LABELS][:, None]
    return cotangent * (label / (label + EPSILON)) * (p - _one_hot(p)) / len(p)


def softmax_overwriting(cotangent: Any, x: Any) -> Any:
    """The products overwrite a copy that is then used as if it were still the cotangent."""
    y = softmax(x)
    g = cotangent.copy()
    products = g
    products *= y
    return y * (g - products.sum(axis=-1, keepdims=True))


def silu_overwriting(cotangent: Any, x: Any) -> Any:
    """`part` is overwritten through `out=`, and then used as if it were still g s."""
    s = 1 / (1 + np.exp(-x))
    part = cotangent * s
    rest = np.multiply(part, 1 - s, out=part)
    return part + x * rest


def silu_in_place(cotangent: Any, x: Any) -> Any:
    """In place as well, and right: what is overwritten is not used again."""
    s = 1 / (1 + np.exp(-x))
    slope = 1 - s
    slope *= x
    slope += 1
    slope *= s
    slope *= cotangent
    return slope


def silu_overwriting_the_cotangent(cotangent: Any, x: Any) -> Any:
    """Right numbers, but the caller's array is overwritten."""
    s = 1 / (1 + np.exp(-x))
    cotangent *= s * (1 + x * (1 - s))
    return cotangent


def relu(at_zero: float) -> Implementation:
    """relu whose slope at exactly 0 is `at_zero`."""

    def vjp(cotangent: Any, x: Any) -> Any:
        slope = np.zeros_like(x)
        slope[x > 0] = 1
        slope[x == 0] = at_zero
        return cotangent * slope

    return Implementation(lambda x: np.maximum(x, 0), vjp)


BOOK = Implementation(book_loss, book_vjp)
BOOK_EXACT = Implementation(book_loss, exact_vjp)
SOFTMAX_OVERWRITING = Implementation(softmax, softmax_overwriting)
SILU_OVERWRITING = Implementation(silu, silu_overwriting)
SILU_IN_PLACE = Implementation(silu, silu_in_place)
SILU_OVERWRITING_THE_COTANGENT = Implementation(silu, silu_overwriting_the_cotangent)
