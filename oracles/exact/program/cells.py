"""Whole numbers that step as the inputs move, as the cell of a grid that a number falls into.

At a jump there are two, one for each side. What an index picks there, what a mask of indices chooses, and an
index as a number are two things, too. So a derivative has them for each side of the jump that is nearest, and
`blend` takes one by where the number lies; at the jump the hull of both, as at any kink (see `kinks`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import product
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from oracles.exact.program.derive import zeros_like
from oracles.exact.program.primitives.arithmetic import convert_
from oracles.exact.program.primitives.arrays import MOVES, concatenate_, scatter_add_, take
from oracles.exact.program.primitives.choices import blend, select
from oracles.exact.program.primitives.comparisons import compare
from oracles.exact.program.primitives.staying import stay_equal
from oracles.exact.program.primitives.steps import STEPS, ceil, floor, nearest, round_, sign, trunc
from oracles.exact.program.program import PRIMITIVES, Builder, Equation, Primitive, Var, sum_of

MOST = 3  # steps that one index is made of, as in a volume; each doubles what is written
BESIDE = 0.25  # of a jump, where there is none
CLOSED = {floor: True, ceil: False}  # whether the code takes the upper side at the jump
_INTEGERS = """
    add sub mul div neg abs maximum minimum select convert detach no_grad lt le gt ge eq ne and or not xor
    integer_div integer_rem integer_floor_div integer_floor_rem
"""
POINTWISE = STEPS.union(PRIMITIVES[name] for name in _INTEGERS.split())
KEEPING = POINTWISE | {*MOVES, concatenate_}  # what whole numbers are made of that are made of steps
Tangents: TypeAlias = Sequence[Var | None]
# By each step that a value is made of, the number of its element, from 1 on, at which place; 0 for none.
Places: TypeAlias = dict[Var, NDArray[np.int64]]


class Step(NamedTuple):
    """A number that steps: `primitive(of)`, and of that, where it is an integer, what `equation` makes."""

    primitive: Primitive
    of: Var
    equation: Equation


class Cells:
    """The whole numbers of a derivative, as far as they are made of steps and of what stays."""

    def __init__(self, builder: Builder) -> None:
        self._builder = builder
        self._steps: dict[Var, Step] = {}
        self._made: dict[Var, tuple[Equation, Places]] = {}
        self._beside: dict[Var, tuple[Var, Var]] = {}
        self._rebuilt: dict[tuple[Var, ...], Var] = {}  # a value with the sides of its steps

    def add(self, equation: Equation, value: Var) -> None:
        """Look at an equation, whose output stands as `value` in the derivative."""
        primitive, out = equation.primitive, equation.output
        if (places := self._places(equation)) is not None:
            self._made[value] = equation, places
        elif value is not out and primitive in STEPS:
            self._steps[value] = Step(primitive, equation.operands[0], equation)
        elif value is not out and primitive is convert_ and not out.is_float:
            self._steps[value] = Step(trunc, equation.operands[0], equation)

    def sides(self, equation: Equation) -> Sides | None:
        """The sides of an equation that gives floats by indices or masks that step; None of others."""
        found: Places = {}
        if equation.output.is_float and self._steps:
            for v in equation.operands:
                if not v.is_float and not _adds(found, self._own(v)):
                    return None
        return Sides(self, self._builder, equation, found) if 0 < len(found) <= MOST else None

    def step(self, value: Var) -> Step:
        """The step that a value is."""
        return self._steps[value]

    def beside(self, value: Var) -> tuple[Var, Var]:
        """What that step is below the nearest jump, and above it."""
        if value not in self._beside:
            self._beside[value] = _beside(self._steps[value])
        return self._beside[value]

    def rebuilt(self, v: Var, sides: Mapping[Var, Var]) -> Var:
        """A value, made of other steps."""
        if v in sides or v not in self._made:
            return sides.get(v, v)
        made, places = self._made[v]
        key = v, *(sides[step] for step in places)
        if key not in self._rebuilt:
            operands = tuple(self.rebuilt(w, sides) for w in made.operands)
            self._rebuilt[key] = v.builder.emit(made.primitive, operands, v.shape, v.dtype, **made.params)
        return self._rebuilt[key]

    def _own(self, v: Var) -> Places:
        if v in self._steps:
            return {v: np.arange(1, v.size + 1).reshape(v.shape)}
        return self._made[v][1] if v in self._made else {}

    def _places(self, equation: Equation) -> Places | None:
        """Of which steps a result is made; None where it is of none, or of more than these."""
        primitive, operands, params, *_ = equation
        each = [self._own(v) for v in operands]
        if not any(each) or any(
            v in self._builder.moving and not own for v, own in zip(operands, each, strict=True)
        ):
            return None
        found: Places = {}
        if primitive is concatenate_:
            for step in {s: None for own in each for s in own}:
                parts = [
                    own.get(step, np.zeros(v.shape, np.int64)) for v, own in zip(operands, each, strict=True)
                ]
                found[step] = primitive.evaluate(*parts, **params)
        elif primitive in MOVES and not any(each[1:]):
            index = [self._builder.known(v) for v in operands[1:]]
            if any(known is None for known in index):
                return None
            found = {step: primitive.evaluate(at, *index, **params) for step, at in each[0].items()}
        elif primitive not in POINTWISE or not all(_adds(found, own) for own in each):
            return None
        return {step: at for step, at in found.items() if at.any()} or None


def is_cell(value: Var) -> bool:
    """Whether an integer of a program is made of steps of what may move, and of what does not."""
    waiting, seen, steps = [value], set[Var](), False
    while waiting:
        v = waiting.pop()
        if v in seen or v.builder.is_fixed(v):
            continue
        seen.add(v)
        made = v.builder.definitions.get(v)
        if made is None:
            return False
        if made.primitive in STEPS or (made.primitive is convert_ and made.operands[0].is_float):
            steps = True
        elif made.primitive in KEEPING:
            waiting += made.operands
        else:
            return False
    return steps


def _adds(found: Places, own: Places) -> bool:
    """Add these; False if one place has two elements of one step."""
    for step, at in own.items():
        known = found.get(step, at)
        if known.shape != at.shape or ((known != at) & (known > 0) & (at > 0)).any():
            return False
        found[step] = np.maximum(known, at)
    return True


class Gap(NamedTuple):
    """Where a number lies beside its jump; `closed` as of `blend`."""

    of: Var
    jump: Var
    closed: bool | None


class Sides:
    """An equation whose indices or masks have two sides, or those of several jumps."""

    def __init__(self, cells: Cells, builder: Builder, equation: Equation, places: Places) -> None:
        steps = [cells.step(value) for value in places]
        self._builder, self._equation = builder, equation
        self._gaps = [_gap(step, at) for step, at in zip(steps, places.values(), strict=True)]
        each = [dict(zip(places, sides, strict=True)) for sides in product(*map(cells.beside, places))]
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


def _beside(step: Step) -> tuple[Var, Var]:
    """What the step is below the nearest jump, and above it."""
    (primitive, x, equation), out = step, step.equation.output
    jump = _jump(primitive, x)
    below, above = (_stepped(primitive, jump + by) for by in (-BESIDE, BESIDE))
    if equation.primitive is not convert_:
        return below, above
    below, above = (
        out.builder.emit(convert_, (v,), out.shape, out.dtype, **equation.params) for v in (below, above)
    )
    return below, above


def _gap(step: Step, at: NDArray[np.int64]) -> Gap:
    """The number and its jump at each place; where both stay the code takes the same side all around."""
    x = step.of
    if not np.array_equal(at, np.arange(1, x.size + 1).reshape(x.shape)):
        x = take(x, at - 1) + np.where(at, 0, BESIDE)
    jump = _jump(step.primitive, x)
    if (there := stay_equal(x, jump)) is None:
        return Gap(x, jump, CLOSED.get(step.primitive))
    own, beside = (_stepped(step.primitive, select(there, v, BESIDE)) for v in (x, jump + BESIDE))
    side = select(compare("eq", own, beside), zeros_like(x) + 1.0, -1.0)
    return Gap(select(there, side, x), select(there, 0.0, jump), None)


def _jump(primitive: Primitive, x: Var) -> Var:
    """Where the jump is that is nearest to x."""
    if primitive is sign:
        return zeros_like(x)
    return nearest(x - 0.5) + 0.5 if primitive is round_ else nearest(x)


def _stepped(primitive: Primitive, x: Var) -> Var:
    return x.builder.emit(primitive, (x,), x.shape, x.dtype)
