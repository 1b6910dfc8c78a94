"""Where the kinks of a derivative are, and what it is with mixtures of both sides at most of them.

It is asked for many times, at one point. What no kink has a part in is the same each time: it is kept from
the first evaluation, and what comes after the kinks is evaluated again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from oracles.exact.enclose.evaluate import Work, evaluate
from oracles.exact.program.balls import OPEN
from oracles.exact.program.program import Array, Equation, Program, Var

GOLDEN = 0.618034  # its multiples are spread over [0, 1], so each equation has another mixture


class Sites:
    """The kinks of a derivative program at a point.

    Attributes:
        places: By the number of an equation, which elements are hulls, and what their kinks are made of.
    """

    def __init__(self, program: Program, inputs: Sequence[Array], bits: int, work: Work | None) -> None:
        self.places: dict[int, tuple[Array, Array]] = {}
        self._first, self._read = _around_kinks(program)
        self._known: dict[Var, Array] = {}
        self._mixed: dict[Var, tuple[int, Array]] = {}  # of the first kinks
        self._number = -1
        evaluate(program, inputs, bits, work, self)
        self._known |= {v: x for v, x in zip(program.inputs, inputs, strict=True) if v in self._read}
        self._rest, self._numbers = _without(program, self._known)
        self._bits, self._work = bits, work

    def __call__(self, equation: Equation, operands: list[Array], result: Array) -> None:
        """Look at one equation."""
        self._number += 1
        v = equation.output
        if v in self._read and result.dtype != OPEN:
            self._known[v] = result
        kink = equation.primitive.kink
        if kink is None:
            return
        tied = kink.tied(*operands, **equation.params)
        if not tied.any():
            return
        self.places[self._number] = np.ravel(tied), np.ravel(kink.gap(*operands, **equation.params))
        if v in self._first:
            self._mixed[v] = self._number, _mixed(self._number, equation, operands)

    def mixed_but(self, kept: Mapping[int, Array]) -> list[Array]:
        """The outputs with a mixture at every kink but those that are kept, by the numbers of equations."""
        given = [self._given(v, kept) for v in self._rest.inputs]
        return evaluate(self._rest, given, self._bits, self._work, _Mixing(kept, self._numbers))

    def _given(self, v: Var, kept: Mapping[int, Array]) -> Array:
        result = self._known[v]
        if v not in self._mixed:
            return result
        number, mixed = self._mixed[v]
        others = self.places[number][0] & ~kept.get(number, np.False_)
        return np.where(others.reshape(result.shape), mixed, result)


class _Mixing:
    """Watches an evaluation of the rest: mixes at the kinks after the first ones."""

    def __init__(self, kept: Mapping[int, Array], numbers: Sequence[int]) -> None:
        self._kept, self._numbers = kept, iter(numbers)

    def __call__(self, equation: Equation, operands: list[Array], result: Array) -> None:
        number = next(self._numbers)
        if equation.primitive.kink is None:
            return
        tied = equation.primitive.kink.tied(*operands, **equation.params)
        others = tied & ~np.reshape(self._kept.get(number, np.zeros(tied.shape, bool)), tied.shape)
        if others.any():
            result[others] = _mixed(number, equation, operands)[others]


def _mixed(number: int, equation: Equation, operands: list[Array]) -> Array:
    assert equation.primitive.kink is not None
    share = 0.1 + 0.8 * (number * GOLDEN % 1)
    return np.asarray(equation.primitive.kink.mixed(share, *operands, **equation.params))


def _around_kinks(program: Program) -> tuple[set[Var], set[Var]]:
    """The first kinks' results, and what equations after these read, or the program returns, of no kink."""
    first, after, read = set[Var](), set[Var](), set(program.outputs)
    for equation in program.equations:
        if not (first | after).isdisjoint(equation.operands):
            after.add(equation.output)
            read.update(equation.operands)
        elif equation.primitive.kink is not None:
            first.add(equation.output)
    return first, read - after


def _without(program: Program, known: Mapping[Var, Array]) -> tuple[Program, list[int]]:
    """The program from known values on, and the numbers of its equations in the whole one."""
    needed, kept, numbers = set(program.outputs), list[Equation](), list[int]()
    for number, equation in reversed(list(enumerate(program.equations))):
        if equation.output in needed and equation.output not in known:
            kept.append(equation)
            numbers.append(number)
            needed.update(equation.operands)
    inputs = tuple(v for v in known if v in needed)
    return Program(inputs, kept[::-1], program.outputs), numbers[::-1]
