"""Sorting, where a hundred bits tell the order: pairs are moved as they are, and nothing is Arb's."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from oracles.exact.core.pairs import Pairs

Positions = NDArray[np.int64]


def in_order(x: Pairs, axis: int) -> tuple[Positions, bool] | None:
    """What sorts balls along an axis, and whether some are equal; None where that is not certain.

    Equal numbers keep their own order, as everywhere. What is certain of neighbours is so of all.
    """
    order = np.lexsort((x.l, x.h), axis=axis)
    rows = Pairs(*(np.moveaxis(np.take_along_axis(part, order, axis), axis, -1) for part in (x.h, x.l, x.r)))
    below, above = rows[..., :-1], rows[..., 1:]
    equal = (below.h == above.h) & (below.l == above.l) & (below.r == 0) & (above.r == 0)
    infinite = (np.isinf(below.h) | np.isinf(above.h)) & (below.h < above.h)
    if not (rows.r < np.inf).all() or not (equal | infinite | below.misses(above)).all():
        return None
    return order, bool(equal.any())


def _argsort(x: Pairs, *, axis: int) -> Positions | None:
    found = in_order(x, axis)
    return found and found[0]


def _sort(x: Pairs, *, axis: int) -> Pairs | None:
    found = in_order(x, axis)
    return found and _along(x, found[0], axis)


def _arrange(x: Pairs, t: Pairs, *, axis: int, back: bool) -> Pairs | None:
    """Of what belongs to equal numbers every mixture is legal, which Arb's rule knows."""
    found = in_order(x, axis)
    if found is None or found[1]:
        return None
    order, _ = found
    return _along(t, np.argsort(order, axis) if back else order, axis)


def _along(x: Pairs, order: Positions, axis: int) -> Pairs:
    return Pairs(*(np.take_along_axis(part, order, axis) for part in (x.h, x.l, x.r)))


# By the name of the primitive; None where it is Arb's to say. None of these rounds.
ORDERS: dict[str, Any] = {"argsort": _argsort, "sort": _sort, "arrange": _arrange}
