"""Sorting, where a hundred bits tell the order: pairs are moved as they are, and nothing is Arb's.

Where they do not, or numbers are equal, blocks of elements may have any order (`primitives/sorting.py`): what
belongs to one of them may be that of any, and the hull of these is given.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from oracles.exact.core.pairs import Numbers, Pairs
from oracles.exact.program.balls import KINKS

Positions = NDArray[np.int64]
Mask = NDArray[np.bool_]


def _rows(x: Pairs, axis: int) -> tuple[Positions, Pairs] | None:
    """What sorts the middles along the last axis, and the balls so; None if one is not known."""
    rows = _moved(x, axis, -1)
    order = np.lexsort((rows.l, rows.h), axis=-1)
    sorted_ = _along(rows, order)
    return (order, sorted_) if (sorted_.r < np.inf).all() else None


def _neighbours(rows: Pairs) -> tuple[Mask, Mask]:
    """In rows that are sorted by their middles: which are equal to the next one, and of which it is certain.

    What is certain of all neighbours is so of all.
    """
    below, above = rows[..., :-1], rows[..., 1:]
    equal = (below.h == above.h) & (below.l == above.l) & (below.r == 0) & (above.r == 0)
    infinite = (np.isinf(below.h) | np.isinf(above.h)) & (below.h < above.h)
    return equal, equal | infinite | below.misses(above)


def _begins(rows: Pairs) -> Mask:
    """Where a block begins, in rows that are sorted by their middles: all before it is certainly less."""
    begins = np.ones(rows.shape, bool)
    equal, certain = _neighbours(rows)
    begins[..., 1:] = ~equal
    if not certain.all():
        below = np.maximum.accumulate(_ends(rows, 1), -1)[..., :-1]
        above = np.minimum.accumulate(_ends(rows, -1)[..., ::-1], -1)[..., ::-1][..., 1:]
        begins[..., 1:] = np.where(certain.all(-1, keepdims=True), ~equal, below < above)
    return begins


def _ends(x: Pairs, sign: int) -> Numbers:
    """The upper ends of balls (or the lower), outwards: of three numbers' sum less than two ulps are lost."""
    end = (x.h + sign * x.r) + x.l
    outwards = np.nextafter(np.nextafter(end, sign * np.inf), sign * np.inf)
    return np.where((x.l == 0) & (x.r == 0), x.h, outwards)


def _between(low: Numbers, high: Numbers) -> Pairs:
    with np.errstate(invalid="ignore", over="ignore"):
        middle = np.where(low == high, low, 0.5 * low + 0.5 * high)
        radius = np.nextafter(np.maximum(high - middle, middle - low), np.inf)
    return Pairs(middle, np.zeros(middle.shape), np.where(low == high, 0.0, radius))


def _argsort(x: Pairs, *, axis: int) -> Positions | None:
    """Equal numbers keep their own order, as everywhere; of what is not certain nothing is said."""
    found = _rows(x, axis)
    if found is None:
        return None
    order, rows = found
    return np.moveaxis(order, -1, axis) if _neighbours(rows)[1].all() else None


def _sort(x: Pairs, *, axis: int) -> Pairs | None:
    """The k-th smallest lies between the k-th smallest of the lower and of the upper ends."""
    found = _rows(x, axis)
    if found is None:
        return None
    rows = found[1]
    begins = _begins(rows)
    if rows.r.any() and not begins.all():
        alone = _alone(begins)
        between = _between(*(np.sort(_ends(rows, sign), -1) for sign in (-1, 1)))
        rows = _where(alone, rows, between)
    return _moved(rows, -1, axis)


def _arrange(x: Pairs, t: Pairs, *, axis: int, back: bool) -> Pairs | None:
    """Of what belongs to one block every mixture is legal."""
    found = _rows(x, axis)
    if found is None:
        return None
    order, begins = found[0], _begins(found[1])
    arranged = _moved(t, axis, -1)
    if not back:
        arranged = _along(arranged, order)
    if not begins.all():
        arranged = _mixed(arranged, begins)
    if back:
        arranged = _along(arranged, np.argsort(order, -1))
    return _moved(arranged, -1, axis)


def _mixed(t: Pairs, begins: Mask) -> Pairs:
    """In each block the hull of all that is in it; what is one number there stays it."""
    starts = np.flatnonzero(begins.ravel())
    length = np.diff(np.append(starts, begins.size))
    low = np.minimum.reduceat(_ends(t, -1).ravel(), starts)
    high = np.maximum.reduceat(_ends(t, 1).ravel(), starts)
    hull = _between(np.repeat(low, length).reshape(t.shape), np.repeat(high, length).reshape(t.shape))
    first = Pairs(*(np.repeat(part.ravel()[starts], length).reshape(t.shape) for part in (t.h, t.l, t.r)))
    one = (t.h == first.h) & (t.l == first.l) & (t.r == 0)
    whole = np.repeat(np.logical_and.reduceat(one.ravel(), starts), length).reshape(t.shape)
    alone = _alone(begins) | whole
    if not alone.all():
        KINKS.say("elements that are sorted are equal, or may be")
    return _where(alone, t, hull)


def _alone(begins: Mask) -> Mask:
    """Which elements have a block of their own."""
    after = np.ones(begins.shape, bool)
    after[..., :-1] = begins[..., 1:]
    return begins & after


def _where(which: Mask, x: Pairs, y: Pairs) -> Pairs:
    return Pairs(np.where(which, x.h, y.h), np.where(which, x.l, y.l), np.where(which, x.r, y.r))


def _along(x: Pairs, order: Positions) -> Pairs:
    return Pairs(*(np.take_along_axis(part, order, -1) for part in (x.h, x.l, x.r)))


def _moved(x: Pairs, source: int, target: int) -> Pairs:
    return Pairs(*(np.moveaxis(part, source, target) for part in (x.h, x.l, x.r)))


# By the name of the primitive; None where it is Arb's to say. None of these rounds.
ORDERS: dict[str, Any] = {"argsort": _argsort, "sort": _sort, "arrange": _arrange}
