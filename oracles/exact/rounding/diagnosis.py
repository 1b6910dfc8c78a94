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
from numpy.typing import NDArray

from oracles.exact.core.pairs import Pairs
from oracles.exact.enclose.evaluate import Work, evaluate_quickly
from oracles.exact.program.derive import adjoints
from oracles.exact.program.errors import ExactError
from oracles.exact.program.formats import FORMATS
from oracles.exact.program.held import released
from oracles.exact.program.primitives.arithmetic import convert_
from oracles.exact.program.program import PRIMITIVES, Array, Builder, Equation, Origin, Program, Var
from oracles.exact.rounding.bound import SECONDS, Bound, RoundingModel, bound
from oracles.exact.rounding.steps import Steps, by_plan, of_bound

BITS = 128
SHARE = 0.25  # of the error must pass through an operation that is named for its cancellation
NARROW = 0.5  # of the bound: what a narrower dtype than the result's adds, where that is the cause
CANCELS = 4  # bits: what an ordinary sum loses


class Diagnosis(NamedTuple):
    """Where the digits went: in words, "" if nothing can be said; and the operation that is named."""

    text: str = ""
    origin: Origin | None = None


def diagnose(
    program: Program,
    inputs: Sequence[Array],
    model: RoundingModel,
    output: int,
    element: tuple[int, ...],
    computed: float = 0.0,
) -> Diagnosis:
    """One line on the element of one output, which was computed as this."""
    try:
        steps = by_plan(program, inputs, model)
        if steps and np.isfinite(steps.radius(program.outputs[output])[element]):
            return _shares(program, inputs, steps, output, element)
        found = bound(program, inputs, model, keep=True)  # Arb says what happens where nothing is bounded
        is_bounded = found.balls[output][element].is_finite()
        said = Diagnosis() if is_bounded else _events(program, found, math.isfinite(computed))
        if said.text or found.undecided:
            return said
        return _shares(program, inputs, of_bound(found), output, element)
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


def _events(program: Program, found: Bound, is_finite: bool) -> Diagnosis:
    """The first thing that rounding may have done; where one may do both, infinity is an overflow."""
    order = {e.output: k for k, e in enumerate(program.equations)}
    over, under = (e and (order[e.output], e) for e in (found.overflow, found.underflow))
    if under and (not over or under[0] < over[0] or (is_finite and under[0] == over[0])):
        said = f"underflow: a number that is not 0 becomes 0 at {_named(under[1])}"
        return Diagnosis(said, under[1].origin)
    if over:
        return Diagnosis(f"overflows at {_named(over[1])}", over[1].origin)
    if found.undecided and not found.undecided.output.is_float:
        said = f"rounding decides what {_named(found.undecided)} gives: {found.problem}"
        return Diagnosis(said, found.undecided.origin)
    return Diagnosis()


def _named(equation: Equation) -> str:
    """The operation and its line."""
    return str(equation.origin or equation.called)


class Contribution(NamedTuple):
    """What one operation adds to the error of one element of a result, to first order.

    Attributes:
        equation: The operation.
        share: What its own rounding adds, of the bound.
        passes: For a sum: how much of the error in what is added comes through it to the result.
        bits: For a sum: how many leading bits cancel in it, where the most comes through.
        overflows: Whether it is infinite where the result depends on it.
    """

    equation: Equation
    share: float
    passes: float = 0.0
    bits: float = 0.0
    overflows: bool = False


def contributions(
    program: Program, inputs: Sequence[Array], steps: Steps, output: int, element: tuple[int, ...]
) -> list[Contribution]:
    """Of every operation on the way to an element.

    Args:
        program, inputs: What ran.
        steps: What it computes on the way.
        output, element: Of which result, and where.

    Raises:
        ExactError: The adjoints cannot be evaluated.
    """
    whole = _moving_where_it_rounds(released(program), steps)  # what is held fixed still carries its rounding
    moving = [i for i, v in enumerate(whole.inputs) if v.dtype in FORMATS]
    backwards, values = adjoints(whole, moving)
    errors = [np.zeros(v.shape) for v in whole.inputs[len(inputs) :]]
    ones = [np.zeros(v.shape) for v in whole.outputs]
    ones[output][element] = 1.0
    weights = evaluate_quickly(backwards, [*inputs, *errors, *ones], BITS, Work(SECONDS))
    by_output = {e.output: e for e in program.equations}
    each = []
    for v, weight in zip(values, weights, strict=True):
        equation, size = by_output[v], _sizes(weight)
        share = float(np.sum(_carried(size, steps.own[v]))) if v in steps.own else 0.0
        passes, bits = 0.0, 0.0
        if equation.primitive.terms and size.size:
            passing = _carried(size, steps.radius(v))
            at = np.unravel_index(int(np.argmax(passing)), v.shape)
            passes, bits = float(passing[at]), _cancelled(equation, steps, at)
        infinite = bool(np.any(np.isinf(steps.middle(v)) & _depends(weight)))
        each.append(Contribution(equation, share, passes, bits, infinite))
    return each


def _shares(
    program: Program, inputs: Sequence[Array], steps: Steps, output: int, element: tuple[int, ...]
) -> Diagnosis:
    each = contributions(program, inputs, steps, output, element)
    if any(one.overflows for one in each) and (first := _overflowing(program, steps)):
        return Diagnosis(f"overflows at {_named(first)}", first.origin)
    digits = FORMATS[program.outputs[output].dtype].digits
    total = sum(one.share for one in each)
    narrow = [one for one in each if _digits(one) < digits]
    is_cast = bool(narrow) and total > 0 and sum(one.share for one in narrow) >= NARROW * total
    # What a narrower dtype has lost before is not lost in a sum of a wider one, though it shows there.
    sums = [one for one in (narrow if is_cast else each) if one.bits > 0 and one.passes > 0]
    guilty = max(sums, key=lambda one: one.bits, default=None)
    if guilty and guilty.bits >= CANCELS and guilty.passes >= SHARE * total:
        kept = min(digits, _digits(guilty))
        said = f"{_in_dtype(guilty, digits)}: {round(min(guilty.bits, kept))} of {kept} bits cancel"
        return Diagnosis(said, guilty.equation.origin)
    if not total > 0:
        return Diagnosis()
    largest = max(narrow if is_cast else each, key=lambda one: one.share)
    said = f"{_in_dtype(largest, digits)} contributes {100 * largest.share / total:.0f} % of the bound"
    return Diagnosis(said, largest.equation.origin)


def _overflowing(program: Program, steps: Steps) -> Equation | None:
    """The first operation that makes infinity of finite numbers: divided by it, a result is finite again."""
    infinite = {v for v in program.inputs if v.is_float and np.isinf(steps.middle(v)).any()}
    for e in program.equations:
        if e.output.is_float and np.isinf(steps.middle(e.output)).any():
            if infinite.isdisjoint(e.operands):
                return e
            infinite.add(e.output)
    return None


def _digits(one: Contribution) -> int:
    return FORMATS[one.equation.output.dtype].digits


def _in_dtype(one: Contribution, digits: int) -> str:
    """The operation and its line; with its dtype where that is narrower than the result's."""
    equation, origin = one.equation, one.equation.origin
    if _digits(one) >= digits:
        return _named(equation)
    is_cast = equation.primitive is convert_
    said = (
        f"convert to {equation.output.dtype}" if is_cast else f"{equation.called} in {equation.output.dtype}"
    )
    return f"{said} at {origin.place}" if origin and origin.place else said


def _cancelled(equation: Equation, steps: Steps, at: tuple[np.intp, ...]) -> float:
    """How many leading bits vanish in a sum at one element."""
    result = abs(float(steps.middle(equation.output)[at]))
    assert equation.primitive.terms is not None
    sizes = [np.abs(steps.middle(v)) for v in equation.operands]
    before = float(np.asarray(equation.primitive.terms(*sizes, **equation.params))[at])
    if not before > 0 or not math.isfinite(result):
        return 0.0
    return math.log2(before / result) if result > 0 else math.inf


def _sizes(balls: Array | Pairs) -> NDArray[np.float64]:
    if isinstance(balls, Pairs):
        return np.abs(balls.h)
    return np.array([abs(float(b)) for b in balls.ravel().tolist()], float).reshape(balls.shape)


def _depends(weights: Array | Pairs) -> NDArray[np.bool_]:
    """Where a result depends on a value at all, if by less than float64 can say."""
    if isinstance(weights, Pairs):
        return np.asarray((weights.h != 0) | (weights.r != 0))
    return np.array([b != 0 for b in weights.ravel().tolist()], bool).reshape(weights.shape)


def _carried(weights: NDArray[np.float64], errors: NDArray[np.float64]) -> NDArray[np.float64]:
    """What of these errors comes through; what nothing bounds has no share that can be told."""
    with np.errstate(invalid="ignore", over="ignore"):
        found = weights * errors
    return np.where(np.isfinite(found), found, 0.0)


def _moving_where_it_rounds(program: Program, steps: Steps) -> Program:
    """The program with an input of zeros added to each value that rounds, though no input moves it.

    So what is computed of constants has an adjoint, too.
    """
    builder, moving = Builder(), {v for v in program.inputs if v.is_float}
    equations: list[Equation] = []
    for e in program.equations:
        equations.append(e)
        out = e.output
        if not out.is_float:
            continue
        if e.primitive.jvp is not None and not moving.isdisjoint(e.operands):
            moving.add(out)
        elif np.any(steps.own.get(out, 0.0)):
            before, error = Var(builder, out.shape, out.dtype), builder.input(out.shape, out.dtype)
            equations[-1] = e._replace(output=before)
            equations.append(Equation(PRIMITIVES["add"], (before, error), {}, out, e.origin))
            moving.add(out)
    return Program((*program.inputs, *builder.inputs), equations, program.outputs)
