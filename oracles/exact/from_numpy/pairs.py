"""Complex arrays as pairs of real numbers along a last axis, and back: recorded or not."""

from __future__ import annotations

from typing import Any

import numpy as np

from oracles.exact.from_numpy.array import TracedArray, is_traced
from oracles.exact.program.complex import OF_PARTS, Complex
from oracles.exact.program.primitives.arrays import concatenate, index


def joined(pairs: Any) -> Any:
    """Pairs as complex numbers, in the same memory where they lie side by side."""
    if not is_traced(pairs):
        return _joined(np.asarray(pairs))
    re, im = (pairs.tape.read(pairs.tokens[..., k], pairs.dtype.name) for k in (0, 1))
    value = _joined(np.asarray(pairs.in_numpy)).copy("K")
    return TracedArray(pairs.tape, value, pairs.tape.register(Complex(re, im), value))


def _joined(pairs: Any) -> Any:
    if pairs.strides[-1] != pairs.itemsize:
        pairs = np.ascontiguousarray(pairs)
    return pairs.view(OF_PARTS[pairs.dtype.name])[..., 0]


def split(numbers: Any) -> Any:
    """Complex numbers as pairs."""
    if not is_traced(numbers):
        return np.stack([np.real(numbers), np.imag(numbers)], -1)
    recorded, value = numbers.recorded, np.asarray(numbers.in_numpy)
    sides = [index(v, lambda p: p[..., None]) for v in (recorded.re, recorded.im)]
    both = np.stack([value.real, value.imag], -1)
    return TracedArray(numbers.tape, both, numbers.tape.register(concatenate(sides, -1), both))
