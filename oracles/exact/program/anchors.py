"""log(sum(exp(x - m))) + m is the same for every m: so the shift is an exact number, and loses no digits.

The largest of a row is the shift that code takes. It is a ball as wide as x, it is subtracted from x and
added again, and so the ball of the result is three times as wide as it has to be: in a hundred steps of a
hidden Markov model all digits are lost. Any number near it is as good a shift, its midpoint above all.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from flint import arb
from numpy.typing import NDArray

from oracles.exact.program.balls import as_balls, each
from oracles.exact.program.primitives.arithmetic import add, sub
from oracles.exact.program.primitives.arrays import SHAPES, reduce_sum_
from oracles.exact.program.primitives.choices import abs_
from oracles.exact.program.primitives.taylor import taylor
from oracles.exact.program.program import Equation, Primitive, Program, Var

# The midpoints. What a program computes in their place is as it is: rounding knows it. They have no slope,
# for those of the two shifts cancel.
anchor_ = Primitive(
    "anchor", lambda x: each(arb.mid, as_balls(x)), rounded=lambda growth, equation, operands, _: operands[0]
)
Made = Mapping[Var, Equation]


class _Shifted(NamedTuple):
    """A sum `log(sum(exp(x - m))) + m`: the equations of the logarithm, in order, and which operand m is."""

    path: Sequence[Equation]
    total: Equation
    back: int


def anchored(program: Program) -> Program:
    """The program with an exact number for each such shift; what it gives are the same values."""
    made = {e.output: e for e in program.equations}
    found = {e.output: one for e in program.equations if (one := _shifted(e, made))}
    if not found:
        return program
    equations = [new for e in program.equations for new in _written(e, found.get(e.output))]
    return Program(program.inputs, equations, program.outputs, program.guards).giving(slice(None))


def _written(equation: Equation, one: _Shifted | None) -> Iterator[Equation]:
    """The equation; of such a sum all that leads to it, once more, since others may read x - m."""
    if one is None:
        yield equation
        return
    new: dict[Var, Var] = {}
    for shift in dict.fromkeys((one.path[0].operands[1], equation.operands[one.back])):
        new[shift] = Var(shift.builder, shift.shape, shift.dtype)
        yield Equation(anchor_, (shift,), {}, new[shift], equation.origin)
    for e in one.path:
        own = Var(e.output.builder, e.output.shape, e.output.dtype)
        yield e._replace(operands=_renamed(e, new), output=own)
        new[e.output] = own
    yield equation._replace(operands=_renamed(equation, new))


def _renamed(equation: Equation, new: Mapping[Var, Var]) -> tuple[Var, ...]:
    return tuple(new.get(v, v) for v in equation.operands)


def _shifted(total: Equation, made: Made) -> _Shifted | None:
    """Such a sum, if it is one, and each element gets back what was taken from its row."""
    if total.primitive is not add:
        return None
    for back, shift in enumerate(total.operands):
        path = _path(total.operands[1 - back], made)
        if path is None:
            continue
        taken, given = (_root(v, made) for v in (path[0].operands[1], shift))
        if taken[0] is not given[0] or path[0].operands[0] is taken[0]:
            continue
        places: NDArray[np.int64] | None = taken[1]
        for e in path[1:]:
            places = _moved(e, places) if places is not None else None
        if places is not None and np.array_equal(places, given[1]):
            return _Shifted(path, total, back)
    return None


def _path(value: Var, made: Made) -> list[Equation] | None:
    """The equations of a value log(sum(exp(x - m))), first to last."""
    path: list[Equation] = []

    def before(value: Var, others: Collection[Primitive] = ()) -> Equation | None:
        while (e := made.get(value)) is not None:
            path.insert(0, e)
            if e.primitive not in SHAPES and e.primitive not in others:
                return e
            value = e.operands[0]
        return None

    logarithm = before(value)
    if logarithm is None or not _is_function(logarithm, "log"):
        return None
    total = before(logarithm.operands[0], (abs_,))
    if total is None or total.primitive is not reduce_sum_:
        return None
    exponential = before(total.operands[0])
    if exponential is None or not _is_function(exponential, "exp"):
        return None
    shifted = made.get(exponential.operands[0])
    return [shifted, *path] if shifted is not None and shifted.primitive is sub else None


def _is_function(equation: Equation, name: str) -> bool:
    own = equation.params
    return equation.primitive is taylor and own["function"] == name and own["order"] == 0


def _root(value: Var, made: Made) -> tuple[Var, NDArray[np.int64]]:
    """Of which value it has the elements, and which of them where."""
    moves: list[Equation] = []
    while (e := made.get(value)) is not None and e.primitive in SHAPES:
        moves.insert(0, e)
        value = e.operands[0]
    places = np.arange(value.size).reshape(value.shape)
    for e in moves:
        places = e.primitive.evaluate(places, **e.params)
    return value, places


def _moved(equation: Equation, places: NDArray[np.int64]) -> NDArray[np.int64] | None:
    """Of which element of the shift each result is made; None where a row has several."""
    if equation.primitive in SHAPES:
        return np.asarray(equation.primitive.evaluate(places, **equation.params))
    if equation.primitive is not reduce_sum_:
        return places
    if not places.size:
        return None
    least, most = (function(places, axis=equation.params["axes"]) for function in (np.min, np.max))
    return np.asarray(least) if np.array_equal(least, most) else None
