"""Elements of one number that meet at one place, as the row and the column of a pixel, told apart.

Each side of an index is that of one jump. So elements that meet are numbers of their own: those of one colour
never do.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from oracles.exact.program.jumping import Number, Whose
from oracles.exact.program.program import Var

ROUNDS = 8  # each shows what the elements meet that were told apart in the one before

Colours = NDArray[np.int_]


def told_apart(jumps: Sequence[Number], follow: Callable[[Sequence[Number]], Whose]) -> Whose:
    """What is made of these numbers, each in as many as it needs; `follow` says what is made of some."""
    pairs: dict[Var, set[tuple[int, int]]] = {}
    colours = {number.of: np.zeros(number.of.shape, int) for number in jumps}
    for _ in range(ROUNDS):
        whose = follow([one for number in jumps for one in _coloured(number, colours[number.of])])
        if not whose.meeting:
            break
        for number, these, those in whose.meeting:
            pairs.setdefault(number.of, set()).update(zip(these.tolist(), those.tolist(), strict=True))
        for v, own in pairs.items():
            _colour(colours[v], own)
    return whose


def _coloured(number: Number, colours: Colours) -> list[Number]:
    used = np.unique(colours[~np.isnan(number.jump)]).tolist()
    return [Number(number.of, np.where(colours == c, number.jump, np.nan), number.closed) for c in used]


def _colour(colours: Colours, pairs: set[tuple[int, int]]) -> None:
    """Give each element the first colour that none has which it meets; elements count from 1."""
    beside: dict[int, set[int]] = {}
    for a, b in pairs:
        beside.setdefault(a, set()).add(b)
        beside.setdefault(b, set()).add(a)
    given: dict[int, int] = {}
    for a in sorted(beside):
        taken = {given[b] for b in beside[a] if b in given}
        given[a] = next(c for c in range(len(taken) + 1) if c not in taken)
        colours.flat[a - 1] = given[a]
