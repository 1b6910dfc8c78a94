"""Where the digits went: the operation whose cancellation, or own rounding, contributes most to a bound.

A first-order error analysis backwards (Griewank and Walther, Evaluating Derivatives, 2nd ed., 2008, 2.3): the
adjoint of every value on the way, times the error it has there, is its share of the error in one element of
the result.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from oracles.exact.enclose.evaluate import evaluate
from oracles.exact.program.derive import adjoints
from oracles.exact.program.errors import ExactError
from oracles.exact.program.formats import FORMATS
from oracles.exact.program.primitives.arithmetic import detach_
from oracles.exact.program.program import PRIMITIVES, Array, Equation, Origin, Program, Var
from oracles.exact.rounding.bound import Bound, RoundingModel, bound

BITS = 128
SHARE = 0.25  # of the error must pass through an operation that is named for its cancellation
CANCELS = 4  # bits: what an ordinary sum loses


class Diagnosis(NamedTuple):
    """Where the digits went: in words, "" if nothing can be said; and the operation that is named."""

    text: str = ""
    origin: Origin | None = None


def diagnose(
    program: Program, inputs: Sequence[Array], model: RoundingModel, output: int, element: tuple[int, ...]
) -> Diagnosis:
    """One line on the element of one output."""
    found = bound(program, inputs, model, keep=True)
    try:
        if found.balls[output][element].is_finite():
            return _shares(program, inputs, found, output, element)
        return _events(found)
    except ExactError:
        return Diagnosis()


def written_at(gradient: Program, output: int, forward: Program) -> Origin | None:
    """The last operation on the way to an output whose line is known: there that gradient is written.

    Where some of it is on lines that the forward has not, as a rule by hand is, the last of those; the others
    are what a framework derives from the forward.
    """
    derived = {e.origin.place for e in forward.equations if e.origin}
    by_output = {e.output: e for e in gradient.equations}
    waiting, seen = deque([gradient.outputs[output]]), set[Var]()
    found: list[Origin] = []
    while waiting:
        v = waiting.popleft()
        if v in seen or v not in by_output:
            continue
        seen.add(v)
        if (origin := by_output[v].origin) is not None and origin.place:
            found.append(origin)
        waiting += by_output[v].operands
    return next((one for one in found if one.place not in derived), found[0] if found else None)


def _events(found: Bound) -> Diagnosis:
    if found.underflow:
        said = f"underflow: a number that is not 0 becomes 0 at {_named(found.underflow)}"
        return Diagnosis(said, found.underflow.origin)
    if found.overflow:
        return Diagnosis(f"overflows at {_named(found.overflow)}", found.overflow.origin)
    return Diagnosis()


def _named(equation: Equation) -> str:
    """The operation and its line."""
    return str(equation.origin or equation.called)


def _shares(
    program: Program, inputs: Sequence[Array], found: Bound, output: int, element: tuple[int, ...]
) -> Diagnosis:
    whole = _without_detach(program)
    moving = [i for i, v in enumerate(whole.inputs) if v.dtype in FORMATS]
    backwards, values = adjoints(whole, moving)
    ones = [np.zeros(v.shape) for v in whole.outputs]
    ones[output][element] = 1.0
    weights = dict(zip(values, evaluate(backwards, [*inputs, *ones], BITS), strict=True))
    by_output = {e.output: e for e in program.equations}
    total, passes, bits_lost, guilty = 0.0, 0.0, 0.0, None
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
            if bits > bits_lost and float(passing[at]) > 0:
                passes, bits_lost, guilty = float(passing[at]), bits, equation
    if guilty is not None and bits_lost >= CANCELS and passes >= SHARE * total:
        digits = FORMATS[program.outputs[output].dtype].digits
        said = f"{_named(guilty)}: {round(min(bits_lost, digits))} of {digits} bits cancel"
        return Diagnosis(said, guilty.origin)
    if not shares or not total > 0:
        return Diagnosis()
    share, equation = max(shares, key=lambda pair: pair[0])
    said = f"{_named(equation)} contributes {100 * share / total:.0f} % of the bound"
    return Diagnosis(said, equation.origin)


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
