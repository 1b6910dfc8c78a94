"""Of which numbers at a jump the values of a program are made, place by place.

A number is at one where a step of it (`floor(x)`) or a comparison with it (`x > 2`) turns. What is copied
from it, what is asked of it so, and what is made of the answers and of what stays, jumps with it. `cells`
writes both sides of what it picks and chooses.
"""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from oracles.exact.program.primitives.arithmetic import convert_
from oracles.exact.program.primitives.arrays import MOVES, concatenate_, reduce_sum_
from oracles.exact.program.primitives.orders import argmax_
from oracles.exact.program.primitives.reductions import reduce_and, reduce_max_, reduce_min_, reduce_or
from oracles.exact.program.primitives.steps import STEPS
from oracles.exact.program.program import PRIMITIVES, Equation, Var

_POINTWISE = """
    add sub mul div neg abs maximum minimum select convert detach no_grad lt le gt ge eq ne and or not xor
    integer_div integer_rem integer_floor_div integer_floor_rem
"""
POINTWISE = STEPS.union(PRIMITIVES[name] for name in _POINTWISE.split())
ROWS = frozenset({reduce_sum_, reduce_max_, reduce_min_, reduce_and, reduce_or, argmax_})
COPYING = frozenset({*MOVES, concatenate_})
KEEPING = POINTWISE | ROWS | COPYING
MOST = 3  # numbers that one index is made of, as in a volume; each doubles what is written
Whole: TypeAlias = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Number:
    """A number at jumps.

    Attributes:
        of: The value whose elements are at one.
        jump: Where each jumps; NaN where none does.
        closed: Whether the code takes the upper side there; None if it takes either.
    """

    of: Var
    jump: NDArray[np.float64]
    closed: bool | None


Places: TypeAlias = dict[Number, Whole]  # which element of a number is at each place, from 1 on; 0 for none


class Whose:
    """Of which numbers the values are made, equation by equation.

    Attributes:
        numbers: Those of each value that is at jumps.
        made: What is made of numbers: by which equation, and of which elements.
        lost: What jumps in a way that is not followed.
        meeting: Elements of one number that meet at one place, two by two: what is made of both is lost.
    """

    def __init__(self, moving: Container[Var]) -> None:
        self._moving = moving
        self.numbers: dict[Var, list[Number]] = {}
        self.made: dict[Var, tuple[Equation, Places]] = {}
        self.lost: set[Var] = set()
        self.meeting: list[tuple[Number, Whole, Whole]] = []

    def begin(self, number: Number) -> None:
        """Look at a number."""
        self.numbers.setdefault(number.of, []).append(number)

    def add(self, equation: Equation, value: Var) -> None:
        """Look at an equation, whose output stands as `value`."""
        each = [self.places(v) for v in equation.operands]
        if not any(each):
            return
        moving, found = sum(v in self._moving for v in equation.operands), None
        if not moving or asks(equation, moving) or equation.primitive in COPYING:
            found = self._places(equation, each)
        if places := {number: at for number, at in (found or {}).items() if at.any()}:
            self.made[value] = equation, places
        if found is None if not value.is_float else self.chosen_by(equation) is None:
            self.lost.add(value)

    def chosen_by(self, equation: Equation) -> Places | None:
        """The numbers by which it picks or chooses floats; None if these are too many."""
        found = self.add_up([self.places(v) for v in equation.operands if not v.is_float])
        return found if found is not None and len(found) <= MOST else None

    def places(self, v: Var) -> Places:
        """Of which elements of numbers a value is made."""
        if v in self.numbers:
            each = np.arange(1, v.size + 1).reshape(v.shape)
            return {number: np.where(np.isnan(number.jump), 0, each) for number in self.numbers[v]}
        return self.made[v][1] if v in self.made else {}

    def add_up(self, each: Sequence[Places]) -> Places | None:
        """All of them; None where two elements of a number meet."""
        found: Places = {}
        for number, at in (one for places in each for one in places.items()):
            known = found.get(number, at)
            if known.shape != at.shape or self._meet(number, known, at):
                return None
            found[number] = np.maximum(known, at)
        return found

    def _places(self, equation: Equation, each: list[Places]) -> Places | None:
        primitive, operands, params, *_ = equation
        if primitive is concatenate_:
            nowhere = [np.zeros(v.shape, np.int64) for v in operands]
            numbers = dict.fromkeys(number for places in each for number in places)
            rows = {n: [own.get(n, no) for own, no in zip(each, nowhere, strict=True)] for n in numbers}
            return {n: primitive.evaluate(*row, **params) for n, row in rows.items()}
        if primitive in MOVES and not any(each[1:]):
            index = [v.builder.known(v) for v in operands[1:]]
            if any(known is None for known in index):
                return None
            return {n: primitive.evaluate(at, *index, **params) for n, at in each[0].items()}
        if primitive in MOVES:  # a table that stays is read
            return None if each[0] or operands[0] in self._moving else each[1]
        found = self.add_up(each) if primitive in KEEPING else None
        if found is None or primitive not in ROWS:
            return found
        axes = params.get("axes", (params.get("axis"),))
        most = {n: at.max(axis=axes, keepdims=True) for n, at in found.items()}
        meet = [self._meet(n, at, np.broadcast_to(most[n], at.shape)) for n, at in found.items()]
        return None if any(meet) else {n: at.squeeze(axis=axes) for n, at in most.items()}

    def _meet(self, number: Number, one: Whole, other: Whole) -> bool:
        there = (one != other) & (one > 0) & (other > 0)
        if there.any():
            self.meeting.append((number, one[there], other[there]))
        return bool(there.any())


def asks(equation: Equation, moving: int) -> bool:
    """Whether it makes what jumps of a number that moves: of one of its operands, not of two."""
    made = equation.primitive
    order = made.comparison is not None and made.comparison.larger is not None
    asked = made in STEPS or order or (made is convert_ and is_integer(equation.output))
    return moving == 1 and asked and equation.operands[0].is_float


def is_integer(v: Var) -> bool:
    """Whether it is neither a float nor a boolean."""
    return not v.is_float and v.dtype != "bool"


def is_cell(value: Var) -> bool:
    """Whether it is an integer that is made of steps and comparisons of what may move, and of what stays."""
    waiting, seen, jumps = [value], set[Var](), False
    while waiting:
        v = waiting.pop()
        if v in seen or v.builder.is_fixed(v):
            continue
        seen.add(v)
        made = v.builder.definitions.get(v)
        if made is None:
            return False
        if asks(made, sum(not v.builder.is_fixed(w) for w in made.operands)):
            jumps = True
        elif made.primitive in KEEPING:
            waiting += made.operands
        else:
            return False
    return jumps and is_integer(value)
