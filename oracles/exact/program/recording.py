"""What a front end hands over, and the builder it records with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from oracles.exact.program.balls import exact, precision
from oracles.exact.program.errors import Undecided
from oracles.exact.program.program import Array, Builder, Program, Var

DECIDING_BITS = (128, 512, 2048)


@dataclass(frozen=True)
class Recording:
    """A function recorded at a point.

    Attributes:
        program: Its inputs are the floating leaves of the arguments, in order; its outputs the leaves of the
            result.
        values: The numbers of the inputs.
        argument: For each input, which argument it is a leaf of.
        rebuild: `rebuild(k, leaves)` puts one value per floating leaf of argument k into its structure.
        notes: What is not known as well as it is written, in words.
        executed: What the recorded run itself computed, exactly; () where nothing ran.
    """

    program: Program
    values: tuple[Array, ...]
    argument: tuple[int, ...]
    rebuild: Callable[[int, list[Any]], Any]
    notes: tuple[str, ...] = ()
    executed: tuple[Array, ...] = ()


class Recorder(Builder):
    """A builder that knows its inputs' numbers, so that a branch in the recorded code can be decided."""

    def __init__(self) -> None:
        super().__init__()
        self.values: list[Array] = []
        self._seen: dict[int, dict[Var, Array]] = {}

    def input_at(self, value: Any, dtype: str) -> Var:
        """A new input with its numbers."""
        array = np.asarray(value)
        self.values.append(array)
        return self.input(array.shape, dtype)

    def depends(self, var: Var) -> bool:
        """Whether it has a derivative by some input; steps, comparisons and `detach` have none."""
        waiting, seen = [var], set[Var]()
        while waiting:
            v = waiting.pop()
            if v in seen or not v.is_float:
                continue
            if v not in self.definitions:
                return True
            seen.add(v)
            equation = self.definitions[v]
            waiting += equation.operands if equation.primitive.jvp is not None else ()
        return False

    def decide(self, var: Var) -> Array:
        """The value of an integer or boolean, and a guard that the program holds only where it is this.

        Raises:
            Undecided: No precision up to the last of DECIDING_BITS decides it.
        """
        known = self.known(var)
        if known is not None:
            return known
        for bits in DECIDING_BITS:
            try:
                with precision(bits):
                    value = self._value(var, self._seen.setdefault(bits, {}))
            except Undecided:
                if bits == DECIDING_BITS[-1]:
                    raise
            else:
                self.guards.append((var, value))
                return value
        raise AssertionError("unreachable")

    def _value(self, var: Var, seen: dict[Var, Array]) -> Array:
        """Evaluate what `var` needs and has not been evaluated yet."""
        for v, number in zip(self.inputs, self.values, strict=True):
            seen.setdefault(v, exact(number))
        waiting = [var]
        while waiting:
            v = waiting[-1]
            if v in seen:
                waiting.pop()
                continue
            equation = self.definitions[v]
            missing = [w for w in equation.operands if w not in seen]
            if missing:
                waiting += missing
                continue
            result = equation.primitive.evaluate(*(seen[w] for w in equation.operands), **equation.params)
            seen[v] = exact(result) if v.is_float else np.asarray(result)
        return seen[var]
