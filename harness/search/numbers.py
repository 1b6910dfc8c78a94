"""The numbers of a dtype: their order, a draw over all of them, and which one a reader takes for simpler."""

from __future__ import annotations

import math
from functools import cache

import numpy as np
from numpy.typing import NDArray

from harness.subject.derivative import Array, Floating
from oracles.exact.program.formats import format_of

Ordinals = NDArray[np.int64]
INTEGER = 10  # largest of the small integers that are drawn
DECADES = 3  # of the numbers of ordinary size: from 10^-3 to 10^3
PLAIN = (1e-4, 1e6)  # sizes that are written without an exponent
CLOSE = 4  # how many numbers further the neighbours are that are drawn


def ordinals(numbers: Array) -> Ordinals:
    """The place of each number among those of its dtype, 0 at zero: neighbours differ by 1."""
    bits = np.ascontiguousarray(numbers).view(f"i{numbers.dtype.itemsize}")
    least = np.iinfo(bits.dtype).min
    return np.where(bits >= 0, bits, least - bits).astype(np.int64)


def at_ordinals(places: Ordinals, dtype: Floating) -> Array:
    """The finite numbers at these places; beyond the largest, that."""
    last = _last(dtype)
    held = np.clip(places, -last, last)
    kind = np.dtype(f"i{dtype.itemsize}")
    bits = np.where(held >= 0, held, np.iinfo(kind).min - held)
    return np.ascontiguousarray(bits.astype(kind)).view(dtype)


@cache
def _last(dtype: Floating) -> int:
    return int(ordinals(np.array([float(format_of(dtype.name).largest)], dtype))[0])


@cache
def special(dtype: Floating) -> Array:
    """Zeros of both signs, a few small numbers, those beside 1, and the ends of the format, of both signs."""
    of = format_of(dtype.name)
    largest = float(of.largest)
    sizes = [
        0.0, 1.0, 2.0, 3.0, 0.5, 10.0, 1 + 2 * of.unit, 1 - of.unit, of.unit, math.sqrt(largest),
        of.normal, math.sqrt(of.normal), largest,
    ]  # fmt: skip
    found = np.array([*sizes, *(-size for size in sizes)], dtype)
    return np.concatenate([found, at_ordinals(np.array([1, -1]), dtype)])


def drawn(rng: np.random.Generator, dtype: Floating, count: int) -> Array:
    """So many numbers: special ones and their neighbours, small integers, ordinary sizes, and any at all."""
    known, last = special(dtype), _last(dtype)
    some = known[rng.integers(0, len(known), count)]
    whole = rng.integers(-INTEGER, INTEGER + 1, count).astype(dtype)
    beside = np.where(rng.random(count) < 0.5, some, whole)
    sizes = 10.0 ** rng.uniform(-DECADES, DECADES, count) * rng.choice([-1.0, 1.0], count)
    with np.errstate(all="ignore"):
        kinds = [
            some,
            whole,
            at_ordinals(ordinals(beside) + rng.integers(-CLOSE, CLOSE + 1, count), dtype),
            at_ordinals(ordinals(sizes.astype(dtype)), dtype),
            at_ordinals(rng.integers(-last, last + 1, count), dtype),
        ]
    which = rng.choice(len(kinds), count, p=[0.1, 0.15, 0.1, 0.35, 0.3])
    return np.asarray(np.choose(which, [k.astype(np.float64) for k in kinds]).astype(dtype))


def stepped(rng: np.random.Generator, numbers: Array) -> Array:
    """Numbers near others: from the next one to many powers of two away."""
    digits = 8 * numbers.dtype.itemsize - 1
    steps = 2.0 ** rng.uniform(0, digits - 3, numbers.shape) * rng.choice([-1.0, 1.0], numbers.shape)
    last = _last(numbers.dtype)
    return at_ordinals(np.clip(ordinals(numbers) + steps.astype(np.int64), -last, last), numbers.dtype)


def written(number: float, dtype: str) -> str:
    """The fewest digits that a reader of this dtype takes for the number, as Python writes them."""
    text = format_of(dtype).shortest(number)
    return repr(float(text)) if PLAIN[0] <= abs(number) < PLAIN[1] or not number else text


def effort(number: float, dtype: str) -> tuple[int, float]:
    """What a reader has to take in: the characters of a number, then how far from 1 its size is."""
    if number == 0:
        return (0 if math.copysign(1, number) > 0 else 1), 0.0
    text = written(number, dtype).removesuffix(".0")
    return len(text), abs(math.log2(abs(number)))


def simpler(number: float, dtype: str) -> list[float]:
    """Numbers that are simpler to read, the simplest first: small ones, and the same with fewer digits."""
    size, sign = abs(number), math.copysign(1, number)
    found = [0.0, 1.0, -1.0, 2.0, sign * 10.0, 0.5]
    if size and math.isfinite(size):
        whole = math.floor(math.log10(size))
        found += [sign * float(f"1e{whole + k}") for k in (0, 1) if -320 < whole + k < 308]
        found += [sign * float(f"{size:.{digits}g}") for digits in (1, 2, 3, 4)]
        if size < 2**53:
            found += [sign * float(math.floor(size)), sign * float(math.ceil(size)), number / 2, size]
    kind = format_of(dtype)
    own = {kind.rounded(one): None for one in found}
    least = effort(number, dtype)
    finite = (one for one in own if math.isfinite(one) and effort(one, dtype) < least)
    return sorted(finite, key=lambda one: effort(one, dtype))
