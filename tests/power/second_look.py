"""The second look at a derivative: mpmath's, by differences on both sides of the point."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import mpmath as mp  # type: ignore[import-untyped]

# The step is far below the smallest number of any dtype. Its digits, those of a second difference twice, and
# the 600 between the sizes of floating numbers are all before the first digit of a difference.
STEP, DIGITS = 345, (420, 800, 1500)
SAME, NOTHING = mp.mpf(10) ** -15, mp.mpf(10) ** -330
FIVE_DIGITS = mp.mpf(10) ** -4
Truth = Callable[..., Any]


def confirms(truth: Truth, point: Sequence[float], place: int | None, order: int, given: str) -> bool:
    """Whether the function has one slope at this point, and mpmath's derivative is the given one.

    Of order 1 it is the one in the number at `place`, or along (1, ..., 1) where there is no place; of order
    2 the one at `place` of the derivative along (1, ..., 1).
    """
    count = len(point)
    ones, *units = [(1,) * count, *(tuple(int(k == at) for k in range(count)) for at in range(count))]
    inner = units[place] if place is not None else ones
    directions = [inner] if order == 1 else [ones, inner]
    for digits in DIGITS[order - 1 :]:
        with mp.workdps(digits):
            true = _middle(truth, point, directions)
            true = mp.mpf(0) if abs(true) < NOTHING else true
            # Too few digits show as 0: that is believed of the most alone.
            known = true or digits == DIGITS[-1]
            if (
                known
                and _is(true, given)
                and all(_is_smooth(truth, point, along) for along in (ones, *units))
            ):
                return True
    return False


def slope(truth: Truth, point: Sequence[float], place: int) -> Any:
    """mpmath's derivative in the number at `place`; None where the function has no one slope."""
    units = [tuple(int(k == at) for k in range(len(point))) for at in range(len(point))]
    with mp.workdps(DIGITS[-1]):
        if not all(_is_smooth(truth, point, along) for along in units):
            return None
        return _middle(truth, point, [units[place]])


def _middle(truth: Truth, point: Sequence[float], directions: Sequence[Sequence[int]]) -> Any:
    """Between the slopes on the two sides."""
    below, above = (_slope(truth, point, directions, side * _step(STEP)) for side in (-1, 1))
    return (below + above) / 2


def _is(true: Any, given: str) -> bool:
    """Whether a number is the given one; far beyond every dtype that is a power of ten, of five digits."""
    sign, power, exponent = given.partition("10^(")
    if not power:
        return bool(abs(mp.mpf(given) - true) <= SAME * abs(true))
    size = mp.mpf(exponent.rstrip(")"))
    same_sign = true and (true < 0) == (sign == "-")
    return bool(same_sign and abs(mp.log10(abs(true)) - size) <= FIVE_DIGITS * abs(size))


def _is_smooth(truth: Truth, point: Sequence[float], along: Sequence[int]) -> bool:
    """Whether the slopes on the two sides are one: or come together as the step gets smaller."""
    gaps = []
    for digits in (STEP, STEP + 5):
        step = _step(digits)
        below, above = (_slope(truth, point, [along], side * step) for side in (-1, 1))
        gaps.append(abs(above - below))
        if gaps[-1] <= SAME * abs(above) or gaps[-1] < NOTHING:
            return True
    return bool(gaps[1] < gaps[0] / 1000)


def _slope(truth: Truth, point: Sequence[float], directions: Sequence[Sequence[int]], step: Any) -> Any:
    """The one-sided difference along one direction, or of those along two."""

    def at(*along: Sequence[int]) -> Any:
        return truth(*(mp.mpf(x) + step * sum(moves) for x, *moves in zip(point, *along, strict=True)))

    if len(directions) == 1:
        return (at(*directions) - at()) / step
    first, second = directions
    return (at(first, second) - at(first) - at(second) + at()) / step**2


def _step(digits: int) -> Any:
    return mp.mpf(10) ** -digits
