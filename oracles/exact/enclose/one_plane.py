"""Whether kinks of several kinds are on one hyperplane, as rays see it: then it has two sides, and no more.

Of a median, an order turns where two numbers meet, and what is 0 on one side of that is not on the other:
|x - median| has no kink of its own there. So the rays are parted by the state of the kinks along them: the
signs of the gaps, and the orders. There must be two states, and each ray and its opposite have both; and all
gaps, and what parts two numbers that change their places, grow in one proportion. Two hyperplanes that are
nearly one have gaps in other proportions, though no ray may lie between them.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import NamedTuple

import numpy as np
from flint import arb

from oracles.exact.enclose.rays import DISTANCE_BITS
from oracles.exact.program.balls import as_balls
from oracles.exact.program.primitives.sorting import arrange_, tied_blocks
from oracles.exact.program.program import Array, Equation

CLOSE = arb(2) ** -(DISTANCE_BITS // 2)  # to a kink, on rays


class Seen(NamedTuple):
    """A kink along a ray.

    Attributes:
        state: The sign of its gap; or an order, or which is the extreme one, of a row.
        gap: How far it is; None for a row.
        row: Its numbers.
    """

    state: tuple[int, ...]
    gap: arb | None
    row: list[arb]


def seen(equation: Equation, operands: Sequence[Array], at: int) -> Seen:
    """The kink of an element of a result."""
    kink, params = equation.primitive.kink, equation.params
    assert kink is not None
    gap = np.ravel(kink.gap(*operands, **params))[at]
    if isinstance(gap, arb):
        return Seen((int(gap > 0) - int(gap < 0),), gap, [])
    x = as_balls(operands[0])
    axes = params["axes"] if "axes" in params else (params["axis"],)
    rows = np.moveaxis(x, axes, range(-len(axes), 0)).reshape(-1, int(np.prod([x.shape[a] for a in axes])))
    row = rows[int(gap)].tolist()
    if equation.primitive is arrange_:
        return Seen(tuple(chain.from_iterable(tied_blocks(row))), None, row)
    ends = [b if params["largest"] else -b for b in row]
    most = max(b.lower() for b in ends)
    return Seen(tuple(k for k, b in enumerate(ends) if not b < most), None, row)


def is_one_plane(rays: Sequence[Sequence[Seen]]) -> bool:
    """Whether all of these kinks are on one hyperplane.

    Args:
        rays: The kinks along directions, each followed by its opposite.
    """
    states = [tuple(kink.state for kink in ray) for ray in rays]
    pairs = list(zip(states[::2], states[1::2], strict=True))
    if len(set(states)) != 2 or any(one == opposite for one, opposite in pairs):
        return False
    parted = [rays[2 * k : 2 * k + 2][:: 1 if one == states[0] else -1] for k, (one, _) in enumerate(pairs)]
    far = [_far(both) for both in zip(*(zip(*pair, strict=True) for pair in parted), strict=True)]
    if any(own is None for own in far):
        return False
    grown = [own for each in far if each is not None for own in each]
    return bool(grown) and all(_in_proportion(grown[0], own) for own in grown)


def _far(pairs: Sequence[tuple[Seen, Seen]]) -> list[list[arb]] | None:
    """How far a kink is along rays of each side, but where it is 0; None if nobody knows."""
    one, other = pairs[0]
    if one.gap is not None:
        sides = [[kink.gap for kink in side if kink.gap is not None] for side in zip(*pairs, strict=True)]
        if one.state == other.state and all(abs(gap) > CLOSE for side in sides for gap in side):
            return []  # what made it look like a kink is another one
        return [side for side in sides if not all(gap.contains(0) for gap in side)]
    moved = set(one.state).symmetric_difference(other.state)
    moved |= {k for pair in zip(one.state, other.state, strict=False) if pair[0] != pair[1] for k in pair}
    if not moved:
        return []
    if len(moved) != 2:
        return None
    i, j = moved
    return [[kink.row[i] - kink.row[j] for kink in side] for side in zip(*pairs, strict=True)]


def _in_proportion(one: Sequence[arb], other: Sequence[arb]) -> bool:
    if any(gap.contains(0) for gap in (*one, *other)):
        return False
    first, *ratios = (abs(b / a) for a, b in zip(one, other, strict=True))
    return all(first.overlaps(ratio) for ratio in ratios)
