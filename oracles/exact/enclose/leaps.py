"""Where a function itself jumps: it has no derivative there, whatever the slopes on its two sides are.

`where(x > 0, x + 1, x)` has the slope 1 on both sides of 0, and none at 0. Only a comparison of equal
numbers jumps, a step at its edge, or a kink of the derivative before: so most functions are not asked. These
are looked at from both sides, at two distances. What is continuous comes together as the distance shrinks,
what jumps stays apart. Which inputs the jump hangs on is found by halving.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import cached_property
from itertools import chain
from operator import mul

import numpy as np
from flint import arb
from numpy.typing import NDArray

from oracles.exact.enclose.components import is_known
from oracles.exact.enclose.edges import is_at_an_edge
from oracles.exact.enclose.evaluate import Work, evaluate
from oracles.exact.enclose.held import held
from oracles.exact.enclose.rays import least_of
from oracles.exact.enclose.together import come_together
from oracles.exact.program.balls import KINKS, as_balls, exact, precision
from oracles.exact.program.errors import Exhausted, Undecided
from oracles.exact.program.formats import FORMATS, format_of
from oracles.exact.program.primitives.predicates import signed_
from oracles.exact.program.program import Array, Program, Var

DISTANCE_BITS = 300  # how close: 2^-300 and 2^-600, or that fraction of an element
FEWER_BITS, BITS = 800, 2000  # of a number that is moved by 2^-600; and of the cube of that move
LOOKS = 64  # subsets that are looked at; what is not halved by then counts as one
MOVED = 60_000  # elements in all of them together, about
ROUNDINGS = 16  # of the narrowest format: halves of a function meet up to these, where constants are rounded
APART = 0.75  # of the gap from afar, that stays when the distance is squared
KNOWN = 100  # bits of what is no hull

Mask = NDArray[np.bool_]
Place = tuple[int, int]  # which input, and which of its elements in C order


def leaping(
    function: Program,
    values: Sequence[Array],
    directions: Sequence[Array],
    wrt: Sequence[int],
    work: Work,
    forward: bool,
) -> list[Mask] | None:
    """For each part of the derivative, at which elements the function jumps; None if it does not.

    Args:
        function, values: What is differentiated, and where.
        directions: A cotangent for each output, or in `forward` mode a tangent for each input in `wrt`.
        wrt: The inputs that move.
        work: How much may be done; what it does not suffice for is not known to jump.
    """
    try:
        if not is_at_an_edge(_unsigned(function), values, wrt, work):
            return None
        sides = _Sides(*held(function, values, BITS, forward), directions, wrt, work, forward)
        if sides.come_together():
            return None
        if forward:
            found = sides.leaps([(k, n) for k in range(len(wrt)) for n in range(values[wrt[k]].size)])
            return _split(found, [v.shape for v in function.outputs]) if any(found) else None
        places = [(k, n) for k, i in enumerate(wrt) for n in range(np.size(values[i]))]
        those = set(chain.from_iterable(_those(sides, places)))
    except (Exhausted, Undecided):
        return None
    if not those:
        return None
    return _split([place in those for place in places], [np.shape(values[i]) for i in wrt])


def _those(sides: _Sides, places: Sequence[Place]) -> Iterator[Sequence[Place]]:
    """The elements, found by halving, along which it jumps."""
    waiting, looks, most = [places], 0, max(2, min(LOOKS, MOVED // max(len(places), 1)))
    while waiting:
        some = waiting.pop()
        if looks == most:
            yield some
            continue
        looks += 1
        if any(sides.leaps(some)):
            if len(some) == 1:
                yield some
            else:
                waiting += [some[len(some) // 2 :], some[: len(some) // 2]]


def _split(flags: Sequence[bool], shapes: Sequence[tuple[int, ...]]) -> list[Mask]:
    ends = np.cumsum([int(np.prod(shape)) for shape in shapes])[:-1]
    parts = np.split(np.array(flags, bool), ends)
    return [part.reshape(shape) for part, shape in zip(parts, shapes, strict=True)]


def _unsigned(function: Program) -> Program:
    """The function with +0 where the sign of a zero matters and is not known: of both sides alike."""
    if all(e.primitive is not signed_ for e in function.equations):
        return function  # as most are
    plain: dict[Var, Var] = {}
    equations = []
    for e in function.equations:
        operands = tuple(plain.get(v, v) for v in e.operands)
        if e.primitive is signed_:
            plain[e.output] = operands[0]
        else:
            equations.append(e._replace(operands=operands))
    outputs = tuple(plain.get(v, v) for v in function.outputs)
    return Program(function.inputs, equations, outputs, function.guards)


class _Sides:
    """What is differentiated, at two distances on both sides of the point."""

    def __init__(
        self, function: Program, values: Sequence[Array], directions: Sequence[Array], wrt: Sequence[int],
        work: Work, forward: bool,
    ) -> None:  # fmt: skip
        self.signed, self.function, self.wrt, self.work = function, _unsigned(function), wrt, work
        self.given, self.directions = values, None if forward else directions
        rng = np.random.default_rng(0)
        self.steps = directions if forward else [rng.normal(size=np.shape(values[i])) for i in wrt]
        known = [format_of(dtype).digits for dtype in function.dtypes & FORMATS.keys()]
        self.rounding = ROUNDINGS * 2.0 ** -min(known, default=53)

    def come_together(self) -> bool:
        """Whether nothing leaps where all elements move, and the fast core tells that."""
        steps = [np.asarray(d) for d in self.steps]
        return self.signed is self.function and come_together(
            self.function, self.given, steps, self.directions, self.wrt, self.rounding, self.work
        )

    @cached_property
    def values(self) -> list[Array]:
        """The point, as balls."""
        with precision(BITS):
            return [exact(x) for x in self.given]

    @cached_property
    def weights(self) -> list[arb] | None:
        """What the gaps of the results are added up with; None in forward mode."""
        if self.directions is None:
            return None
        return [b for c in self.directions for b in exact(c).ravel().tolist()]

    @cached_property
    def along(self) -> list[Array]:
        """How the elements move."""
        return [exact(d).ravel() for d in self.steps]

    @cached_property
    def least(self) -> arb:
        """The smallest size of what moves."""
        return least_of(self.values, self.wrt)

    @cached_property
    def here(self) -> list[arb] | None:
        """The results at the point; None where they are not known.

        The sign of a zero is not known, say: its two sides have values even so.
        """
        with suppress(Undecided):
            return self._seen(self.values, self.signed)
        return None

    def leaps(self, places: Sequence[Place]) -> list[bool]:
        """Whether each result jumps where these elements move; in reverse mode, the projection of them."""
        near = self._around(places, 2 * DISTANCE_BITS)
        with precision(BITS):
            close = [self._gaps(near[0], by) for by in near[1:]]
        if all(gap == 0 for own in close for gap in own):
            return [False] * len(close[0])  # as at most edges: what comes together need not be seen from afar
        far = self._around(places, DISTANCE_BITS)
        with precision(BITS):
            apart = [self._gaps(far[0], by) for by in far[1:]]
        stay = [map(_stays, *gaps) for gaps in zip(apart, close, strict=True)]
        return [any(ends) for ends in zip(*stay, strict=True)]

    def _around(self, places: Sequence[Place], distance: int) -> list[list[arb]]:
        """The results on both sides at so many bits' distance, and at the point itself, where it has some."""
        sides = [self._at(places, sign * distance) for sign in (1, -1)]
        return [*sides, self.here] if self.here else sides

    def _at(self, places: Sequence[Place], exponent: int) -> list[arb]:
        with precision(BITS):
            moved = list(self.values)
            for k in {k for k, _ in places}:
                moved[self.wrt[k]] = moved[self.wrt[k]].copy()
            step = arb(2) ** -abs(exponent) * (1 if exponent > 0 else -1)
            for k, n in places:
                flat = moved[self.wrt[k]].reshape(-1)
                alone = self.weights is None or flat[n].is_zero()  # a tangent keeps its direction
                flat[n] += step * self.along[k][n] * (self.least if alone else abs(flat[n].mid()))
        return self._seen(moved, self.function)

    def _seen(self, values: Sequence[Array], function: Program) -> list[arb]:
        """The results, at fewer bits where these decide everything and leave no hull."""
        try:
            with KINKS.collected() as kinks:
                found = self._evaluated(values, function, FEWER_BITS)
            if not kinks and all(is_known(ball, KNOWN) for ball in found):
                return found
        except Undecided:
            pass
        return self._evaluated(values, function, BITS)

    def _evaluated(self, values: Sequence[Array], function: Program, bits: int) -> list[arb]:
        results = evaluate(function, values, bits, self.work, at_point=True)
        return [b for y in results for b in as_balls(y).ravel().tolist()]

    def _gaps(self, ones: Sequence[arb], others: Sequence[arb]) -> list[arb]:
        """How far apart the results are: not at all, if by no more than constants are rounded."""
        gaps = [_apart(a, b, self.rounding) for a, b in zip(ones, others, strict=True)]
        return gaps if self.weights is None else [sum(map(mul, self.weights, gaps), arb(0))]


def _apart(a: arb, b: arb, least: float) -> arb:
    if not is_known(b, KNOWN):
        return arb(0)  # the hull of what it jumps between, say
    gap, size = a.mid() - b.mid(), max(abs(a.mid()), abs(b.mid()), key=float)
    certain = abs(gap) > 2 * (a.rad() + b.rad())  # log_softmax of one number is 0, and nothing around it
    return gap if certain and abs(gap) > least * size else arb(0)


def _stays(far: arb, near: arb) -> bool:
    return bool(near != 0 and abs(near) > APART * abs(far))
