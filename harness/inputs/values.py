"""What boundary values are made of: each maker takes a source of ordinary numbers, and returns an array."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np

from harness.subject.arrays import Array, Floating
from oracles.exact.program.formats import format_of


class Source(Protocol):
    """Where an array of a shape and dtype gets its ordinary numbers from: a draw, or a user's array."""

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape, of at least one axis."""

    @property
    def dtype(self) -> Floating:
        """The floating dtype."""

    def numbers(self, shape: tuple[int, ...]) -> Array:
        """A new array of ordinary numbers of another shape, nowhere longer than its own."""

    def signs(self) -> Array:
        """Plus and minus one, in float64."""

    def strided(self) -> Array:
        """Ordinary numbers of its own shape, contiguous in no order."""


def full(value: float) -> Callable[[Source], Array]:
    """One value everywhere."""
    return lambda of: np.full(of.shape, value, of.dtype)


def sized(size: float | Callable[[str], float]) -> Callable[[Source], Array]:
    """Numbers of one size and both signs; the size may depend on the dtype."""

    def make(of: Source) -> Array:
        return np.asarray(of.signs() * (size(of.dtype.name) if callable(size) else size), of.dtype)

    return make


def zeroed(count: int) -> Callable[[Source], Array]:
    """So many zeros, and ordinary numbers: products and quotients see them."""

    def make(of: Source) -> Array:
        found = of.numbers(of.shape)
        found.ravel()[:count] = 0
        return found

    return make


def zeros(of: Source) -> Array:
    """Zeros of both signs."""
    return np.asarray(np.where(alternate(of.shape), 0.0, -0.0), of.dtype)


def ties(of: Source) -> Array:
    """The first two columns equal and the largest: two candidates for every maximum."""
    found = of.numbers(of.shape)
    found[..., :2] = np.abs(found).max()
    return found


def equal_rows(of: Source) -> Array:
    """Each row one number, repeated."""
    return np.repeat(of.numbers((*of.shape[:-1], 1)), of.shape[-1], axis=-1)


def constant(of: Source) -> Array:
    """One ordinary number everywhere."""
    return np.broadcast_to(of.numbers((1,) * len(of.shape)), of.shape).copy()


def distinct(of: Source) -> Array:
    """All numbers different: from above 0 to 1, in steps of one size."""
    size = int(np.prod(of.shape))
    return np.asarray(np.arange(1, size + 1).reshape(of.shape) / size, of.dtype)


def integers(of: Source) -> Array:
    """The nearest integers: knots, borders, and where functions with steps take their steps."""
    return np.asarray(np.round(of.numbers(of.shape).astype(np.float64)), of.dtype)


def stride_0(of: Source) -> Array:
    """One row shown many times (a broadcast view, read-only)."""
    return np.broadcast_to(of.numbers((1, *of.shape[1:])), of.shape)


def strided(of: Source) -> Array:
    """Contiguous in no order."""
    return of.strided()


def one_element(of: Source) -> Array:
    """One element along each axis."""
    return of.numbers((1,) * len(of.shape))


def batch_of_one(of: Source) -> Array:
    """One row."""
    return of.numbers((1, *of.shape[1:]))


def empty(of: Source) -> Array:
    """No row."""
    return of.numbers((0, *of.shape[1:]))


def alternate(shape: tuple[int, ...]) -> Array:
    """True at every other element."""
    even: Array = np.arange(np.prod(shape, dtype=int)).reshape(shape) % 2 == 0
    return even


def exp_overflow(dtype: str) -> float:
    """Beyond what the exponential of this dtype can hold."""
    return 710.0 if dtype == "float64" else float(np.log(float(format_of(dtype).overflow))) + 1


def tiny(dtype: str) -> float:
    """1e-300; in a dtype that cannot hold it, some 2^16 of its smallest normal numbers."""
    of = format_of(dtype)
    return max(1e-300, 2.0 ** min(16, -of.least_exponent // 2) * of.normal)


def huge(dtype: str) -> float:
    """1e10; in a dtype that cannot hold it, a sixteenth of its largest number."""
    return 1e10 if dtype == "float64" else min(1e10, float(format_of(dtype).overflow) / 16)


def exp2_overflow(dtype: str) -> float:
    """The exponent from which on powers of two overflow."""
    return format_of(dtype).greatest_exponent + 1


def square_overflow(dtype: str) -> float:
    """A power of two whose square overflows."""
    return float(2.0 ** (exp2_overflow(dtype) // 2 + 1))


def subnormal(dtype: str) -> float:
    """A quarter of the smallest normal number."""
    return format_of(dtype).normal / 4
