"""Is what was recorded what runs? A value that ran, against the recorded run's, its bound and the truth."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from operator import contains

import numpy as np
from flint import arb
from numpy.typing import NDArray

from harness.proof.apart import SMALL
from harness.proof.evidence import distance
from harness.proof.remembered import bounded
from harness.subject.derivative import Array
from oracles.exact.core.pairs import Pairs
from oracles.exact.enclose.enclosure import Enclosure
from oracles.exact.program.errors import ExactError, Undecided
from oracles.exact.program.formats import format_of
from oracles.exact.program.indices import first_true
from oracles.exact.program.recording import Recording
from oracles.exact.rounding.bound import ROUNDING_MODELS

OTHER_PATH = (
    "the recorded run took another branch than the real run (by a check of types, a caught error or torch's "
    "grad mode?), so nothing is proven of what runs"
)
OTHER_FUNCTION = (
    "the recorded run gave another value than the real run: it took another branch, or one of its operations "
    "is not the function that it is taken for (or none of its digits is left)"
)
CLOSER = 2.0**-10  # of an error of rounding at most so much is left in float64


def confirm(forward: Recording, values: Sequence[Array], true: Sequence[Enclosure], rounding: str) -> None:
    """Compare the values of a function that ran with what was recorded of it.

    Args:
        forward: The function, recorded.
        values: What it returned where it ran by itself, in the shapes of the record's outputs.
        true: The exact values of the record.
        rounding: The name of its rounding model.

    Raises:
        Undecided: They are further apart than both may round, or have other shapes.
    """
    if true:
        has_shapes(forward, values)
    for k, (value, enclosure) in enumerate(zip(values, true, strict=True)):
        if not is_rounded(enclosure, value, value.dtype.name):
            balls = partial(bound_of, forward, k, rounding)
            said = elsewhere(forward, k, value, enclosure, balls, rounding)
            if said:
                raise Undecided(said)


def has_shapes(forward: Recording, values: Sequence[Array]) -> None:
    """Compare the shapes of a function's values with those of its record: a cotangent has the record's.

    Raises:
        Undecided: They are others.
    """
    ran, there = [v.shape for v in values], [v.shape for v in forward.program.outputs]
    if ran != there:
        one = len(ran) == len(there) == 1
        said = f"shape {ran[0]}, and {there[0]}" if one else f"shapes {ran}, and {there}"
        raise Undecided(f"{OTHER_PATH}: its value has {said} where it is recorded")


def is_rounded(true: Enclosure, value: Array, dtype: str) -> bool:
    """Whether every element is within half an ulp of the truth, so that every bound holds it."""
    return bool(np.all(distance(true, value.astype(np.float64)) <= half_ulp(true, dtype)))


def half_ulp(true: Enclosure, dtype: str) -> NDArray[np.float64]:
    """Half an ulp of each true element in that dtype."""
    half: NDArray[np.float64] = format_of(dtype).ulp(true.mid) / 2
    return half


def bound_of(program: Recording, k: int, rounding: str, branch: bool = False) -> Array | Pairs | None:
    """B of the result of that number; None if nothing is known of it.

    Of the recorded `branch` alone: rounding may take another one, and then that B does not hold what runs.
    """
    try:
        whole = replace(program.program, guards=[]) if branch else program.program
        result = whole.giving(slice(k, k + 1))
        return bounded(result, program.values, ROUNDING_MODELS[rounding]).found[0]
    except ExactError:
        return None


def outside(balls: Array | Pairs | None, value: Array, true: Enclosure) -> str:
    """What lies outside the bound of its program; "" if nothing does, or nothing is bounded."""
    beyond, _ = _beyond(balls, value)
    if not beyond.any():
        return ""
    at = _first(beyond)
    return f"{float(value[at])!r} where the truth is {true.shown(at)}, outside what its rounding allows"


def _beyond(balls: Array | Pairs | None, value: Array) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which elements are outside their bound, and which have a finite one."""
    if balls is None:
        return np.zeros(value.shape, bool), np.zeros(value.shape, bool)
    if isinstance(balls, Pairs):
        numbers, finite = value.astype(np.float64), np.isfinite(balls.r)
        return np.isnan(numbers) | (finite & ~balls.contains(numbers)), finite
    flat, numbers = balls.ravel().tolist(), value.astype(np.float64).ravel()
    finite = np.fromiter(map(arb.is_finite, flat), bool, len(flat))
    inside = np.fromiter(map(contains, flat, numbers.tolist()), bool, len(flat))
    beyond = np.isnan(numbers) | (finite & ~inside)
    return beyond.reshape(value.shape), finite.reshape(value.shape)


def elsewhere(
    program: Recording,
    k: int,
    value: Array,
    true: Enclosure,
    bounded: Callable[[], Array | Pairs | None],
    rounding: str,
) -> str:
    """Why what was recorded is not what ran, "" if it may be.

    The same operations give the same numbers up to their rounding. A kernel may round more than its model
    allows, and then it does so where it is recorded too: by as much again the two may differ, where the model
    bounds nothing by half of the digits. And what is off by a hundredth, or by half of the digits of a format
    that has fewer, of the largest element where nothing bounds it is another function than was recorded; but
    where it is near the truth as soon as the same numbers are float64, digits cancel in the function itself.
    B is `bounded` only where it is needed.
    """
    numbers, half = value.astype(np.float64), 2.0 ** -(format_of(value.dtype.name).digits / 2)
    off, least, size = distance(true, numbers), max(SMALL, half), np.abs(true.mid)
    if not program.runs_again and np.all(off <= least * size) and _other_numbers(program, k, value) is None:
        return ""
    balls = bounded()
    beyond, ends = _beyond(balls, value)
    if ends.all() and not beyond.any():
        return ""
    known = beyond & ends & np.isfinite(numbers)
    far = known & (off > least * size)
    # Where nothing bounds a kernel (LAPACK's vectors), its errors are as large as its largest elements.
    unknown = ~ends & np.isfinite(numbers) & np.isfinite(size)
    largest = np.max(size, initial=0.0, where=np.isfinite(size))
    lost = unknown & (off > least * largest)
    if lost.any() and not _is_nearer(program, k, true, CLOSER * np.max(off, where=lost, initial=0.0)):
        far |= lost & ~_is_of_branch(program, k, value, rounding)
    if far.any():
        at = _first(far)
        here = float(numbers[at])
        return f"{OTHER_FUNCTION}: its value is {here!r} at {list(at)}, and exactly it is {true.shown(at)}"
    most = half * size
    allowed = most if balls is None else widths(balls, most)
    if np.all((off <= allowed) | _overflown(true, value)):
        return ""  # what is found below is off from it by both distances at the most, and that is allowed
    ran = _other_numbers(program, k, value)
    if ran is None:
        return ""
    found = ran.astype(np.float64)
    with np.errstate(all="ignore"):
        off = np.abs(found - numbers)
        differs = (off > allowed + 2 * distance(true, found)) | (np.isfinite(found) != np.isfinite(numbers))
    if not differs.any():
        return ""
    at = _first(differs)
    here, there = float(numbers[at]), float(found[at])
    return f"{OTHER_PATH}: its value is {here!r} at {list(at)}, and {there!r} where it is recorded"


def _is_of_branch(program: Recording, k: int, value: Array, rounding: str) -> NDArray[np.bool_]:
    """Which elements the recorded branch may round to, where the code branches."""
    balls = bound_of(program, k, rounding, branch=True) if program.program.guards else None
    beyond, ends = _beyond(balls, value)
    return ends & ~beyond


def _other_numbers(program: Recording, k: int, value: Array) -> Array | None:
    """That result where it is recorded; None where it is the same, or nothing is known of it."""
    ran = program.executed()
    known = bool(ran) and ran[k].shape == value.shape
    return None if not known or np.array_equal(ran[k], value, equal_nan=True) else ran[k]


def _is_nearer(program: Recording, k: int, true: Enclosure, most: float) -> bool:
    """Whether that result is everywhere so near to the truth where the function computes in float64."""
    try:
        with np.errstate(all="ignore"):
            ran = program.wider()
    except Exception:  # it may know no other dtype than its own
        return False
    known = bool(ran) and ran[k].shape == true.shape
    return known and bool(np.all(distance(true, ran[k].astype(np.float64)) <= most))


def _overflown(true: Enclosure, value: Array) -> NDArray[np.bool_]:
    """Where a value is infinite, as its truth is in that dtype."""
    return np.isinf(value) & (np.sign(value) * true.mid >= float(format_of(value.dtype.name).overflow))


def _first(where: Array) -> tuple[int, ...]:
    return first_true(where)


def widths(balls: Array | Pairs, otherwise: NDArray[np.float64]) -> NDArray[np.float64]:
    """How far apart two values in a ball can be; `otherwise` where it has no end."""
    if isinstance(balls, Pairs):
        return np.where(np.isfinite(balls.r), 2 * balls.r, otherwise)
    ends = [2 * float(b.rad()) if b.is_finite() else math.inf for b in balls.ravel().tolist()]
    widths = np.array(ends).reshape(balls.shape)
    return np.where(np.isfinite(widths), widths, otherwise)
