"""Poles: where a function of exact numbers has no value, more digits bring none."""

from __future__ import annotations

import numpy as np

from oracles.exact.program.balls import all_finite, as_balls, precision
from oracles.exact.program.primitives.arithmetic import div
from oracles.exact.program.primitives.taylor import taylor
from oracles.exact.program.program import Array, Equation


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
