"""Complex numbers as pairs of real ones along a last axis: arrays, their names and shapes, directions."""

from __future__ import annotations

from typing import Any

import numpy as np

from harness.subject.derivative import Array
from oracles.exact.program.complex import REAL
from oracles.exact.program.errors import Unsupported
from oracles.exact.program.trees import flatten, is_complex
from oracles.frameworks.framework import on_host


class ComplexName(str):
    """The name of a complex array, which is one of pairs here."""

    def at(self, index: tuple[int, ...]) -> str:
        """What an element of the pairs is called."""
        *place, part = index
        of = f"{self}[{', '.join(map(str, place))}]" if place else str(self)
        return f"{of}.{('real', 'imag')[part]}"


def shape_of(name: str, array: Array) -> tuple[int, ...]:
    """That of an array, as the user has it."""
    return array.shape[:-1] if isinstance(name, ComplexName) else array.shape


def as_pairs(numbers: Array) -> Array:
    """Complex numbers as pairs along a last axis, in the same memory.

    Raises:
        Unsupported: Their parts are no float32 or float64.
    """
    if numbers.dtype.name not in REAL:
        raise Unsupported(f"{numbers.dtype}: use complex64 or complex128")
    size = np.dtype(REAL[numbers.dtype.name]).itemsize
    shape, steps = (*numbers.shape, 2), (*numbers.strides, size)
    return np.lib.stride_tricks.as_strided(numbers.real, shape, steps)


def directions_as_pairs(given: Any, conjugated: bool) -> Any:
    """A tree of cotangents or tangents, the complex ones as pairs."""
    leaves, tree = flatten("numpy", given)
    if not any(map(is_complex, leaves)):
        return given
    hosts = [np.array(on_host(leaf)) if is_complex(leaf) else leaf for leaf in leaves]
    return tree.filled([as_pairs(h.conj() if conjugated else h) if is_complex(h) else h for h in hosts])
