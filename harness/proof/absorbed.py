"""Written numbers that are absorbed: in x + 1e-10 at x = 1, float32 has the bits of x.

What ran is then, bit by bit, the program without them. So they are no difference between two formulas.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from typing import TypeAlias

import numpy as np
from flint import arb
from numpy.typing import NDArray

from harness.proof.nearness import resolving
from harness.subject.derivative import Array
from oracles.exact.enclose.evaluate import evaluate
from oracles.exact.enclose.literals import literals, replaced
from oracles.exact.program.balls import ZERO, as_balls, filled
from oracles.exact.program.errors import Undecided
from oracles.exact.program.formats import FORMATS, Format, format_of
from oracles.exact.program.primitives.arithmetic import (
    add,
    constant,
    convert_,
    detach_,
    mul,
    neg,
    no_grad_,
    sub,
)
from oracles.exact.program.primitives.arrays import broadcast_, concatenate_, permute_, reshape_, take_
from oracles.exact.program.primitives.choices import maximum, minimum, select_
from oracles.exact.program.program import Equation, Program, Var

Mask: TypeAlias = NDArray[np.bool_]
UNTOLD = arb("nan")
SMALL = 2.0**-20  # what is added so that nothing is divided by 0
MOST = 4  # of such numbers
ABSORBED = "which changes no bit where it is added"
SUMS = (add, sub)
ROOM = 2  # a float x is the nearest one to all within x 2^-(digits + 1), and known to within a half
MOVES = (
    neg,
    convert_,
    detach_,
    no_grad_,
    broadcast_,
    concatenate_,
    permute_,
    reshape_,
    take_,
    maximum,
    minimum,
    select_,
)


def absorbed(program: Program, inputs: Sequence[Array], bits: int) -> dict[float, list[Mask]]:
    """The small numbers that stand in a program, and which elements are the same bits without them.

    Each of them only moves, or is compared, until it is added to what is so large that the sum is that: in
    the dtype of the sum, or float32 where that is coarser. Or it is multiplied by what is as good as 0. Of
    what is made of other sums nothing is known: beside a row of zeros, to which 1e-10 is added, those of
    numbers stay what they are.

    Args:
        program: A program as it runs, function and gradient.
        inputs: The numbers of its inputs.
        bits: The precision.

    Returns:
        For each number a mask of each output.
    """
    small = {float(b) for b, _ in literals(program) if b != 0 and abs(b) <= SMALL}
    found = {}
    for number in sorted(small)[:MOST]:
        without = _Without(number)
        try:
            evaluate(program, inputs, bits, watch=without)
        except Undecided:
            continue
        if without.decides:
            masks = [np.asarray(~without.moved.get(v, np.zeros(v.shape, bool))) for v in program.outputs]
            if any(mask.any() for mask in masks):
                found[number] = masks
    return found


def named(numbers: Iterable[float]) -> list[str]:
    """The numbers as one writes them."""
    return [f"{number:g}" for number in sorted(numbers)]


def without(program: Program, numbers: Container[float]) -> Program:
    """The program with 0 for these numbers."""
    return replaced(program, lambda ball, dtype: ZERO if float(ball) in numbers else ball)


class _Without:
    """Watches an evaluation: what is the same with 0 in the place of a number.

    Attributes:
        decides: Whether every comparison is.
        others: What values would be, where not all of their elements are the same: NaN if nobody knows.
        moved: Which elements these are.
    """

    def __init__(self, number: float) -> None:
        self.number, self.decides = number, True
        self.others: dict[Var, Array] = {}
        self.moved: dict[Var, Mask] = {}

    def __call__(self, equation: Equation, operands: list[Array], result: Array) -> None:
        """Look at one equation."""
        primitive, out = equation.primitive, equation.output
        if primitive is constant and out.is_float and not out.ndim:
            if float(as_balls(np.asarray(result)).item()) == self.number:
                self._keep(out, result, filled([ZERO], ()))
            return
        if not self.decides or not any(v in self.others for v in equation.operands):
            return
        others = [self.others.get(v, x) for v, x in zip(equation.operands, operands, strict=True)]
        if primitive in SUMS or primitive is mul:
            stays = _absorbs if primitive in SUMS else _is_nothing
            self._keep(out, result, _untold(~stays(out.dtype, operands, others), result))
            return
        moves = primitive in MOVES
        if not moves and not primitive.comparison:
            others = [self._told(v, x) for v, x in zip(equation.operands, others, strict=True)]
        try:
            found = np.asarray(primitive.evaluate(*others, **equation.params))
        except Undecided:
            found = filled([UNTOLD] * out.size, out.shape)
        if out.is_float:
            self._keep(out, result, found)
        else:
            self.decides = found.dtype != object and bool(np.array_equal(result, found))

    def _told(self, v: Var, other: Array) -> Array:
        """What a value would be, where it is the same."""
        return _untold(self.moved[v], other) if v in self.moved and v.is_float else other

    def _keep(self, out: Var, result: Array, other: Array) -> None:
        moved = _differ(result, other)
        if moved.any():
            self.others[out], self.moved[out] = other, moved


def _untold(where: Mask, array: Array) -> Array:
    """The array, of whose elements there nobody knows what they would be."""
    found = np.array(as_balls(array))
    found[where] = UNTOLD
    return found


def _differ(one: Array, other: Array) -> Array:
    """Where two arrays do not have the same numbers."""
    if one.dtype != object or other.dtype != object:
        return np.asarray(one != other)
    pairs = zip(one.ravel().tolist(), other.ravel().tolist(), strict=True)
    same = [a is b or (a.mid() == b.mid() and a.rad() == b.rad()) for a, b in pairs]
    return ~np.array(same, bool).reshape(one.shape)


def _absorbs(dtype: str, operands: list[Array], others: list[Array]) -> Mask:
    """Where a sum is one of its terms, whichever of its two numbers the other one is."""
    x, y, a, b = np.broadcast_arrays(*map(as_balls, (*operands, *others)))
    same = np.asarray(~(_differ(x, a) | _differ(y, b)))
    if dtype in FORMATS:
        kind = format_of(resolving(dtype))
        for term, still, one, other in ((x, a, y, b), (y, b, x, a)):
            for at in map(tuple, np.argwhere(~same & ~_differ(term, still))):
                same[at] = all(_changes_nothing(term[at], own[at], kind) for own in (one, other))
    return same


def _is_nothing(dtype: str, operands: list[Array], others: list[Array]) -> Mask:
    """Where a product is the same, or rounds to 0 with both of its numbers: of exp(-1e10), say."""
    x, y, a, b = np.broadcast_arrays(*map(as_balls, (*operands, *others)))
    same = np.asarray(~(_differ(x, a) | _differ(y, b)))
    if dtype in FORMATS:
        least = format_of(dtype).least / 2
        for at in map(tuple, np.argwhere(~same)):
            same[at] = abs(x[at] * y[at]) < least and abs(a[at] * b[at]) < least
    return same


def _changes_nothing(x: arb, term: arb, kind: Format) -> bool:
    """Whether x + term rounds to x.

    An x without a radius, as exp(0), is that in what ran too; below a power of two the ulp is half as large.
    """
    if x.rad() != 0:
        return bool(abs(term) < arb(2) ** -(kind.digits + ROOM) * abs(x))
    half = float(kind.ulp(np.asarray(float(x)))) / 2
    return bool(abs(term) < (half if x * term >= 0 else half / 2))
