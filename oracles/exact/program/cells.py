"""Both sides of what whole numbers pick and choose that jump as the inputs move, as the cell of a grid does.

They are made of steps (`floor(x)`) or of comparisons (`searchsorted`, `(x > 2).astype(int)`). Where a number
is at a jump there are two of each, one for each side. What an index picks there, what a mask of indices
chooses, and an index as a number are two things, too. So a derivative has them for the number just below its
jump and for the one just above, and `blend` takes one by where the number lies; at the jump the hull of both,
as at any kink (see `kinks`). Which elements of which numbers are at one depends on the point (see
`cell_edges`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import NamedTuple, TypeAlias

import numpy as np
from flint import arb

from oracles.exact.program.balls import filled, precision
from oracles.exact.program.jumping import Number, Places, Whole, Whose
from oracles.exact.program.primitives.arrays import scatter_add_, take
from oracles.exact.program.primitives.choices import blend, select
from oracles.exact.program.primitives.edges import edged_
from oracles.exact.program.primitives.staying import stay_equal
from oracles.exact.program.program import Builder, Equation, Var, sum_of

BELOW, ABOVE = -1, 1
BESIDE = arb(2) ** -60  # of its size, how far beside its jump a number is: none of a format is so near
TINY, BITS = arb(2) ** -1000, 128  # how far beside 0; and what tells J (1 + 2^-60) exactly
ELSEWHERE = 0.25  # of a jump, where there is none
Tangents: TypeAlias = Sequence[Var | None]


class Jump(NamedTuple):
    """A number of a program at jumps, as `Number`: `at` has the float64 of these, so equal ones are equal."""

    of: Var
    at: bytes
    closed: bool | None

    def number(self, value: Var) -> Number:
        """That number, which stands as `value`."""
        return Number(value, np.frombuffer(self.at).reshape(self.of.shape), self.closed)


class Turning(NamedTuple):
    """What the code decides, and the booleans of where it jumps."""

    decided: Var
    where: bytes


@dataclass(frozen=True)
class Jumps:
    """The jumps of a program at a point: what makes its `Cells`.

    Attributes:
        each: The numbers that are at one.
        seen: How far comparisons are from their edges, of which both sides are written.
        turning: What the code decides that jumps with them: a branch, or a place in an array of its own.
    """

    each: tuple[Jump, ...]
    seen: frozenset[Var]
    turning: tuple[Turning, ...]

    def __call__(self, builder: Builder) -> Cells:
        """The cells of a derivative that this writes."""
        return Cells(builder, self)


class Cells:
    """The values of a derivative that are made of numbers at jumps, and of what stays."""

    def __init__(self, builder: Builder, jumps: Jumps) -> None:
        self._builder, self._jumps = builder, jumps
        self._whose = Whose(builder.moving)
        self._rebuilt: dict[tuple[object, ...], Var] = {}

    def begin(self, of: Var, value: Var) -> None:
        """Look at a value of the program, which stands as `value` in the derivative."""
        for jump in self._jumps.each:
            if jump.of is of:
                self._whose.begin(jump.number(value))

    def add(self, equation: Equation, value: Var) -> Var:
        """Look at an equation, whose output stands as `value` in the derivative; gives what stands for it.

        What is taken of whole numbers beside those that jump is the same on either side.
        """
        self._whose.add(equation, value)
        each = [self._whose.places(v) for v in equation.operands]
        if value.is_float or value in self._whose.made or value in self._whose.lost or not any(each):
            return value
        either = {number: ABOVE for own in each for number in own}
        operands = tuple(self.rebuilt(v, either) for v in equation.operands)
        return self._builder.emit(equation.primitive, operands, value.shape, value.dtype, **equation.params)

    def without_edges(self, equation: Equation) -> Equation:
        """An equation of the program; what is beyond an edge is known where both sides are written."""
        if equation.primitive is not edged_:
            return equation
        return equation._replace(operands=tuple(v for v in equation.operands if v not in self._jumps.seen))

    def sides(self, equation: Equation) -> Sides | None:
        """The sides of an equation that gives floats by indices or masks that jump; None of others."""
        places = self._whose.chosen_by(equation) if equation.output.is_float else None
        return Sides(self, self._builder, equation, places) if places else None

    def rebuilt(self, v: Var, sides: Mapping[Number, int]) -> Var:
        """A value, made of numbers on these sides of their jumps."""
        own = [(number, sides[number]) for number in self._whose.places(v) if number in sides]
        if not own:
            return v
        key = v, *own
        if key not in self._rebuilt:
            self._rebuilt[key] = _beside(v, own) if v in self._whose.numbers else self._again(v, sides)
        return self._rebuilt[key]

    def _again(self, v: Var, sides: Mapping[Number, int]) -> Var:
        made, _ = self._whose.made[v]
        operands = tuple(self.rebuilt(w, sides) for w in made.operands)
        return v.builder.emit(made.primitive, operands, v.shape, v.dtype, **made.params)


class Gap(NamedTuple):
    """Where a number lies beside its jump; `closed` as of `blend`."""

    of: Var
    jump: Var
    closed: bool | None


class Sides:
    """An equation whose indices or masks have two sides, or those of several jumps."""

    def __init__(self, cells: Cells, builder: Builder, equation: Equation, places: Places) -> None:
        self._builder, self._equation = builder, equation
        self._gaps = [_gap(number, at) for number, at in places.items()]
        each = [dict(zip(places, s, strict=True)) for s in product((BELOW, ABOVE), repeat=len(places))]
        self._operands = [
            tuple(v if v.is_float else cells.rebuilt(v, sides) for v in equation.operands) for sides in each
        ]

    def either(self, write: Callable[[Equation, Tangents], Var], tangents: Tangents) -> Var:
        """What is written of the equation and of the tangents of its operands, for the side that is taken.

        What is added up at an index is there for the side that is taken alone.
        """
        adds = self._equation.primitive is scatter_add_
        found = []
        for number, operands in enumerate(self._operands):
            here, along = list[Var](operands), list(tangents)
            if adds:
                here[0] = self._only(number, operands[0])
                along[0] = None if along[0] is None else self._only(number, along[0])
            found.append(write(self._again(here), along))
        if adds:
            return sum_of(*found)
        for gap in reversed(self._gaps):
            found = [_either(gap, *pair) for pair in zip(found[1::2], found[::2], strict=True)]
        return found[0]

    def _again(self, operands: Sequence[Var]) -> Equation:
        primitive, _, params, out, _ = self._equation
        new = self._builder.emit(primitive, tuple(operands), out.shape, out.dtype, **params)
        return self._equation._replace(operands=tuple(operands), output=new)

    def _only(self, number: int, x: Var) -> Var:
        """x where these sides are taken, 0 elsewhere."""
        for k, gap in enumerate(reversed(self._gaps)):
            x = _either(gap, x, None) if number >> k & 1 else _either(gap, None, x)
        return x


def _either(gap: Gap, above: Var | None, below: Var | None) -> Var:
    like = above or below
    assert like is not None
    return blend(gap.of, gap.jump, above, below, like, closed=gap.closed)


def _gap(number: Number, at: Whole) -> Gap:
    """The number and its jump at each place; where it stays there, no side is another one."""
    x = take(number.of, at - 1) + np.where(at, 0, ELSEWHERE)
    jump = x.builder.constant(np.where(at, number.jump.ravel()[at - 1], 0), x.dtype)
    there = stay_equal(x, jump)
    return Gap(x if there is None else select(there, jump + 1.0, x), jump, number.closed)


def _beside(x: Var, sides: Sequence[tuple[Number, int]]) -> Var:
    """The elements of x on these sides of their jumps; where one stays at a jump it is what it is."""
    jump, by = np.zeros(x.shape), np.zeros(x.shape, np.int64)
    for number, side in sides:
        there = ~np.isnan(number.jump)
        jump[there], by[there] = number.jump[there], side
    with precision(BITS):
        pairs = zip(jump.ravel().tolist(), by.ravel().tolist(), strict=True)
        beside = [arb(at) + side * (abs(at) * BESIDE if at else TINY) for at, side in pairs]
    moved = x.builder.constant(by != 0)
    if (stays := stay_equal(x, x.builder.constant(jump, x.dtype))) is not None:
        moved = select(stays, x.builder.constant(np.zeros(x.shape, bool)), moved)
    return select(moved, x.builder.constant(filled(beside, x.shape), x.dtype), x)
