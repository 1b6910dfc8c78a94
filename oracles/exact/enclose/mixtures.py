"""Where the kinks of a derivative are, and what it is with mixtures of both sides at most of them.

It is asked for many times, at one point. What no kink has a part in is the same each time: it is kept from
the first evaluation, and what comes after the kinks is evaluated again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

import numpy as np
from flint import arb

from oracles.exact.enclose.evaluate import Work, evaluate
from oracles.exact.program.balls import OPEN, as_balls, each
from oracles.exact.program.formats import UNKNOWN
from oracles.exact.program.primitives.choices import blend_
from oracles.exact.program.program import Array, Equation, Program, Var

GOLDEN = 0.618034  # its multiples are spread over [0, 1], so each equation has another mixture

# By the number of an equation, with its operands and its hulls: what is taken in their place.
Chooses: TypeAlias = Callable[[int, Equation, list[Array], Array], Array]


class Sites:
    """The kinks of a derivative program at a point.

    Attributes:
        places: By the number of an equation, which elements are hulls, and what their kinks are made of.
    """

    def __init__(self, program: Program, inputs: Sequence[Array], bits: int, work: Work | None) -> None:
        self.places: dict[int, tuple[Array, Array]] = {}
        self._first, self._read = _around_kinks(program)
        self._known: dict[Var, Array] = {}
        self._made: dict[Var, tuple[int, Equation, list[Array]]] = {}  # the first kinks
        self._mixed: dict[int, Array] = {}  # of these
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
            self._made[v] = self._number, equation, operands
            self._mixed[self._number] = _mixed(self._number, equation, operands)

    def chosen(self, chooses: Chooses) -> list[Array]:
        """The outputs with what is chosen at the kinks."""

        def given(v: Var) -> Array:
            return chooses(*self._made[v], self._known[v]) if v in self._made else self._known[v]

        inputs = [given(v) for v in self._rest.inputs]
        return evaluate(
            self._rest, inputs, self._bits, self._work, _Choosing(chooses, self._numbers, self.places)
        )

    def mixed_but(self, kept: Mapping[int, Array]) -> list[Array]:
        """The outputs with a mixture at every kink but those that are kept, by the numbers of equations."""

        def mixes(number: int, equation: Equation, operands: list[Array], hulls: Array) -> Array:
            mixed = self._mixed.get(number)
            tied = self.places[number][0] if number in self.places else np.False_
            if mixed is None:
                tied = tied | np.ravel(_tied(equation, operands))
            others = (tied & ~kept.get(number, np.False_)).reshape(hulls.shape)
            if not others.any():
                return hulls
            return np.where(others, _mixed(number, equation, operands) if mixed is None else mixed, hulls)

        return self.chosen(mixes)


class _Choosing:
    """Watches an evaluation of the rest: chooses at the kinks after the first ones.

    What meets at the point may part with other numbers: that kink is open all the same.
    """

    def __init__(
        self, chooses: Chooses, numbers: Sequence[int], places: Mapping[int, tuple[Array, Array]]
    ) -> None:
        self._chooses, self._numbers, self._places = chooses, iter(numbers), places

    def __call__(self, equation: Equation, operands: list[Array], result: Array) -> None:
        number = next(self._numbers)
        if equation.primitive.kink is None:
            return
        tied = _tied(equation, operands)
        at_point = self._places[number][0].reshape(tied.shape) if number in self._places else tied
        if (parted := at_point & ~tied).any():
            result[parted] = _opened(equation, operands)[parted]
        if (at_point | tied).any():
            result[...] = self._chooses(number, equation, operands, result)


def _opened(equation: Equation, operands: list[Array]) -> Array:
    """All that may be taken at a kink."""
    if equation.primitive is not blend_:
        return np.full(equation.output.shape, UNKNOWN, object)
    *_, x, y = map(as_balls, operands)
    return each(arb.union, x, y)


def _tied(equation: Equation, operands: list[Array]) -> Array:
    assert equation.primitive.kink is not None
    return equation.primitive.kink.tied(*operands, **equation.params)


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
