"""Written numbers that are absorbed: in x + 1e-10 at x = 1, float32 has the bits of x.

What ran is then, bit by bit, the program without them. So they are no difference between two formulas.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from flint import arb

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


def absorbed(program: Program, inputs: Sequence[Array], bits: int) -> frozenset[float]:
    """The small numbers that stand in a program and change no bit of it where it runs.

    Each of them only moves, or is compared, until it is added to what is so large that the sum is that: in
    the dtype of the sum, or float32 where that is coarser. Or it is multiplied by what is as good as 0.

    Args:
        program: A program as it runs, function and gradient.
        inputs: The numbers of its inputs.
        bits: The precision.
    """
    small = {float(b) for b, _ in literals(program) if b != 0 and abs(b) <= SMALL}
    found = set()
    for number in sorted(small)[:MOST]:
        without = _Without(number)
        try:
            evaluate(program, inputs, bits, watch=without)
        except Undecided:
            continue
        if without.same and not any(v in without.others for v in program.outputs):
            found.add(number)
    return frozenset(found)


def named(numbers: frozenset[float]) -> list[str]:
    """The numbers as one writes them."""
    return [f"{number:g}" for number in sorted(numbers)]


def without(program: Program, numbers: frozenset[float]) -> Program:
    """The program with 0 for these numbers."""
    return replaced(program, lambda ball, dtype: ZERO if float(ball) in numbers else ball)


class _Without:
    """Watches an evaluation: whether it is the same with 0 in the place of a number.

    Attributes:
        same: Whether that is so as far as it was seen.
        others: What values would be, where not yet the same.
    """

    def __init__(self, number: float) -> None:
        self.number, self.same = number, True
        self.others: dict[Var, Array] = {}

    def __call__(self, equation: Equation, operands: list[Array], result: Array) -> None:
        """Look at one equation."""
        primitive, out = equation.primitive, equation.output
        if primitive is constant and out.is_float and not out.ndim:
            if float(as_balls(np.asarray(result)).item()) == self.number:
                self.others[out] = filled([ZERO], ())
            return
        if not self.same or not any(v in self.others for v in equation.operands):
            return
        others = [self.others.get(v, x) for v, x in zip(equation.operands, operands, strict=True)]
        if primitive in SUMS:
            self.same = _is_absorbed(out.dtype, operands, others)
        elif primitive is mul:
            self.same = _is_nothing(out.dtype, operands, others)
        elif primitive in MOVES or primitive.comparison:
            try:
                found = np.asarray(primitive.evaluate(*others, **equation.params))
            except Undecided:
                self.same = False
                return
            if _differ(result, found).any():
                self.others[out] = found
                self.same = primitive in MOVES
        else:
            self.same = False


def _differ(one: Array, other: Array) -> Array:
    """Where two arrays do not have the same numbers."""
    if one.dtype != object or other.dtype != object:
        return np.asarray(one != other)
    pairs = zip(one.ravel().tolist(), other.ravel().tolist(), strict=True)
    same = [a is b or (a.mid() == b.mid() and a.rad() == b.rad()) for a, b in pairs]
    return ~np.array(same, bool).reshape(one.shape)


def _is_absorbed(dtype: str, operands: list[Array], others: list[Array]) -> bool:
    """Whether a sum is one of its terms wherever the other one differs: of both of its numbers."""
    stays = [x is y for x, y in zip(operands, others, strict=True)]
    if dtype not in FORMATS or not any(stays):
        return False
    k = stays.index(True)
    x, one, other = np.broadcast_arrays(*map(as_balls, (operands[k], operands[1 - k], others[1 - k])))
    kind = format_of(resolving(dtype))
    where = _differ(one, other)
    terms = zip(x[where], one[where], other[where], strict=True)
    return all(_changes_nothing(b, c, kind) and _changes_nothing(b, d, kind) for b, c, d in terms)


def _is_nothing(dtype: str, operands: list[Array], others: list[Array]) -> bool:
    """Whether a product rounds to 0 with both of its numbers: of exp(-1e10), say."""
    if dtype not in FORMATS:
        return False
    least = format_of(dtype).least / 2
    products = (np.asarray(as_balls(x) * as_balls(y)) for x, y in (operands, others))
    return all(abs(ball) < least for product in products for ball in product.ravel().tolist())


def _changes_nothing(x: arb, term: arb, kind: Format) -> bool:
    """Whether x + term rounds to x.

    An x without a radius, as exp(0), is that in what ran too; below a power of two the ulp is half as large.
    """
    if x.rad() != 0:
        return bool(abs(term) < arb(2) ** -(kind.digits + ROOM) * abs(x))
    half = float(kind.ulp(np.asarray(float(x)))) / 2
    return bool(abs(term) < (half if x * term >= 0 else half / 2))
