"""Where the digits went: the operation whose cancellation, or own rounding, contributes most to a bound.

A first-order error analysis backwards (Griewank and Walther, Evaluating Derivatives, 2nd ed., 2008, 2.3): the
adjoint of every value on the way, times the error it has there, is its share of the error in one element of
the result.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from oracles.exact.enclose.evaluate import evaluate
from oracles.exact.program.derive import adjoints
from oracles.exact.program.errors import ExactError
from oracles.exact.program.formats import FORMATS
from oracles.exact.program.primitives.arithmetic import detach_
from oracles.exact.program.program import PRIMITIVES, Array, Equation, Program
from oracles.exact.rounding.bound import Bound, RoundingModel, bound

BITS = 128
SHARE = 0.25  # of the error must pass through an operation that is named for its cancellation
CANCELS = 4  # bits: what an ordinary sum loses


def diagnose(
    program: Program, inputs: Sequence[Array], model: RoundingModel, output: int, element: tuple[int, ...]
) -> str:
    """One line on the element of one output, "" if nothing can be said."""
    found = bound(program, inputs, model, keep=True)
    try:
        if found.balls[output][element].is_finite():
            return _shares(program, inputs, found, output, element)
        return _events(found)
    except ExactError:
        return ""


def place_of(equation: Equation) -> str:
    """The operation and its line."""
    origin = equation.origin
    if origin is None:
        return equation.called
    return f"{origin.operation} at {origin.place}" if origin.place else origin.operation


def _events(found: Bound) -> str:
    if found.underflow:
        return f"underflow: a number that is not 0 becomes 0 at {place_of(found.underflow)}"
    return f"overflows at {place_of(found.overflow)}" if found.overflow else ""


def _shares(
    program: Program, inputs: Sequence[Array], found: Bound, output: int, element: tuple[int, ...]
) -> str:
    whole = _without_detach(program)
    moving = [i for i, v in enumerate(whole.inputs) if v.dtype in FORMATS]
    backwards, values = adjoints(whole, moving)
    ones = [np.zeros(v.shape) for v in whole.outputs]
    ones[output][element] = 1.0
    weights = dict(zip(values, evaluate(backwards, [*inputs, *ones], BITS), strict=True))
    by_output = {e.output: e for e in program.equations}
    total, best, cancelled = 0.0, ("", 0.0), ("", 0.0)
    shares = []
    for v, weight in weights.items():
        equation, size = by_output[v], _numbers(weight)
        if v in found.local:
            with np.errstate(invalid="ignore"):
                share = float(np.nansum(size * found.local[v]))
            total += share
            shares.append((share, equation))
        if equation.primitive.terms and size.size:
            radius = np.array([float(b.rad()) for b in found.values[v].ravel()]).reshape(v.shape)
            with np.errstate(invalid="ignore"):
                passing = np.nan_to_num(size * radius)
            at = np.unravel_index(int(np.argmax(passing)), v.shape)
            bits = _cancelled(equation, found, at)
            if bits > cancelled[1] and float(passing[at]) > 0:
                cancelled = (place_of(equation), bits)
                best = (place_of(equation), float(passing[at]))
    if cancelled[1] >= CANCELS and best[1] >= SHARE * total:
        digits = FORMATS[program.outputs[output].dtype].digits
        return f"{cancelled[0]}: {round(min(cancelled[1], digits))} of {digits} bits cancel"
    if not shares or not total > 0:
        return ""
    share, equation = max(shares, key=lambda pair: pair[0])
    return f"{place_of(equation)} contributes {100 * share / total:.0f} % of the bound"


def _cancelled(equation: Equation, found: Bound, at: tuple[np.intp, ...]) -> float:
    """How many leading bits vanish in a sum at one element."""
    result = abs(float(found.values[equation.output][at]))
    assert equation.primitive.terms is not None
    sizes = [np.absolute(found.values[v]) for v in equation.operands]
    before = float(np.asarray(equation.primitive.terms(*sizes, **equation.params))[at])
    if not before > 0 or not math.isfinite(result):
        return 0.0
    return math.log2(before / result) if result > 0 else math.inf


def _numbers(balls: Array) -> Array:
    return np.array([abs(float(b)) for b in balls.ravel().tolist()], float).reshape(balls.shape)


def _without_detach(program: Program) -> Program:
    """What is held fixed in a derivative still carries its rounding on."""
    equations = [
        e._replace(primitive=PRIMITIVES["reshape"], params={"shape": e.output.shape})
        if e.primitive is detach_
        else e
        for e in program.equations
    ]
    return Program(program.inputs, equations, program.outputs)
