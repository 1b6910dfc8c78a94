"""Runs a program in ball arithmetic at one precision, and tells what has no value at any."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np

from oracles.exact.core.pairs import Pairs, of_balls
from oracles.exact.core.plans import planned
from oracles.exact.core.telling import tell
from oracles.exact.program.balls import all_finite, as_balls, exact, numbers, precision
from oracles.exact.program.errors import Exhausted, Turned
from oracles.exact.program.primitives.arithmetic import constant, div
from oracles.exact.program.primitives.arrays import permute_, reshape_
from oracles.exact.program.primitives.linear_algebra import matmul_
from oracles.exact.program.primitives.taylor import at_ends, taylor, taylor_coefficients
from oracles.exact.program.primitives.truths import Open
from oracles.exact.program.program import Array, Equation, Program, Series, Var

RATE = 3e7  # additions of balls that stand for a second
LONG = 2**16  # bits, from which on a function of one number is as many times as much work again
QUICK = 16  # times as many in the fast core, at the least: without wide vectors, too
WRITING = 10_000  # as many as writing an equation of the fast core's plan takes
MOVES = (permute_, reshape_)  # what may come before a product of matrices
GUARD, LEAST_SECONDS = 20, 30  # a clock of so many times the seconds, of 30 at the least
# Sees an equation with the values of its operands and of its output.
Watch: TypeAlias = Callable[[Equation, list[Array], Array], None]


class Work:
    """How much evaluations may do, counted: a slow or busy machine comes as far as a fast one.

    Args:
        seconds: As much as a machine of 2025 does in them, at the least. The clock is read for what no count
            foresees, an evaluation that hangs: it ends one that takes many times as long.
    """

    def __init__(self, seconds: float) -> None:
        self.left = seconds * RATE
        self._ends = time.monotonic() + GUARD * max(seconds, LEAST_SECONDS)

    def affords(self, program: Program, bits: int) -> bool:
        """Whether one evaluation more is within it."""
        return program.cost * _factor(bits) <= self.left

    def pays_plan(self, program: Program, runs: int = 1) -> bool:
        """Count the program's plan and so many runs of it, if they are within it.

        It counts as if it was written now: whether another check has left it changes no verdict.
        """
        return self.pays(len(program.equations) * WRITING + runs * program.cost / QUICK)

    def pays(self, cost: float) -> bool:
        """Count so much, if it is within it."""
        if cost > self.left:
            return False
        self.left -= cost
        return True

    def spend(self, cost: float, number: int, of: int) -> None:
        """Count the equation that is done next.

        Raises:
            Exhausted: It is more than what is left.
        """
        tell("values ball by ball", number, of)
        self.left -= cost
        if self.left < 0:
            raise Exhausted(f"out of work at equation {number} of {of}")
        if time.monotonic() > self._ends:
            raise Exhausted(f"hanging at equation {number} of {of}")


def _factor(bits: int) -> float:
    """How much more work numbers of so many bits are."""
    return max(1.0, bits / 512) * max(1.0, bits / LONG)


def evaluate(
    program: Program,
    inputs: Sequence[Array],
    bits: int,
    work: Work | None = None,
    watch: Watch | None = None,
    at_point: bool = False,
) -> list[Array]:
    """The outputs as arrays of balls, for inputs that are numbers (taken exactly) or balls.

    Each value is dropped after its last use, so memory follows the widest moment of the program and not its
    length. All Taylor coefficients of one function at one value come from one series. `watch` is shown each
    equation, once it is computed. `at_point`: of a value, and not of a derivative, a logarithm of 0 is -inf.

    Raises:
        Undecided: A comparison is not certain at this precision.
        Turned: A guard does not hold here.
        Exhausted: It is more work than is left.
    """
    factor, plain = _factor(bits), _plain(program)
    with precision(bits):
        given = zip(program.inputs, inputs, strict=True)
        values = {v: numbers(x) if v in plain else exact(x) for v, x in given}
        coefficients: dict[Series, Sequence[Array]] = {}
        of: dict[Var, list[Series]] = {}  # the series that a value is read by
        open_, guards = Open(), dict(program.guards)
        for number, equation in enumerate(program.equations):
            if work is not None:
                work.spend(program.costs[number] * factor, number, len(program.equations))
            operands = [values[v] for v in equation.operands]
            if equation.primitive is taylor:
                key, highest = program.series[equation.output]
                if key not in coefficients:
                    coefficients[key] = _series(equation, operands, highest)
                    for v in key[0]:
                        of.setdefault(v, []).append(key)
                result = coefficients[key][equation.params["order"]]
                if at_point:
                    result = at_ends(equation, operands, result)
            else:
                result = open_.evaluate(equation, operands)
                if equation.output in plain:
                    result = numbers(result)
                else:
                    result = exact(result) if equation.output.is_float else np.asarray(result)
            values[equation.output] = result
            if equation.output in guards and equation.output not in open_:  # what follows is not needed
                _hold(guards[equation.output], result)
            if watch:
                watch(equation, operands, result)
            for v in program.last_uses.get(number, ()):
                del values[v]
                for key in of.pop(v, ()):
                    coefficients.pop(key, None)
        open_.require(*program.outputs, *(v for v, _ in program.guards))
        for v, expected in program.guards:
            _hold(expected, values[v])
        return [values[v] for v in program.outputs]


def _hold(expected: Array, found: Array) -> None:
    if not np.array_equal(found, expected):
        raise Turned.from_(expected, found)


def _plain(program: Program) -> set[Var]:
    """The given numbers, moved or not, that only products of matrices read: they need no balls yet."""
    known = vars(program)
    if "plain" not in known:
        others = {*program.outputs, *(v for v, _ in program.guards)}  # what something else reads
        for e in reversed(program.equations):
            if e.primitive is not matmul_ and (e.primitive not in MOVES or e.output in others):
                others.update(e.operands)
        found = {v for v in program.inputs if v.is_float}
        for e in program.equations:
            moves = e.primitive in MOVES and found.issuperset(e.operands)
            if e.output.is_float and (moves or e.primitive is constant):
                found.add(e.output)
        known["plain"] = found - others
    return known["plain"]  # type: ignore[no-any-return]


def evaluate_quickly(
    program: Program, inputs: Sequence[Array], bits: int, work: Work | None = None
) -> list[Array | Pairs]:
    """The same by the fast core, to a hundred bits and as pairs, where that decides everything.

    Raises:
        Undecided: As `evaluate`.
    """
    return list(known_quickly(program, inputs) or evaluate(program, inputs, bits, work))


def as_pairs(found: Array | Pairs) -> Pairs:
    """What `evaluate_quickly` gives of one output, as pairs."""
    return found if isinstance(found, Pairs) else of_balls(as_balls(found))


def known_quickly(program: Program, inputs: Sequence[Array]) -> list[Pairs] | None:
    """What the fast core gives; None where it does not decide everything.

    Raises:
        Turned: A guard does not hold here.
    """
    plan = planned(program)
    found = plan.run(inputs) if plan else None
    return found if found is not None and all(one.known for one in found) else None


def _series(equation: Equation, operands: list[Array], highest: int) -> Sequence[Array]:
    """The coefficients of the function that one of them is asked of, up to the highest that is asked."""
    params = {name: value for name, value in equation.params.items() if name not in {"function", "order"}}
    return taylor_coefficients(operands, equation.params["function"], highest, params)


# -- poles: where a function of exact numbers has no value, more digits bring none ------------------------


class Poles:
    """Watches an evaluation: whether all that is not finite comes from poles at exact numbers.

    A ball of radius 0 is the number itself, at this precision and at any other. What has no value there at
    `bits` either, the most that are allowed, has none: to double the precision until then would be in vain.
    """

    def __init__(self, bits: int) -> None:
        self.bits = bits
        self._found, self._others = 0, 0

    @property
    def are_all(self) -> bool:
        """Whether there are poles, and nothing else that is not finite begins anywhere."""
        return self._found > 0 and self._others == 0

    def __call__(self, equation: Equation, operands: list[Array], result: Array) -> None:
        """Look at one equation; what only carries on what came before is not counted."""
        if result.dtype != object or self._others or all_finite(result):
            return
        if equation.primitive not in (div, taylor):
            self._others += all(all_finite(x) for x in operands if x.dtype == object)
            return
        given = [as_balls(x).ravel() for x in operands]
        begins = [
            not ball.is_finite() and all(x.is_finite() for x in own)
            for ball, *own in zip(result.ravel(), *given, strict=True)
        ]
        where = np.flatnonzero(begins)
        if where.size and self._has_no_value(equation, [x[where] for x in given]):
            self._found += 1
        elif where.size:
            self._others += 1

    def _has_no_value(self, equation: Equation, at: list[Array]) -> bool:
        if not all(x.is_exact() for array in at for x in array):
            return False
        with precision(self.bits):
            values = equation.primitive.evaluate(*at, **equation.params)
        return not any(value.is_finite() for value in values)
