"""A program with the numbers that stand in it as further inputs: one plan serves, whatever they are.

Whether two programs are the same function is asked with their numbers moved, as balls, or as they were
written. Each of these would be another program, and to plan one takes many times as long as to run it.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import NamedTuple

from flint import arb

from oracles.exact.enclose.literals import (
    Change,
    is_data,
    is_literal,
    is_rounded,
    may_change,
    mover,
    number_of,
)
from oracles.exact.program.balls import filled, in_integers
from oracles.exact.program.program import Array, Equation, Program, Var


class Given(NamedTuple):
    """A program whose further inputs are its literals, and then its arrays.

    Attributes:
        program: The program.
        literals: Those that may stand for another number, each once, with its dtype.
        arrays: Those with rounded numbers, with their dtypes.
    """

    program: Program
    literals: Sequence[tuple[arb, str]]
    arrays: Sequence[tuple[Array, str]]

    def with_literals(self, change: Change) -> list[Array]:
        """The further inputs, with other literals by one of the changes there are (`may_change`)."""
        return [*_changed(self.literals, change), *(array for array, _ in self.arrays)]

    def with_arrays(self, arrays: Sequence[Array]) -> list[Array]:
        """The further inputs, with other arrays."""
        return [*_changed(self.literals, lambda ball, _: ball), *arrays]

    def movers(self) -> list[Callable[[int], Array]]:
        """What moves each further input as its numbers are rounded, for any seed."""
        literals = [(filled([ball], ()), dtype) for ball, dtype in self.literals]
        return [mover(*one) for one in (*literals, *self.arrays)]


def given(program: Program) -> Given:
    """The program with what stands in it as inputs; made once, since a program stays what it is."""
    known = vars(program)
    if "given" not in known:
        known["given"] = _given(program)
    return known["given"]  # type: ignore[no-any-return]


def _given(program: Program) -> Given:
    literals: dict[Hashable, tuple[Var, arb]] = {}
    data: list[Equation] = []
    same: dict[Var, Var] = {}  # equal literals are one input, as they are one value in a plan
    rest = []
    for e in program.equations:
        dtype = e.output.dtype
        if is_literal(e) and may_change(ball := number_of(e), dtype):
            same[e.output] = literals.setdefault((in_integers(ball), dtype), (e.output, ball))[0]
        elif is_data(e) and is_rounded(e.params["value"], dtype):
            data.append(e)
        else:
            rest.append(e._replace(operands=tuple([same.get(v, v) for v in e.operands])))
    ends = tuple(same.get(v, v) for v in program.outputs)
    inputs = (*program.inputs, *(v for v, _ in literals.values()), *(e.output for e in data))
    return Given(
        Program(inputs, rest, ends, program.guards),
        [(ball, v.dtype) for v, ball in literals.values()],
        [(e.params["value"], e.output.dtype) for e in data],
    )


def _changed(literals: Sequence[tuple[arb, str]], change: Change) -> list[Array]:
    return [filled([change(ball, dtype)], ()) for ball, dtype in literals]
