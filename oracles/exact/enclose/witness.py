"""A second witness before a custom rule is called wrong: what the forward does at a distance.

An iterative forward (a bisection) or a rounded one (a straight-through estimator, fake quantisation) is a
staircase when looked at closely: its derivative is not what its author means. So central differences of the
forward, in exact arithmetic, at steps 2^1, 2^0, ... 2^-100, are compared with the rule and with the truth.
Three halvings in a row that lie four times closer to the rule side with it (measured: bisection 15,
straight-through 5, fake quantisation 7; wrong rules 0 or 1).

A rule that is off by a few roundings may be off by no more than the stairs are high. Then three halvings
will do that agree with each other four times better than with the truth (measured: a loss of a bisection 17
to 41; a forward without stairs, whose differences converge, 0).

A forward without jumps is the same at every distance, so it is not asked; nor is it asked closer by, where
eight halvings in a row have taken all the branches that are taken here: there are no stairs between. What is
detached (`stop_gradient`, `detach`) stays: that says which derivative is meant, at every distance. And a
forward that rises by the same at two distances is bounded, as a clip is: no slope, though it is near 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any, TypeAlias

from flint import arb

from oracles.exact.enclose.evaluate import Work, evaluate
from oracles.exact.enclose.held import held
from oracles.exact.program.balls import exact, precision
from oracles.exact.program.errors import Exhausted, Undecided
from oracles.exact.program.program import Array, Equation, Program

FIRST, LAST = 1, -100
STREAK = 3
CLOSER = 4
ONE_BRANCH = 8
BITS = 256

# What every comparison, rounding and order of one evaluation gave.
Branches: TypeAlias = list[Any]


def jumps(forward: Program) -> bool:
    """Whether the forward has steps or branches, so that a look from a distance may differ."""
    return bool(forward.guards) or any(map(_branches, forward.equations))


def _branches(equation: Equation) -> bool:
    return equation.primitive.jumps and any(v.is_float for v in equation.operands)


def sides_with_rule(
    forward: Program,
    inputs: Sequence[Array],
    cotangents: Sequence[Array],
    moving: int,
    element: tuple[int, ...],
    rule: arb,
    truth: arb,
    seconds: float,
    near: bool = False,
) -> str:
    """Why the differences of <cotangent, forward> along one input element side with the rule, "" if not.

    A forward without steps and branches is not asked.

    Args:
        moving, element: Which input, and which of its elements.
        rule, truth: The two derivatives along it.
        seconds: How much may be done (see `Work`); at its end it says so, which decides nothing.
        near: Whether the two differ by no more than a few roundings.
    """
    with suppress(Undecided):  # then it moves
        forward, inputs = held(forward, inputs, BITS)
    if not jumps(forward):
        return ""
    work = Work(seconds)
    streak = steps = alike = 0
    last = risen = None
    with precision(BITS):
        here = _taken_here(forward, inputs, work)
    for exponent in range(FIRST, LAST - 1, -1):
        with precision(BITS):
            step = arb(2) ** exponent
            try:
                above, left = _projected(forward, inputs, cotangents, moving, element, step, work)
                below, right = _projected(forward, inputs, cotangents, moving, element, -step, work)
            except Exhausted:
                return f"the second witness ran out of work after {steps} of {FIRST - LAST + 1} steps"
            except Undecided:
                streak, alike, last, risen = 0, 0, None, None  # outside the domain, or on another branch
                continue
            steps += 1
            rise = above - below
            slope = rise / (2 * step)
            gap = abs(slope - truth)
            off = abs(slope - rule)
            bounded = risen is not None and CLOSER * abs(rise - risen) < abs(rise)
            closer = CLOSER * off < gap and not bounded
            steady = near and last is not None and CLOSER * abs(slope - last) < gap
        streak, last, risen = streak + 1 if closer or steady else 0, slope, rise
        if streak == STREAK:
            neither = f", {_short(gap)} off the derivative here and {_short(off)} off the rule"
            said = f" that the rule gives, and not {_short(truth)}" if closer else neither
            return (
                f"from a distance (steps around 2^{exponent}) the forward itself has the slope "
                f"{_short(slope)}{said}: it is an iteration or is rounded"
            )
        alike = alike + 1 if left == right == here else 0
        if alike == ONE_BRANCH:
            break
    return ""


def _short(ball: arb) -> str:
    return str(ball.mid().str(6, radius=False))


def _projected(
    forward: Program,
    inputs: Sequence[Array],
    cotangents: Sequence[Array],
    moving: int,
    element: tuple[int, ...],
    step: arb,
    work: Work,
) -> tuple[arb, Branches]:
    """<cotangent, forward> with one element of one input moved, and the branches on the way."""
    moved = [exact(x) for x in inputs]
    moved[moving] = moved[moving].copy()
    moved[moving][element] = moved[moving][element] + step
    values, taken = _followed(forward, moved, work)
    total = arb(0)
    for value, cotangent in zip(values, cotangents, strict=True):
        for a, b in zip(value.ravel().tolist(), exact(cotangent).ravel().tolist(), strict=True):
            total += a * b
    return total, taken


def _taken_here(forward: Program, inputs: Sequence[Array], work: Work) -> Branches | None:
    try:
        return _followed(forward, inputs, work)[1]
    except Undecided:
        return None


def _followed(forward: Program, inputs: Sequence[Array], work: Work) -> tuple[list[Array], Branches]:
    taken: Branches = []

    def watch(equation: Equation, operands: list[Array], result: Array) -> None:
        if _branches(equation):
            taken.append(result.tolist())

    return evaluate(forward, inputs, BITS, work, watch), taken
