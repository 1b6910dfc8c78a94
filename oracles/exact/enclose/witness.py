"""A second witness before a custom rule is called wrong: what the forward does at a distance.

An iterative forward (a bisection) or a rounded one (a straight-through estimator, fake quantisation) is a
staircase when looked at closely: its derivative is not what its author means. So central differences of the
forward, in exact arithmetic, at steps 2^1, 2^0, ... 2^-100, are compared with the rule and with the truth.
Three halvings in a row that lie four times closer to the rule, and off it by no more than half, or by next to
nothing, side with it (measured: bisection 15, straight-through 5, fake quantisation 7; wrong rules 0 or 1).

A rule that is off by a few roundings may be off by no more than the stairs are high. Then three halvings
will do that agree with each other four times better than with the truth (measured: a loss of a bisection 17
to 41; a forward without stairs, whose differences converge, 0).

Stairs are climbed: each halving takes other branches than the one before. A kink has the same two sides at
every distance beyond it, and their mean is nobody's slope. A forward without jumps is the same at every
distance, so it is not asked; nor is it asked closer by, where eight halvings in a row have taken all the
branches that are taken here: there are no stairs between. What is detached (`stop_gradient`, `detach`)
stays: that says which derivative is meant, at every distance. And a forward that rises by the same at two
distances is bounded, as a clip is: no slope, though it is near 0.

What is written with `if` and `while` is a program only where these go as they were recorded. Where they go
another way it is recorded again, there: at a number that its dtype has. That takes its time, so three
halvings that agree with each other, and four times better than with the rule, are enough to leave it at that.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from flint import arb

from oracles.exact.enclose.evaluate import WRITING, Work, evaluate
from oracles.exact.enclose.held import held
from oracles.exact.program.balls import exact, precision
from oracles.exact.program.errors import Exhausted, Undecided
from oracles.exact.program.program import Array, Equation, Program
from oracles.exact.program.recording import Recording, deciding

FIRST, LAST = 1, -100
STREAK = 3
CLOSER = 4
NOTHING = 1024
ONE_BRANCH = 8
BITS = 256
LONGER, LEAST_GUARDS = (
    2,
    30,
)  # so many times the branches from here, of 30 at the least: it may never end there

# What every comparison, rounding and order of one evaluation gave.
Branches: TypeAlias = list[Any]
# Records a function with other numbers in some of its inputs.
Again: TypeAlias = Callable[[Mapping[int, Array]], Recording]


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
    again: Again | None = None,
) -> str:
    """Why the differences of <cotangent, forward> along one input element side with the rule, "" if not.

    A forward without steps and branches is not asked.

    Args:
        moving, element: Which input, and which of its elements.
        rule, truth: The two derivatives along it.
        seconds: How much may be done (see `Work`); at its end it says so, which decides nothing.
        near: Whether the two differ by no more than a few roundings.
        again: Records the forward at other numbers of the moving input; None where that cannot be done.
    """
    stays = inputs
    with suppress(Undecided):  # then it moves
        forward, stays = held(forward, inputs, BITS)
    if not jumps(forward):
        return ""
    work = Work(seconds)
    if not forward.guards or len(stays) > len(inputs):  # what stays would move with a new recording
        again = None
    line = _Line(forward, stays, cotangents, moving, element, work, again, Work(seconds))
    streak = steps = alike = settled = 0
    last = risen = ways = None
    with precision(BITS):
        here = line.taken_here()
    for exponent in range(FIRST, LAST - 1, -1):
        with precision(BITS):
            step = arb(2) ** exponent
            try:
                above, below = line.at(step), line.at(-step)
            except Exhausted:
                return f"the second witness ran out of work after {steps} of {FIRST - LAST + 1} steps"
            except Undecided:
                streak, alike, settled, last, risen = 0, 0, 0, None, None  # outside the domain, say
                continue
            steps += 1
            rise = above.value - below.value
            slope = rise / (above.where - below.where)
            gap = abs(slope - truth)
            off = abs(slope - rule)
            bounded = risen is not None and CLOSER * abs(rise - risen) < abs(rise)
            # A slope of the other sign is not the rule's; where that is 0, one may be next to nothing.
            near_rule = 2 * off <= abs(rule).max(abs(slope)) or NOTHING * off < gap
            closer = CLOSER * off < gap and near_rule and not bounded
            steady = near and last is not None and CLOSER * abs(slope - last) < gap
            settles = last is not None and CLOSER * abs(slope - last) < off and not bounded
        taken = (above.taken, below.taken)
        climbs = taken != ways
        streak, last, risen, ways = streak + 1 if climbs and (closer or steady) else 0, slope, rise, taken
        if streak == STREAK:
            neither = f", {_short(gap)} off the derivative here and {_short(off)} off the rule"
            said = f" that the rule gives, and not {_short(truth)}" if closer else neither
            return (
                f"from a distance (steps around 2^{exponent}) the forward itself has the slope "
                f"{_short(slope)}{said}: it is an iteration or is rounded"
            )
        settled = settled + 1 if settles else 0
        if settled == STREAK:
            line = replace(line, again=None)
        alike = alike + 1 if taken == (here, here) else 0
        if alike == ONE_BRANCH:
            break
    return ""


def _short(ball: arb) -> str:
    return str(ball.mid().str(6, radius=False))


class _Place(NamedTuple):
    """Where the element was moved to, <cotangent, forward> there, and the branches on the way."""

    where: arb
    value: arb
    taken: Branches


@dataclass(frozen=True, slots=True)
class _Line:
    """<cotangent, forward> along one element of one input.

    Attributes:
        forward, inputs, cotangents, moving, element: As for `sides_with_rule`.
        work: How much may be evaluated.
        again: Records the forward elsewhere; None where that cannot be done.
        recording: How much may be recorded: no more than that is what `work` is for.
    """

    forward: Program
    inputs: Sequence[Array]
    cotangents: Sequence[Array]
    moving: int
    element: tuple[int, ...]
    work: Work
    again: Again | None
    recording: Work

    def at(self, step: arb) -> _Place:
        """With the element moved by a step, or to a number of its dtype next to that.

        Raises:
            Undecided: There is no value, or no more may be recorded.
            Exhausted: No more may be evaluated.
        """
        moved = [exact(x) for x in self.inputs]
        moved[self.moving] = moved[self.moving].copy()
        moved[self.moving][self.element] += step
        try:
            return self._followed(self.forward, moved)
        except Exhausted:
            raise
        except Undecided:
            if self.again is None:
                raise
        return self._followed(*self._recorded(self.again, float(step)))

    def taken_here(self) -> Branches | None:
        """The branches where nothing is moved; None where they are not known."""
        try:
            return self._followed(self.forward, [exact(x) for x in self.inputs]).taken
        except Undecided:
            return None

    def _recorded(self, again: Again, step: float) -> tuple[Program, Sequence[Array]]:
        """The forward as it goes at a number of the dtype, and its inputs there."""
        numbers = np.array(self.inputs[self.moving])
        here, cost = numbers[self.element], len(self.forward.equations) * WRITING
        numbers[self.element] = float(here) + step
        if numbers[self.element] == here or not self.recording.pays(cost):
            raise Undecided("it is not recorded there")
        try:
            with deciding(LONGER * (len(self.forward.guards) + LEAST_GUARDS)):
                found = again({self.moving: numbers})
        except Exception as problem:  # the user's function may not be meant for this
            raise Undecided(f"it cannot be recorded there: {problem}") from None
        shapes = [[v.shape for v in program.outputs] for program in (found.program, self.forward)]
        if shapes[0] != shapes[1] or len(held(found.program, found.values, BITS)[1]) > len(found.values):
            raise Undecided("it is another function there, or something stays, and where is not known")
        return found.program, found.values

    def _followed(self, forward: Program, inputs: Sequence[Array]) -> _Place:
        taken: Branches = []

        def watch(equation: Equation, operands: list[Array], result: Array) -> None:
            if _branches(equation):
                taken.append(result.tolist())

        total = arb(0)
        for value, cotangent in zip(
            evaluate(forward, inputs, BITS, self.work, watch), self.cotangents, strict=True
        ):
            for a, b in zip(value.ravel().tolist(), exact(cotangent).ravel().tolist(), strict=True):
                total += a * b
        return _Place(exact(inputs[self.moving])[self.element], total, taken)
