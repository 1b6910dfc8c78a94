"""Sides of kinks that no ray has seen: slopes that agree on all rays may be others there.

The smallest of five random numbers is seldom above 0, so max(min(x), 0) looks like 0 from nearly everywhere.
That the slopes around agree tells something of an element only if each kink that it hangs on was seen on both
sides, and had a part in the element where it was. There is no other side where interval arithmetic around the
point says so (max(|x|, 0)), and none is looked for where two numbers are the same on all rays.

A side that random rays do not see is looked for: where all numbers grow, or fall, and by steps along the
gradient of what is 0 at the kink (Polyak, Minimization of unsmooth functionals, 1969). Close by it is linear
in pieces, and its pieces are few.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

import numpy as np
from flint import arb

from oracles.exact.enclose.components import Component, Hanging, Kinks, OneSide, Operands, is_known
from oracles.exact.enclose.evaluate import Work, evaluate
from oracles.exact.enclose.rays import DISTANCE_BITS, Direction, moved, sizes_of
from oracles.exact.program.balls import as_balls, each, exact, precision
from oracles.exact.program.derive import vjp
from oracles.exact.program.errors import Undecided
from oracles.exact.program.primitives.choices import blend_
from oracles.exact.program.primitives.edges import edge_rate
from oracles.exact.program.primitives.lengths import unit_
from oracles.exact.program.primitives.reductions import mixture, weights
from oracles.exact.program.primitives.sorting import arrange_
from oracles.exact.program.program import Array, Equation, Program

MOST = 64  # kinks that are looked at one by one
STEPS = 32  # towards a side
AROUND = 200  # bits: how near to the point a side is, if there is one
LEAST = 2.0**-20  # of what a gap may be above 0, that it is below 0 where it has another side
SAME = arb(2) ** -100  # of the largest result
BEYOND = 2.0**-30  # how far a step leads beyond what is 0, at which another piece may begin
JITTER = 2.0**-10  # of the numbers that grow together, that no two are tied

ROWS = (weights, mixture, arrange_)
SIDELESS = (unit_, edge_rate)  # what is 0 at their kinks has not two sides
Site = tuple[int, int]  # the number of an equation and that of an element of it


def together(shapes: Mapping[int, tuple[int, ...]]) -> Iterator[Direction]:
    """All numbers grow; all fall."""
    rng = np.random.default_rng(0)
    grow = {i: 1 + JITTER * rng.normal(size=shape) for i, shape in shapes.items()}
    yield grow
    yield {i: -d for i, d in grow.items()}


def unseen(
    program: Program,
    inputs: Sequence[Array],
    active: Sequence[int],
    sites: Mapping[int, Sequence[int]],
    rays: Sequence[Operands],
    bits: int,
    work: Work | None,
    unknown: bool = True,
) -> list[tuple[Site, int]]:
    """The kinks that have another side than the rays have seen, or may have, with that side: 1 or -1.

    Args:
        program: A derivative program.
        inputs: The numbers of its inputs.
        active: Those that move.
        sites: By the numbers of equations, which elements of them are looked at.
        rays: What kinks are made of along directions.
        bits: The precision.
        work: How much may be done.
        unknown: Whether what no bound is known of around the point may have another side.
    """
    missing = [((n, at), side) for n, own in sites.items() for at, side in _missing(n, own, rays)]
    if not missing:
        return []
    around = _around(program, inputs, active, {n for (n, _), _ in missing}, bits, work)
    return [(site, side) for site, side in missing if _may_be(around.get(site[0]), site[1], side, unknown)]


def others_differ(
    program: Program,
    inputs: Sequence[Array],
    active: Sequence[int],
    close: Sequence[Sequence[Array]],
    bits: int,
    work: Work | None,
) -> bool:
    """Whether a program may have other results on a side of its kinks that is not seen at points close by.

    They are asked with the other side taken, or the other order of a row that has one.

    Args:
        program, inputs, active, bits, work: As for `unseen`.
        close: The numbers of the inputs at these points.
    """
    if not any(_may_turn(e) for e in program.equations):
        return False
    rays, results, most = list[Operands](), list[list[Array]](), 4 * DISTANCE_BITS + bits
    for point in close:
        rays.append((kinks := Kinks()).operands)
        results.append(evaluate(program, point, most, work, kinks))
    sites = {n: range(e.output.size) for n, (e, _) in rays[0].items() if _may_turn(e)}
    others: dict[int, Array] = {}  # which elements have another side
    for (n, element), _ in unseen(program, inputs, active, sites, rays, bits, work, unknown=False):
        others.setdefault(n, np.zeros(rays[0][n][0].output.size, bool))[element] = True
    rows = {n for n, (e, _) in rays[0].items() if e.primitive in ROWS}
    around = _around(program, inputs, active, rows, bits, work)
    for n in rows:
        equation = rays[0][n][0]
        if n in around and not _orders_are_seen(around[n][1], equation, [ray[n][1] for ray in rays]):
            others[n] = np.ones(equation.output.size, bool)
    if not others:
        return False
    for at, given in zip(close, results, strict=True):
        found = evaluate(program, at, most, work, _Turning(others, around))
        with precision(most):
            pairs = [
                (a, b) for x, y in zip(given, found, strict=True) for a, b in zip(x.flat, y.flat, strict=True)
            ]
            size = max((abs(a).upper() for a, _ in pairs), default=arb(0), key=float)
            if not all(abs(a - b) <= SAME * size for a, b in pairs):
                return True
    return False


def _may_turn(equation: Equation) -> bool:
    """Whether an equation may have another side, or another order, than rays have seen."""
    primitive = equation.primitive
    return primitive.kink is not None and not primitive.jumps and primitive not in SIDELESS


class _Turning:
    """Watches an evaluation: takes the other side of kinks."""

    def __init__(self, others: Mapping[int, Array], around: Operands) -> None:
        self._others, self._around = others, around
        self._number = -1

    def __call__(self, equation: Equation, operands: list[Array], result: Array) -> None:
        self._number += 1
        own = self._others.get(self._number)
        if own is None:
            return
        if equation.primitive in ROWS:
            middle = self._around.get(self._number, (equation, operands))[1][0]
            turned = [2 * each(arb.mid, as_balls(middle)) - operands[0], *operands[1:]]
        else:
            a, b, *sides = operands
            turned = [b, a, *sides]
        found = equation.primitive.evaluate(*turned, **equation.params)
        result[...] = np.where(own.reshape(result.shape), found, result)


def _missing(number: int, elements: Sequence[int], rays: Sequence[Operands]) -> Iterator[tuple[int, int]]:
    seen = [_gaps(*ray[number]) for ray in rays]
    for at in elements:
        own = [gaps[at] for gaps in seen if gaps is not None]
        above, below = any(gap > 0 for gap in own), any(gap < 0 for gap in own)
        if above != below:
            yield at, -1 if above else 1


def _gaps(equation: Equation, operands: list[Array]) -> Array | None:
    """What is 0 at the kinks; None where they have not two sides."""
    kink = equation.primitive.kink
    assert kink is not None
    gaps = np.ravel(kink.gap(*operands, **equation.params))
    return None if gaps.dtype.kind == "i" or equation.primitive in SIDELESS else gaps


def _around(
    program: Program,
    inputs: Sequence[Array],
    active: Sequence[int],
    numbers: Iterable[int],
    bits: int,
    work: Work | None,
) -> Operands:
    """What kinks turn on in a ball around the point, by equations; those that are not known are missing."""
    with precision(bits):
        wide = [widened(x) if i in active else x for i, x in enumerate(inputs)]
    found: Operands = {}
    for n in numbers:
        equation = program.equations[n]
        asked = equation.operands[: _deciding(equation)]
        before = Program(program.inputs, program.equations[:n], asked).giving(slice(None))
        with suppress(Undecided):
            rest: list[Any] = [None] * (len(equation.operands) - len(asked))
            found[n] = equation, [*evaluate(before, wide, bits, work), *rest]
    return found


def _deciding(equation: Equation) -> int:
    """How many of the first operands decide what is chosen."""
    return 2 if equation.primitive in (blend_, unit_) else 1


def _orders_are_seen(around: list[Array], equation: Equation, rays: Sequence[list[Array]]) -> bool:
    """Whether of each row that has numbers tied the rays show each order, or each that is the extreme one."""
    orders, params = equation.primitive is arrange_, equation.params
    primitive = arrange_ if orders else weights  # `mixture` is those of a tangent
    kink, places = primitive.kink, [as_balls(np.arange(around[0].size).reshape(around[0].shape))] * orders
    assert kink is not None
    tied, row = (np.ravel(ask(around[0], *places, **params)) for ask in (kink.tied, kink.gap))
    chosen = [np.ravel(primitive.evaluate(x, *places, **params)) for x, *_ in rays]
    for one in set(row[tied].tolist()):
        here = tied & (row == one)
        known = [own[here].tolist() for own in chosen]
        count, seen = (
            int(here.sum()),
            {tuple(map(float, own)) for own in known if all(b.is_exact() for b in own)},
        )
        if len(seen) < (math.factorial(count) if orders else count):
            return False
    return True


def widened(x: Array) -> Array:
    """Balls around numbers, which hold all that are close by."""

    def wide(ball: arb) -> arb:
        return ball + arb(0, arb(2) ** -AROUND * max(abs(ball), arb(1), key=float))

    return each(wide, exact(x))


def _may_be(around: tuple[Equation, list[Array]] | None, at: int, side: int, unknown: bool) -> bool:
    gaps = None if around is None else _gaps(*around)
    if gaps is None or not gaps[at].is_finite():
        return unknown
    beyond, other = (side * gaps[at]).upper(), (-side * gaps[at]).upper()
    return bool(beyond > LEAST * other)


def has_all(hanging: Hanging, part: Component, rays: Sequence[Operands]) -> bool:
    """Whether each kink has a part in an element where the others are on the sides that a ray has seen."""
    kinks = sorted(part.kinks)[:MOST]
    return all(any(part.elements & _moved_by(hanging, [one], operands) for operands in rays) for one in kinks)


def have_all(hanging: Hanging, elements: Iterable[int], rays: Sequence[Operands]) -> set[int]:
    """The elements of which each group of kinks was seen whole, and has a part with the rest as on a ray."""
    found = set(elements)
    for group in hanging.groups:
        left = found & set[int]().union(*(hanging.links[kink] for kink in group))
        if left and not hanging.are_seen(group, rays):
            found -= left
            continue
        for operands in rays:
            if not left:
                break
            left = left - _moved_by(hanging, group, operands)
        found -= left
    return found


def _moved_by(hanging: Hanging, group: Collection[int], ray: Operands) -> set[int]:
    """The elements in which kinks have a part where the others are on the sides that a ray has seen."""

    def takes(number: int, equation: Equation, operands: list[Array], hulls: Array) -> Array:
        own = hanging.kinks.get(number)
        if own is None or number not in ray:
            return hulls
        open_ = np.isin(own, list(group)).reshape(hulls.shape)
        return np.where(open_, hulls, _seen(equation, operands, ray[number][1]))

    balls = [b for array in hanging.sites.chosen(takes) for b in array.ravel().tolist()]
    return {k for k, ball in enumerate(balls) if not is_known(ball)}


def _seen(equation: Equation, operands: list[Array], ray: list[Array]) -> Array:
    """What is taken on a ray, of numbers that are other ones here."""
    count = _deciding(equation)
    kink, own = equation.primitive.kink, [*ray[:count], *operands[count:]]
    assert kink is not None
    found, tied = equation.primitive.evaluate(*own, **equation.params), kink.tied(*own, **equation.params)
    if tied.any():
        found = np.where(tied, kink.mixed(1.0, *own, **equation.params), found)
    return found


def towards(
    program: Program,
    inputs: Sequence[Array],
    active: Sequence[int],
    site: Site,
    side: int,
    start: Direction,
    bits: int,
    work: Work | None,
) -> Direction | None:
    """A direction in which a kink is seen from a side; None where none is found.

    Args:
        program, inputs, active, bits, work: As for `unseen`.
        site, side: The kink, and the side.
        start: A direction to begin with.
    """
    number, at = site
    equation = program.equations[number]
    ends = equation.operands[: _deciding(equation)]
    before = Program(program.inputs, program.equations[:number], ends).giving(slice(None))
    rate = vjp(before, active)
    weights = []
    for k, v in enumerate(ends):
        own = np.zeros(v.shape)
        own.flat[at] = 1.0 - 2.0 * k
        weights.append(own)
    way, sizes = dict(start), sizes_of(inputs, active)
    for _ in range(STEPS):
        close = moved(inputs, way, DISTANCE_BITS, bits)
        try:
            slopes = evaluate(rate, [*close, *weights], 2 * DISTANCE_BITS + bits, work, OneSide())
        except Undecided:
            return None
        steep = {i: each(float, s).astype(float) * sizes[i] for i, s in zip(active, slopes, strict=True)}
        square = sum(float((s**2).sum()) for s in steep.values())
        now = sum(float((steep[i] * way[i]).sum()) for i in way)
        if not np.isfinite(square) or square == 0:
            return None
        if side * now > 0:
            return way
        ahead = side * BEYOND * np.sqrt(square) - now
        way = {i: way[i] + ahead / square * steep[i] for i in way}
    return None
