"""Derivatives, enclosed: at isolated points and at leaps they are those of the sides."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from oracles.exact.enclose.branches import Sides
from oracles.exact.enclose.cell_edges import look_for_jumps
from oracles.exact.enclose.enclosure import Enclosure
from oracles.exact.enclose.evaluate import Poles, Work, evaluate, known_quickly
from oracles.exact.enclose.kinks import is_isolated
from oracles.exact.enclose.leaps import leaping
from oracles.exact.enclose.limits import Limits
from oracles.exact.enclose.refine import refine
from oracles.exact.enclose.witness import Again
from oracles.exact.program.derive import jvp
from oracles.exact.program.errors import Turned, Undecided
from oracles.exact.program.primitives.arithmetic import constant
from oracles.exact.program.primitives.edges import edge_rate
from oracles.exact.program.program import Array, Program

TURNS = "an index that was decided jumps at this point (of an array that the code holds, say)"
TOGETHER = 2**17  # elements of what is evaluated together with its derivative: blocks would part them


class Derived(NamedTuple):
    """A derivative, enclosed.

    Attributes:
        parts: Its parts.
        values: The results of the function, where they came out with it.
        sides: The branches beside the point, at the edge of one.
    """

    parts: list[Enclosure]
    values: list[Enclosure] | None
    sides: Sides | None = None


def slopes(
    function: Program,
    derive: Callable[..., Program],
    values: Sequence[Array],
    directions: Sequence[Array],
    wrt: Sequence[int],
    bits: int,
    limits: Limits,
    quickly: bool = False,
    again: Again | None = None,
) -> Derived:
    """A derivative of a function, enclosed, and of one that is not large its results, too.

    Args:
        function: The program that is differentiated.
        derive: Makes that of its derivative, whose inputs are those of the function, then the directions:
            `jvp` or `vjp`.
        values, directions: The numbers of both.
        wrt: Which inputs of the function are differentiated.
        bits, limits, quickly: As for `refine`.
        again: Records the function with other numbers in some of its inputs; None where that cannot be done.

    Raises:
        Undecided: As `refine`; or the function jumps at this point alone, or has no value. Where its sides
            are apart, the enclosures say so (`leaps`).
    """
    forward, together = derive is jvp, all(v.size <= TOGETHER for v in (*function.inputs, *function.outputs))
    inputs, work = [*values, *directions], Work(limits.seconds)
    turns = look_for_jumps(function, values, wrt, work)
    program, results_beside = derive(function, wrt, together), len(function.outputs) if together else 0

    def beside(edge: Turned, alone: bool) -> Derived:
        if again is None:
            raise edge
        sides = Sides(function, again, derive, values, directions, wrt, bits, work, edge, alone)
        return Derived(sides.enclosures(), None, sides)

    if turns and again is not None:
        with suppress(Undecided):
            return beside(Turned(TURNS), False)
    try:
        isolated = _asks_for_equality(function) and is_isolated(function, values, wrt, bits)
    except Turned as edge:
        return beside(edge, True)
    try:
        found = refine(program, inputs, bits, limits, wrt, isolated, forward, quickly, results_beside)
    except Turned as edge:
        return beside(edge, False)
    count = len(program.outputs) - results_beside
    parts, results = found[:count], found[count:] or None
    reached = max((e.bits for e in parts if e.kinks or not e.pairs), default=bits if results_beside else 0)
    if reached and not results and not _has_a_value(function, values, reached, limits, work):
        # The slopes around say what is legal at a point of the function, and there is none: fmod at y = 0.
        raise Undecided("the function has no value here (0 / 0, say), so no slope either")
    leaps = leaping(function, values, directions, wrt, work, forward)
    if leaps:
        parts = [replace(e, leaps=own) for e, own in zip(parts, leaps, strict=True)]
    return Derived(parts, results)


def _has_a_value(function: Program, values: Sequence[Array], bits: int, limits: Limits, work: Work) -> bool:
    """Whether each result is a number, or infinite; one that no digits tell, as 0 / 0, is neither."""
    function, now = without_edges(function), 2 * bits
    try:
        if work.pays_plan(function) and known_quickly(function, values) is not None:
            return True
        while True:  # a slope may be told by fewer digits than its function, as that of logit(sigmoid(x))
            poles = Poles(limits.bits)
            if _are_numbers(evaluate(function, values, now, work, poles, at_point=True)):
                return True
            if poles.are_all or 2 * now > limits.bits or not work.affords(function, 2 * now):
                return False
            now *= 2
    except Undecided:  # on which side of a tie it lies says nothing of whether it is a number
        return True


def without_edges(function: Program) -> Program:
    """The function as if no edge was near: at one, a derivative has the value of the branch that is taken."""
    if all(e.primitive is not edge_rate for e in function.equations):
        return function  # as most are
    equations = [
        e._replace(primitive=constant, operands=(), params={"value": np.zeros(e.output.shape)})
        if e.primitive is edge_rate
        else e
        for e in function.equations
    ]
    return Program(function.inputs, equations, function.outputs, function.guards)


def _are_numbers(results: Sequence[Array]) -> bool:
    arrays = [r for r in results if r.dtype == object]
    return all(b.is_finite() or b.is_exact() for r in arrays for b in r.ravel().tolist())


def _asks_for_equality(function: Program) -> bool:
    """Whether floating numbers are asked to be equal anywhere."""
    asked = ((e.primitive.comparison, e.operands) for e in function.equations)
    # A number equals itself wherever it is: so libraries look for NaN.
    return any(c and c.larger is None and x[0].is_float and x[0] is not x[1] for c, x in asked)
