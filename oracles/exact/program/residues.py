"""Arrays of numbers modulo the prime 2^61 - 1: the arithmetic of a field, in which no digit is lost.

A product of two is four of their halves, as 2^62 = 2 here and 2^61 = 1: no sum below exceeds 64 bits.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from oracles.exact.program.program import Array

BITS = 61
PRIME = 2**BITS - 1
HALF = 31  # bits
GOLDEN = np.uint64(0x9E3779B97F4A7C15)  # 2^64 over the golden ratio: what SplitMix64 adds
AT_ONCE = 2**14  # numbers that the processor keeps at hand
LIMB, EXACT = 21, 2**11  # bits of a third; so many products of two of these have an exact sum in float64

Residues: TypeAlias = NDArray[np.uint64]


def reduced(x: Residues) -> Residues:
    """Numbers of 64 bits in the field."""
    x = (x & PRIME) + (x >> BITS)
    return np.asarray(x - (x >= PRIME) * np.uint64(PRIME))


def whole(numbers: Array) -> Residues:
    """Integers and booleans in the field."""
    numbers = np.asarray(numbers)
    if numbers.dtype.kind != "i":
        return reduced(numbers.astype(np.uint64))
    size = reduced(np.abs(numbers.astype(np.int64)).astype(np.uint64))  # of -2^63 too, which wraps to itself
    return np.asarray(np.where(numbers < 0, negative(size), size))


def fraction(numbers: Array) -> Residues:
    """Finite floats in the field, exactly: each is m 2^e, and 2^61 is 1."""
    mantissas, exponents = np.frexp(np.asarray(numbers, np.float64))
    return shifted(whole((mantissas * 2.0**53).astype(np.int64)), exponents - 53)


def shifted(x: Residues, exponents: Array | int) -> Residues:
    """x 2^e: its 61 bits, turned."""
    e = np.asarray(np.mod(exponents, BITS)).astype(np.uint64)
    return np.asarray(((x << e) & PRIME) | (x >> (np.uint64(BITS) - e)))


def negative(x: Residues) -> Residues:
    """-x."""
    return reduced(PRIME - x)


def added(x: Residues, y: Residues) -> Residues:
    """x + y."""
    return reduced(x + y)


def multiplied(x: Residues, y: Residues) -> Residues:
    """x y."""
    if max(x.size, y.size) <= AT_ONCE:
        return _multiplied(x, y)
    parts = np.nditer([x, y, None], ["external_loop", "buffered"], buffersize=AT_ONCE)
    with parts:
        for one, other, found in parts:
            found[...] = _multiplied(one, other)
        return parts.operands[2]


def _multiplied(x: Residues, y: Residues) -> Residues:
    low = 2**HALF - 1
    x1, x0, y1, y0 = x >> HALF, x & low, y >> HALF, y & low
    middle = x1 * y0 + x0 * y1
    rest = HALF - 1
    return reduced(((x1 * y1) << 1) + (middle >> rest) + ((middle & (2**rest - 1)) << HALF) + x0 * y0)


def inverse(x: Residues) -> Residues:
    """1 / x, and 0 of 0: all from that of their product, by the products of pairs, of pairs of these, ..."""
    row = np.where(x == 0, np.uint64(1), x).ravel()
    levels = []
    while row.size > 1:
        levels.append(np.append(row, np.uint64(1)) if row.size % 2 else row)
        row = multiplied(levels[-1][::2], levels[-1][1::2])
    found = np.array([pow(int(n), -1, PRIME) for n in row.tolist()], np.uint64)
    for level in reversed(levels):
        both = np.empty_like(level)
        both[::2], both[1::2] = (multiplied(found[: level.size // 2], level[k::2]) for k in (1, 0))
        found = both
    return np.asarray(np.where(x == 0, x, found[: x.size].reshape(x.shape)))


def total(x: Residues, axes: Sequence[int]) -> Residues:
    """The sum over axes, of at most 2^33 numbers."""
    high, low = (np.add.reduce(part, axis=tuple(axes), dtype=np.uint64) for part in _halves(x))
    return added(shifted(reduced(np.asarray(high)), HALF), reduced(np.asarray(low)))


def running(x: Residues, axis: int) -> Residues:
    """The sums up to each place of an axis."""
    high, low = (np.cumsum(part, axis, dtype=np.uint64) for part in _halves(x))
    return added(shifted(reduced(high), HALF), reduced(low))


def _halves(x: Residues) -> tuple[Residues, Residues]:
    return np.right_shift(x, HALF), np.bitwise_and(x, 2**HALF - 1)


def scattered(x: Residues, where: Array, size: int) -> Residues:
    """Zeros with a row of numbers added at their places: float64 has the sum of 2^22 halves exactly."""
    found = np.zeros(size, np.uint64)
    for first in range(0, x.size, 2**22):
        some = slice(first, first + 2**22)
        high, low = (
            np.bincount(where[some], part.astype(np.float64), size).astype(np.uint64)
            for part in _halves(x[some])
        )
        found = added(found, added(shifted(reduced(high), HALF), reduced(low)))
    return found


def product(x: Residues, y: Residues) -> Residues:
    """The product of matrices, by thirds of the numbers, whose sums of products float64 has exactly."""
    found = np.zeros((*np.broadcast_shapes(x.shape[:-2], y.shape[:-2]), x.shape[-2], y.shape[-1]), np.uint64)
    for first in range(0, x.shape[-1], EXACT):
        some = slice(first, first + EXACT)
        rows, columns = _thirds(x[..., some]), _thirds(y[..., some, :])
        for i, row in enumerate(rows):
            for j, column in enumerate(columns):
                part = np.matmul(row, column).astype(np.uint64)
                found = added(found, shifted(reduced(part), LIMB * (i + j)))
    return found


def _thirds(x: Residues) -> list[Array]:
    return [((x >> (LIMB * k)) & (2**LIMB - 1)).astype(np.float64, "C") for k in range(3)]


def mixed(x: Any) -> Any:
    """64 bits, of which each depends on all of those that are given.

    The finaliser of SplitMix64 (Steele, Lea and Flood, Fast splittable pseudorandom number generators, OOPSLA
    2014, section 3).
    """
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def drawn(name: str, *arrays: Residues) -> Residues:
    """A number of the field for each element, as if by chance: one for one name and the same elements."""
    start = int.from_bytes(blake2b(name.encode(), digest_size=8).digest(), "little")
    state: Any = np.asarray(start, np.uint64)
    with np.errstate(over="ignore"):  # of numbers by themselves NumPy says that they wrap
        for array in arrays or (np.zeros((), np.uint64),):
            state = mixed(state + array + GOLDEN)
    return reduced(state >> 3)
