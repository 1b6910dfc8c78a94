"""At a kink or a 0/0: what the slopes around a point say of the legal ones at it.

A stable sigmoid is written in two halves that meet smoothly at 0: each comparison and |x| has a kink there,
and the hull of their one-sided slopes, taken one by one, is far too wide. So the derivative is also taken
close by, in several random directions, where no comparison is tied (the limits of the slopes around a point,
as in Clarke, Optimization and Nonsmooth Analysis, 1983). For each element and the kinks that it depends on
(`components`):

- Where all of them are one hyperplane (`one_plane`), there are two sides, and random directions see both:
  their slopes, or the one that they agree on, are all that is legal.
- Where there are more, a slope that all directions agree on for every element that shares these kinks, and
  as many other directions too, is the one there is: if every mixture of the sides gives it, or directions
  have seen all sides (`unseen`). Else it is not known.
- If any of these elements jumps, the hulls of all of them stay: of many tied for a maximum, a few directions
  do not reach each. So a smooth element under a tied maximum stays open: that is the limit of this.

Where a rule divides 0 by 0, as that of a norm does at 0, there is no hull; the slopes along a few rays that
have a limit are then all that is known of the legal ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from flint import arb
from numpy.typing import NDArray

from oracles.exact.enclose.components import FEW, Component, Hanging, OneSide, Operands, Takes, is_known
from oracles.exact.enclose.evaluate import Work, evaluate
from oracles.exact.enclose.rays import DISTANCE_BITS, PAIRS, Direction, directions, moved, rays
from oracles.exact.enclose.unseen import Site, has_all, have_all, others_differ, together, towards, unseen
from oracles.exact.program.balls import KINKS, TIES, each, filled, precision
from oracles.exact.program.errors import Turned, Undecided, Unseen
from oracles.exact.program.formats import format_of
from oracles.exact.program.primitives.steps import nearest_
from oracles.exact.program.program import Array, Program, Shape, Var

LEAST_BITS = 128  # with which it is told what hangs on which kink
FEWEST = 2  # rays that tell a slope
LOST_SLOPE = "0 times a slope without end, and those around have no limit, or several, or leave the domain"
MORE = 3  # times: where digits cancel, slopes close by are told with twice and four times as many bits
ULPS = 2  # that a number in the code may be off its formula
LOOKS = 64  # directions beside the random ones, each towards a side that none has shown
DRAWS = 8  # times, at the most, random directions are looked in until each few kinks are seen from all sides
FEW_GROUPS = 32  # of kinks, of each of which it is asked whether it has a part in an element
FURTHER = 50  # bits by which a slope may change faster than the distance does
FULL = 2.0**-20  # of a hull, that is as good as none
UNSEEN = (
    "the slopes around this point agree in all directions that were looked in, and none of them shows a side "
    "that a comparison here may have: another slope may be legal"
)
ONE_SIDE = (
    "another branch is taken beside this point, or a mask has other elements there, which is not recorded; "
    "of where(x > 0, a, b), in place of y[x > 0] = a, both sides are"
)


class _Ray(NamedTuple):
    """A derivative close by: in which direction, its elements, in one list, and its kinks."""

    direction: Direction
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
        Unseen: All slopes around agree, and it is not known whether they are all that there are.
    """
    return _Around(program, inputs, active, bits, work).narrowed(hulls)


class _Around:
    """The slopes around a point; the arguments are those of `resolve`."""

    def __init__(
        self, program: Program, inputs: Sequence[Array], active: Sequence[int], bits: int, work: Work | None
    ) -> None:
        self._program, self._inputs, self._active, self._work = program, inputs, active, work
        self._bits, self._close = bits, 2 * DISTANCE_BITS + bits
        self._rays: list[_Ray] = []
        self._looked_together = False
        self._endless: list[int] = []  # elements whose hull has no end, as that of a root of what may be 0
        self._sizes: dict[int, arb] = {}  # of the other hulls, how large their numbers are

    def narrowed(self, hulls: Sequence[Array]) -> list[Array]:
        """The hulls, narrowed to what these say."""
        bits, whole = self._bits, flat(hulls)
        open_ = [k for k, ball in enumerate(whole) if not is_known(ball)]
        if not open_:
            return list(hulls)
        self._endless = [k for k in open_ if not whole[k].is_finite()]
        self._sizes = {k: whole[k].abs_upper() for k in open_ if whole[k].is_finite()}
        random = directions(self._inputs, self._active)
        self._look(next(random))
        with precision(2 * bits):
            # Balls around 0: a slope not known on one ray is none, and others may only leave a branch.
            first = self._rays[0].slopes
            if not (self._program.guards or any(distinct([first[k]], whole[k], bits) for k in open_)):
                return list(hulls)
        self._look(*random)
        with precision(2 * bits):
            known = {k: distinct([ray.slopes[k] for ray in self._rays], whole[k], bits) for k in open_}
            gain = {k for k in open_ if _gains(whole[k], known[k])}
        if not gain:
            return list(hulls)
        # With few bits, as beside literals that are balls, everything would look like a hull.
        digits, operands = max(bits, LEAST_BITS), [ray.operands for ray in self._rays]
        hanging = Hanging(self._program, self._inputs, whole, operands, digits, self._work)
        same = self._unchanged(hanging, whole, known)
        alike = same.issuperset(open_) or (not hanging.planes and all(len(known[k]) == 1 for k in open_))
        parts = [Component(frozenset(open_), frozenset(), False)] if alike else hanging.components()
        for part in parts:
            if part.single or (
                self._agree(part, known) and (same >= part.elements or self._all_seen(part, known, hanging))
            ):
                with precision(2 * bits):
                    for k in gain & part.elements:
                        whole[k] = union(known[k])
            else:
                self._narrow_each(gain & part.elements, whole, hanging)
        return shaped(whole, hulls)

    def _narrow_each(self, elements: set[int], whole: list[arb], hanging: Hanging) -> None:
        """Elements for themselves, of which others that share their kinks may jump.

        Those of few hyperplanes have the slopes of the parts of space that these leave, if a ray is in each.
        Those of more have the one that all rays agree on, if each group of kinks was seen whole, and has a
        part.

        Raises:
            Unseen: All rays agree on a slope of what an index picks that jumps, and others may be legal.
        """
        operands = self._seeing_groups(hanging)
        seen = {k for k in elements if hanging.are_seen(hanging.kinks_of(k), operands)}
        with precision(2 * self._bits):
            slopes = {k: [ray.slopes[k] for ray in self._rays] for k in elements}
            known = {k: distinct(own, whole[k], self._bits) for k, own in slopes.items()}
        agreed = {k for k in elements - seen if len(known[k]) == 1}
        if len(hanging.groups) <= FEW_GROUPS:
            seen |= have_all(hanging, agreed, operands)
        if agreed - seen and any(e.primitive is nearest_ for e in self._program.equations):
            raise Unseen(UNSEEN)
        with precision(2 * self._bits):
            for k in seen:
                if _gains(whole[k], known[k]):
                    whole[k] = union(known[k])

    def _seeing_groups(self, hanging: Hanging) -> list[Operands]:
        """What kinks are made of on rays: on enough of them to see all sides of those of each place."""
        few = [group for group in hanging.groups if len(group) <= FEW]
        for draw in range(1, 1 + (DRAWS if len(hanging.groups) <= FEW_GROUPS else 1)):
            if draw > 1 and all(hanging.are_seen(group, [r.operands for r in self._rays]) for group in few):
                break
            if len(self._rays) <= 2 * PAIRS * draw:
                self._look(*directions(self._inputs, self._active, draw))
        return [ray.operands for ray in self._rays]

    def _look(self, *along: Direction) -> None:
        for direction in along:
            close = moved(self._inputs, direction, DISTANCE_BITS, self._bits)
            side = OneSide()
            try:
                slopes = flat(evaluate(self._program, close, self._close, self._work, side))
            except Turned as turned:
                raise Turned(f"{turned}; {ONE_SIDE}") from None
            for takes in _other_sides() if side.free else ():
                others = evaluate(self._program, close, self._close, self._work, OneSide(takes))
                with precision(self._close):  # one that is no hull, if they agree
                    slopes = list(map(arb.union, slopes, flat(others)))
            vanishing = self._vanishing(slopes)
            if self._endless or vanishing:
                slopes = self._limits_of(slopes, vanishing, direction)
            self._rays.append(_Ray(direction, slopes, side.operands))

    def _vanishing(self, slopes: list[arb]) -> list[int]:
        """Those that are as small as the distance."""
        with precision(2 * self._bits):
            tiny = arb(2) ** -(DISTANCE_BITS - FURTHER)
            return [k for k, size in self._sizes.items() if 0 < abs(slopes[k]) < tiny * size]

    def _limits_of(self, slopes: list[arb], vanishing: Sequence[int], direction: Direction) -> list[arb]:
        """Slopes with the limits of those that no hull holds: a slope as small as the distance is 0."""
        nearer = moved(self._inputs, direction, 2 * DISTANCE_BITS, 2 * self._bits)
        near = flat(evaluate(self._program, nearer, 2 * self._close, self._work, OneSide()))
        with precision(2 * self._bits):
            for k in self._endless:
                limit = _limit(near[k], slopes[k], self._bits)
                if limit is None or not limit.is_finite():  # what is no number would hold any, 0 too
                    slopes[k] = arb("nan")
                else:
                    slopes[k] = arb(0) if limit.contains(0) else limit.mid()
            for k in vanishing:
                if abs(near[k]) <= abs(slopes[k]) * arb(2) ** -(DISTANCE_BITS // 2):
                    slopes[k] = arb(0)
        return slopes

    def _unchanged(self, hanging: Hanging, whole: Sequence[arb], known: Mapping[int, list[arb]]) -> set[int]:
        """The elements that have one slope on all rays, which no mixture of the sides changes."""
        mixed = hanging.mixed()
        with precision(2 * self._bits):
            return {k for k, own in known.items() if len(own) == 1 and _is_it(own[0], mixed[k], whole[k])}

    def _agree(self, part: Component, known: Mapping[int, list[arb]]) -> bool:
        """Whether elements have one slope each, in as many other directions too."""
        if any(len(known[k]) != 1 for k in part.elements):
            return False
        if len(self._rays) == 2 * PAIRS:
            self._look(*directions(self._inputs, self._active, 1))
        with precision(2 * self._bits):
            return all(known[k][0].contains(ray.slopes[k]) for ray in self._rays for k in part.elements)

    def _all_seen(self, part: Component, known: Mapping[int, list[arb]], hanging: Hanging) -> bool:
        """Whether the rays show all sides of its kinks, and those that were looked for; False if one differs.

        Raises:
            Unseen: It is not known.
        """
        if not self._looked_together:
            self._looked_together = True
            self._look(*together({i: np.shape(self._inputs[i]) for i in self._active}))
        sites = {
            n: np.flatnonzero(np.isin(own, list(part.kinks))).tolist() for n, own in hanging.kinks.items()
        }
        for _ in range(LOOKS):
            if not self._agree(part, known):
                return False
            operands = [ray.operands for ray in self._rays]
            missing = unseen(
                self._program, self._inputs, self._active, sites, operands, self._bits, self._work
            )
            if not missing:
                if hanging.is_edged(part) or not has_all(hanging, part, operands):
                    break
                return True
            self._look(self._seeing(*missing[0]))
        raise Unseen(UNSEEN)

    def _seeing(self, site: Site, side: int) -> Direction:
        for ray in self._rays:
            found = towards(
                self._program, self._inputs, self._active, site, side, ray.direction, self._bits, self._work
            )
            if found is not None:
                return found
        raise Unseen(UNSEEN)


def _is_it(slope: arb, mixed: arb, hull: arb) -> bool:
    """Whether a mixture of the sides of a hull is a slope."""
    narrow = is_known(mixed) or (hull.is_finite() and mixed.rad() <= FULL * hull.rad())
    return bool(slope.overlaps(mixed) and narrow)


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
        for close in rays(inputs, active, DISTANCE_BITS, bits) if ties else ():
            for most in _more(2 * DISTANCE_BITS + bits):
                with TIES.collected() as others:
                    found = evaluate(free, close, most, at_point=True)
                taken = zip(found[len(here) :], forward.guards, strict=True)
                leaves = leaves or not all(np.array_equal(b, expected) for b, (_, expected) in taken)
                asks = others != ties and not leaves
                if not asks or _are_near(forward, here, found[: len(here)], bits):
                    break
            else:
                jumps = True
            turns = turns or others != ties
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


def _more(bits: int) -> tuple[int, ...]:
    """More and more bits: of (x - sin x) / x^3 close to 0 few are left."""
    return tuple(bits << times for times in range(MORE))


def _are_near(forward: Program, here: Sequence[Array], there: Sequence[Array], bits: int) -> bool:
    """Whether results are the same but for the distance, and for the rounding of what was written: 1/6."""
    with precision(bits):
        for var, *both in zip(forward.outputs, here, there, strict=True):
            written = ULPS * arb(2) ** -format_of(var.dtype).digits if var.is_float else arb(0)
            for a, b in zip(*(np.ravel(v).tolist() for v in both), strict=True):
                if not abs(a - b) < max(arb(2) ** -(bits // 2), written * abs(b), key=float):
                    return False
    return True


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
    if others_differ(program, inputs, active, [*rays(inputs, active, DISTANCE_BITS, bits)], bits, work):
        raise Unseen(UNSEEN)
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
    for ends in zip(*(rays(inputs, active, k * DISTANCE_BITS, k * bits) for k in (2, 1)), strict=True):
        for most in _more(4 * DISTANCE_BITS + bits):
            slopes = [evaluate(program, at, most, work, watch()) for at in ends]
            if all(_is_narrow(ball, bits) for both in slopes for ball in flat(both)):
                break
        with precision(2 * bits):
            limits = [each(lambda a, b: _limit(a, b, bits), *pair) for pair in zip(*slopes, strict=True)]
        yield limits


def _is_narrow(ball: arb, bits: int) -> bool:
    """Whether more digits would say no more of a limit; of what is no number none do."""
    if not ball.is_finite():
        return True
    return bool(ball.rad() < arb(2) ** -(bits + 2) * max(arb(1), abs(ball.mid()), key=float))


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
