"""How far rounding carries a program's results, sampled: where its bound has no end, and no more than that.

Each operation's result is drawn from the ends of what its rounding allows (stochastic arithmetic: Parker,
Monte Carlo Arithmetic, 1997; Vignes, A stochastic arithmetic for reliable scientific computation, 1993). A
bound forgets that roundings on the way are the same number wherever they are used; a sample does not, so it
has an end where the bound of a deep program in a narrow dtype has none. It is an estimate, and may excuse a
number, and accuse none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from flint import arb
from numpy.typing import NDArray

from oracles.exact.enclose.evaluate import Work
from oracles.exact.program.balls import filled, precision
from oracles.exact.program.errors import Undecided
from oracles.exact.program.formats import RoundingModel
from oracles.exact.program.program import Array, Equation, Program
from oracles.exact.rounding.bound import BITS, Run

RUNS = 8


@dataclass
class Zeros:
    """How far from 0 rounding carries those results of a program that exactly are 0.

    Attributes:
        program, inputs, model: What runs.
        work: What is spent on it.
    """

    program: Program
    inputs: Sequence[Array]
    model: RoundingModel
    work: Work
    _largest: list[NDArray[np.float64]] = field(default_factory=list)
    _runs: int = 0

    def carried(self, sizes: Sequence[NDArray[np.float64]]) -> list[NDArray[np.float64]] | None:
        """Per output, the largest number that sampled runs gave: as many runs as these sizes take.

        None where rounding may take another branch, or the work is done.
        """
        largest = self._largest or [np.zeros(v.shape) for v in self.program.outputs]
        try:
            with precision(BITS):
                while self._runs < RUNS and any(np.any(s > m) for s, m in zip(sizes, largest, strict=True)):
                    run = _Sampled(self.program, self.model, self._runs)
                    found = run.all(self.inputs, self.work, keep=False).balls
                    largest = [np.maximum(m, _sizes(balls)) for m, balls in zip(largest, found, strict=True)]
                    self._runs, self._largest = self._runs + 1, largest
        except Undecided:
            self._runs = RUNS
        return self._largest or None


def _sizes(balls: Array) -> NDArray[np.float64]:
    return np.array([float(abs(b.mid())) for b in balls.ravel().tolist()]).reshape(balls.shape)


class _Sampled(Run):
    """One run, in which each result is one number, at an end of what it may be."""

    def __init__(self, program: Program, model: RoundingModel, seed: int) -> None:
        super().__init__(program, model)
        self._rng = np.random.default_rng(seed)

    def _one(self, equation: Equation, operands: list[Array]) -> Array:
        result = super()._one(equation, operands)
        if result.dtype != object:
            return result
        balls = result.ravel().tolist()
        if not all(b.is_finite() or _is_infinity(b) for b in balls):
            raise Undecided(f"{equation.called} may give infinity")
        ups = self._rng.integers(0, 2, len(balls)).tolist()
        ends = [
            (arb(b.mid()) + (b.rad() if up else -b.rad())) if b.is_finite() else b
            for b, up in zip(balls, ups, strict=True)
        ]
        return filled(ends, result.shape)


def _is_infinity(ball: arb) -> bool:
    """Whether it certainly is infinite, as a mask's -inf is, and not only too large to be known."""
    return ball == arb("inf") or ball == arb("-inf")
