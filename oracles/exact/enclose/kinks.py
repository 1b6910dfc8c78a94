"""At a kink or a 0/0: what the slopes around a point say of the legal ones at it.

A stable sigmoid is written in two halves that meet smoothly at 0: each comparison and |x| has a kink there,
and the hull of their one-sided slopes, taken one by one, is far too wide. So the derivative is also taken
close by, in several random directions, where no comparison is tied (the limits of the slopes around a point,
as in Clarke, Optimization and Nonsmooth Analysis, 1983). For each element and the kinks that it depends on
(`components`):

- Where all of them are one hyperplane, there are two sides, and random directions see both: their slopes,
  or the one that they agree on, are all that is legal.
- Where there are more, a slope that all directions agree on for every element that shares these kinks, and
  as many other directions too, is the one there is.
- If any of these elements jumps, the hulls of all of them stay: of many tied for a maximum, a few directions
  do not reach each. So a smooth element under a tied maximum stays open: that is the limit of this.

Where a rule divides 0 by 0, as that of a norm does at 0, there is no hull; the slopes along a few rays that
have a limit are then all that is known of the legal ones.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from flint import arb
from numpy.typing import NDArray

from oracles.exact.enclose.components import Component, OneSide, Operands, Takes, components, is_known
from oracles.exact.enclose.evaluate import Work, evaluate
from oracles.exact.program.balls import KINKS, TIES, each, exact, filled, precision
from oracles.exact.program.errors import Turned, Undecided
from oracles.exact.program.program import Array, Program, Shape, Var

DISTANCE_BITS = 300  # how close: 2^-300, or that fraction of an element larger than 1
LEAST_BITS = 128  # with which it is told what hangs on which kink
PAIRS = 4  # random directions, each with its opposite
FEWEST = 2  # rays that tell a slope
LOST_SLOPE = "0 times a slope without end, and those around have no limit, or several, or leave the domain"
FULL = 2.0**-20  # of a hull, that is as good as none
ONE_SIDE = (
    "another branch is taken beside this point, or a mask has other elements there, which is not recorded; "
    "of where(x > 0, a, b), in place of y[x > 0] = a, both sides are"
)


class _Ray(NamedTuple):
    """A derivative close by: its elements, in one list, and what its kinks are made of."""

    slopes: list[arb]
    operands: Operands


def resolve(
    program: Program,
    inputs: Sequence[Array],
    active: Sequence[int],
    hulls: Sequence[Array],
    bits: int,
    work: Work | None = None,
) -> list[Array]:
    """The hulls, narrowed to what the slopes around say of each element's own kinks.

    Args:
        program: A derivative program, evaluated at `inputs` with the result `hulls`.
        active: The inputs that are differentiated: the point is moved along these.
        bits: The precision of the result; an agreed element is as wide as 2^-bits of its size.
        work: How much may be done.

    Raises:
        Undecided: A comparison is not certain close by either, or a branch is another one there.
    """

    def around(seed: int) -> Iterator[_Ray]:
        for moved in rays(inputs, active, DISTANCE_BITS, bits, seed):
            side = OneSide()
            try:
                slopes = flat(evaluate(program, moved, 2 * DISTANCE_BITS + bits, work, side))
            except Turned as turned:
                raise Turned(f"{turned}; {ONE_SIDE}") from None
            for takes in _other_sides() if side.free else ():
                others = evaluate(program, moved, 2 * DISTANCE_BITS + bits, work, OneSide(takes))
                with precision(2 * DISTANCE_BITS + bits):  # one that is no hull, if they agree
                    slopes = list(map(arb.union, slopes, flat(others)))
            yield _Ray(slopes, side.operands)

    whole = flat(hulls)
    open_ = [k for k, ball in enumerate(whole) if not is_known(ball)]
    if not open_:
        return list(hulls)
    rest = around(0)
    seen = [next(rest)]
    with precision(2 * bits):
        # Balls around 0: a slope that is not known on one ray is none, and others may only leave a branch.
        if not (program.guards or any(distinct([seen[0].slopes[k]], whole[k], bits) for k in open_)):
            return list(hulls)
    seen += rest
    with precision(2 * bits):
        known = {k: distinct([ray.slopes[k] for ray in seen], whole[k], bits) for k in open_}
        if not any(_gains(whole[k], known[k]) for k in open_):
            return list(hulls)
    parts = [Component(frozenset(open_), False)]
    if any(len(known[k]) != 1 for k in open_):
        # With few bits, as beside literals that are balls, everything would look like a hull.
        parts = components(
            program, inputs, whole, [ray.operands for ray in seen], max(bits, LEAST_BITS), work
        )
    again: list[_Ray] = []
    for part in parts:
        wide = sorted(part.elements)
        if not part.single and any(len(known[k]) != 1 for k in wide):
            continue  # it jumps
        again = again if again or part.single else [*around(1)]
        with precision(2 * bits):
            if not all(known[k][0].contains(ray.slopes[k]) for ray in again for k in wide if not part.single):
                continue
            for k in wide:
                whole[k] = union(known[k]) if _gains(whole[k], known[k]) else whole[k]
    return shaped(whole, hulls)


def _other_sides() -> Iterator[Takes]:
    """What else may be taken where numbers meet all along: the other side, and either by chance.

    A maximum's gradient chooses once for each of what it is of, and each time alike.
    """
    yield lambda whose, shape: np.zeros(shape, bool)
    rng, known = np.random.default_rng(0), dict[tuple[Var, ...], NDArray[np.bool_]]()

    def by_chance(whose: tuple[Var, ...], shape: Shape) -> NDArray[np.bool_]:
        if whose not in known:
            known[whose] = np.asarray(rng.random(shape) < 0.5)
        return known[whose]

    yield by_chance


def flat(arrays: Sequence[Array]) -> list[arb]:
    """All balls, in one list."""
    return [ball for array in arrays for ball in array.ravel().tolist()]


def shaped(balls: Sequence[arb], like: Sequence[Array]) -> list[Array]:
    """Balls in one list as arrays of the shapes of others."""
    rest = iter(balls)
    return [filled([next(rest) for _ in range(array.size)], array.shape) for array in like]


def distinct(slopes: Sequence[arb], hull: arb, bits: int) -> list[arb]:
    """The values among the slopes around, each with a margin for the distance; none if one is not known.

    Beside the other side of a kink a slope that is 0 at the point is as small as the distance, and not 0.
    """
    found: list[arb] = []
    least = hull.abs_upper() if hull.is_finite() and not is_known(hull) else arb(0)
    for slope in slopes:
        if any(value.contains(slope) for value in found):
            continue
        middle = slope.mid()
        size = max(abs(middle), least, key=float)
        value = middle + (arb(0, arb(2) ** -bits * size) if middle != 0 else arb(0))
        if not value.contains(slope):
            return []
        found.append(value)
    return found


def _gains(hull: arb, values: Sequence[arb]) -> bool:
    """Whether one value, or two that are the sides of a kink, say more than the hull does."""
    if len(values) not in (1, 2) or not all(hull.overlaps(value) for value in values):
        return False
    return len(values) == 1 or not union(values).rad() > (1 - FULL) * hull.rad()


def union(values: Sequence[arb]) -> arb:
    """The hull of one ball or more."""
    whole = values[0]
    for value in values[1:]:
        whole = whole.union(value)
    return whole


def is_isolated(forward: Program, inputs: Sequence[Array], active: Sequence[int], bits: int) -> bool:
    """Whether numbers that are asked to be equal are so here and not nearby: `where(x == 0, 1, sin(x) / x)`.

    The branch that is taken here says nothing of the slope, which is that of the other one.

    Raises:
        Turned: The other one was not recorded (`if x == 0:`).
        Undecided: The function jumps here, and has no slope.
    """
    asked = [v for v, _ in forward.guards]
    free = Program(forward.inputs, forward.equations, (*forward.outputs, *asked))
    turns = jumps = leaves = False
    try:
        with TIES.collected() as ties:
            here = evaluate(forward, inputs, bits, at_point=True)
        for moved in rays(inputs, active, DISTANCE_BITS, bits) if ties else ():
            with TIES.collected() as others:
                found = evaluate(free, moved, 2 * DISTANCE_BITS + bits, at_point=True)
            there, branches = found[: len(here)], found[len(here) :]
            turns = turns or others != ties
            taken = zip(branches, forward.guards, strict=True)
            leaves = leaves or not all(np.array_equal(b, expected) for b, (_, expected) in taken)
            with precision(bits):
                gaps = (b for a, c in zip(here, there, strict=True) for b in np.ravel(a - c).tolist())
                jumps = jumps or not all(abs(gap) < arb(2) ** -(bits // 2) for gap in gaps)
    except Undecided:
        return False
    if turns and leaves:
        raise Turned(
            "two numbers are equal here and not nearby, and the code branches on that: the branch it takes "
            "holds at this point alone, and says nothing of the slope"
        )
    if turns and jumps:
        raise Undecided("the function jumps where two numbers are equal, as they are here: it has no slope")
    return turns


def limits_along_rays(
    program: Program,
    inputs: Sequence[Array],
    active: Sequence[int],
    results: Sequence[Array],
    bits: int,
    work: Work | None = None,
) -> list[Array] | None:
    """The results; where they are not finite, or the slopes around are others, the hull of a few of these.

    None if one of the rays has no limit: a pole, a logarithm, the end of the domain.
    """
    found: list[list[Array]] = []
    for limits in _limits(program, inputs, active, bits, work):
        if any(ball is None or ball.is_nan() for array in limits for ball in array.ravel().tolist()):
            return None
        found.append(limits)
    with precision(2 * bits):
        return [each(_hull, result, *(f[k] for f in found)) for k, result in enumerate(results)]


def slopes_around(
    program: Program,
    inputs: Sequence[Array],
    active: Sequence[int],
    results: Sequence[Array],
    bits: int,
    work: Work | None = None,
) -> list[Array]:
    """The slopes that the rays around agree on, where a zero times a slope without end says nothing.

    So sqrt(x)^2 has the slope 1 at 0, which rays say that stay in the domain. Two slopes may be the sides of
    a kink, if no ray leaves it.

    Raises:
        Undecided: The rays have no limit, or several, or hardly any stays in the domain.
    """
    found = list(_limits(program, inputs, active, bits, work, OneSide))
    with precision(2 * bits):
        return [each(_agreed, result, *(f[k] for f in found)) for k, result in enumerate(results)]


def _agreed(result: arb, *rays: arb | None) -> arb:
    inside = [limit for limit in rays if limit is None or not limit.is_nan()]
    distinct: list[arb] = []
    for limit in inside:
        if limit is not None and not any(limit.overlaps(other) for other in distinct):
            distinct.append(limit)
    sides = 1 if len(inside) < len(rays) else 2
    if len(inside) < FEWEST or None in inside or len(distinct) > sides:
        raise Undecided(f"{LOST_SLOPE} (more bits would not help)")
    return _hull(result, *(limit for limit in inside if limit is not None))


def _limits(
    program: Program,
    inputs: Sequence[Array],
    active: Sequence[int],
    bits: int,
    work: Work | None,
    watch: Callable[[], OneSide | None] = lambda: None,
) -> Iterator[list[Array]]:
    """The limits along each ray; numbers that meet all along may be put on one side."""
    for near, far in zip(*(rays(inputs, active, k * DISTANCE_BITS, k * bits) for k in (2, 1)), strict=True):
        slopes = [evaluate(program, at, 4 * DISTANCE_BITS + bits, work, watch()) for at in (near, far)]
        with precision(2 * bits):
            limits = [each(lambda a, b: _limit(a, b, bits), *pair) for pair in zip(*slopes, strict=True)]
        yield limits


def _limit(near: arb, far: arb, bits: int) -> arb | None:
    """The limit along a ray, with a margin for the distance; NaN outside of the domain; None if none."""
    if near.is_nan() and far.is_nan():
        return near
    size = abs(near.mid())
    margin = 2 * abs(near - far).upper() + arb(2) ** -bits * size
    settled = near.is_finite() and margin < arb(2) ** -bits * max(arb(1), 2 * size, key=float)
    return near.mid() + arb(0, margin.upper()) if settled else None


def _hull(result: arb, *limits: arb) -> arb:
    if result.is_finite() and all(result.overlaps(limit) for limit in limits):
        return result
    if not all(limits[0].overlaps(limit) for limit in limits):
        KINKS.say("the slope depends on where the point is approached from")
    return union(limits)


def rays(
    inputs: Sequence[Array], active: Sequence[int], distance: int, bits: int, seed: int = 0
) -> Iterator[list[Array]]:
    """The inputs with those that move a little off, in random directions, each with its opposite.

    A zero moves little against the smallest of the others.
    """
    rng = np.random.default_rng(seed)
    least = least_of(inputs, active)
    bits += max(0, -int(math.frexp(float(least))[1]))
    for _ in range(PAIRS):
        directions = {i: rng.normal(size=np.shape(inputs[i])) for i in active}
        for sign in (1, -1):
            with precision(2 * distance + bits):
                moved = [
                    _near(x, sign * directions[i], distance, least) if i in directions else x
                    for i, x in enumerate(inputs)
                ]
            yield moved  # outside: who asks for no more would be left with this precision


def least_of(inputs: Sequence[Array], active: Sequence[int]) -> arb:
    """The smallest size of what moves, 1 at the most: what a zero moves in proportion to."""
    sizes = [abs(b.mid()) for i in active for b in exact(inputs[i]).ravel().tolist() if not b.is_zero()]
    least: arb = min([arb(1), *sizes], key=float)
    return least


def _near(x: Array, direction: Array, distance: int, least: arb) -> Array:
    def step(ball: arb, d: float) -> arb:
        return ball + arb(d) * arb(2) ** -distance * (least if ball.is_zero() else abs(ball.mid()))

    return each(step, exact(x), np.asarray(direction))
