"""Which values are computed by the same operations from the same ones: these are one number."""

from __future__ import annotations

from collections.abc import Hashable, Mapping

from oracles.exact.program.primitives.arithmetic import constant, detach_, no_grad_
from oracles.exact.program.primitives.edges import edged_
from oracles.exact.program.primitives.undetermined import undetermined_
from oracles.exact.program.program import Equation, Var

SMALL = 64  # elements of constants that are compared; larger ones are themselves
HOLDS = frozenset((detach_, no_grad_))
# Held fixed here and perhaps not there, or another number each time.
ALONE = HOLDS | {edged_, undetermined_}


class Numbering:
    """Numbers the values of a program that is written: equal numbers are for values that are alike.

    Args:
        definitions: The equation of each value that has one.
        held: Whether what is held fixed is the number that it is, and so alike wherever it is held.
    """

    def __init__(self, definitions: Mapping[Var, Equation], held: bool = False) -> None:
        self._definitions, self._held = definitions, held
        self._numbers: dict[Var, int] = {}
        self._alike: dict[Hashable, list[tuple[int, Equation]]] = {}

    def of(self, value: Var) -> int:
        """The number of a value."""
        numbers, definitions, waiting = self._numbers, self._definitions, [value]
        while waiting:
            v = waiting.pop()
            if v in numbers:
                continue
            equation = definitions.get(v)
            if equation is None:
                numbers[v] = len(numbers)
                continue
            missing = [w for w in equation.operands if w not in numbers]
            if missing:
                waiting += (v, *missing)
            else:
                numbers[v] = self._numbered(equation)
        return numbers[value]

    def _numbered(self, equation: Equation) -> int:
        primitive, new = equation.primitive, len(self._numbers)
        if self._held and primitive in HOLDS:
            return self._numbers[equation.operands[0]]
        if primitive in ALONE:
            return new
        key: Hashable = primitive.name, *[self._numbers[v] for v in equation.operands]
        if primitive is constant:
            value = equation.params["value"]
            known = value.size <= SMALL and value.dtype != object
            key = value.dtype.num, value.tobytes() if known else id(value)
        alike = self._alike.setdefault(key, [])
        for number, other in alike:
            if _are_alike(equation, other):
                return number
        alike.append((new, equation))
        return new


def _are_alike(one: Equation, other: Equation) -> bool:
    """Whether equations of one primitive and of the same numbers give the same, and round alike."""
    a, b = one.output, other.output
    called = [(e.origin.operation, e.origin.library) if e.origin else None for e in (one, other)]
    if a.dtype != b.dtype or a.shape != b.shape or called[0] != called[1]:
        return False
    if one.primitive is constant:  # told by its numbers
        return True
    try:
        return one.params == other.params
    except ValueError:  # of arrays nobody tells
        return False
