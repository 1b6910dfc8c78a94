"""How far rounding carries a program's results, sampled: where its bound has no end, and no more than that.

Each operation's result is drawn from the ends of what its rounding allows (stochastic arithmetic: Parker,
Monte Carlo Arithmetic, 1997; Vignes, A stochastic arithmetic for reliable scientific computation, 1993). A
bound forgets that roundings on the way are the same number wherever they are used; a sample does not, so it
has an end where the bound of a deep program in a narrow dtype has none. It is an estimate, and may excuse a
number, and accuse none.
"""

from __future__ import annotations

from collections.abc import Sequence

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


def of_zeros(
    program: Program, inputs: Sequence[Array], model: RoundingModel, work: Work
) -> list[NDArray[np.float64]]:
    """Per output, the largest number that its sampled runs gave: how far from 0, where it exactly is 0.

    Raises:
        Undecided: Rounding may take another branch, or the work is done.
    """
    largest = [np.zeros(v.shape) for v in program.outputs]
    with precision(BITS):
        for seed in range(RUNS):
            for k, balls in enumerate(_Sampled(program, model, seed).all(inputs, work, keep=False).balls):
                sizes = np.array([float(abs(b.mid())) for b in balls.ravel().tolist()]).reshape(balls.shape)
                np.maximum(largest[k], sizes, out=largest[k])
    return largest


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
        if not all(b.is_finite() for b in balls):
            raise Undecided(f"{equation.called} may give infinity")
        ups = self._rng.integers(0, 2, len(balls)).tolist()
        ends = [arb(b.mid()) + (b.rad() if up else -b.rad()) for b, up in zip(balls, ups, strict=True)]
        return filled(ends, result.shape)
