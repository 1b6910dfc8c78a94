"""How tight the program bounds are: every element of the catalogue's gradients against its own bound."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.cases import catalogue
from harness.proof.evidence import distance, reach
from harness.runs.record import Cell
from harness.runs.row import examined, posed
from harness.runs.runner import oracles
from oracles.exact.program.formats import format_of


@dataclass(frozen=True, slots=True)
class Checked:
    """One gradient, element by element.

    Attributes:
        cell: Where.
        elements: How many elements were computed and have a finite bound.
        unbounded: How many have none.
        outside: The places of those that lie outside, (argument, index).
        over: The overestimate of each off the kinks: the bound to the error, both at least half an ulp
            (a correctly rounded result has no less).
    """

    cell: Cell
    elements: int
    unbounded: int
    outside: tuple[tuple[int, tuple[int, ...]], ...]
    over: NDArray[np.float64]


def check(cells: Iterable[Cell]) -> Iterator[Checked]:
    """Each cell's gradient against its bound; cells without a gradient or a program are left out."""
    for cell in cells:
        case, oracle = catalogue()[cell.case], oracles()[cell.oracle]
        if case.vjp is None or oracle.unavailable() or oracle.unsupported(case):
            continue
        true = posed(case, cell.input, cell.dtype, cell.seed).true
        program = examined(case, cell.input, cell.dtype, cell.seed, oracle.eager)
        if program.bound is None:
            continue
        args, cotangent = case.draw(cell.input, cell.dtype, cell.seed)
        subject = oracle.subject(case, np.dtype(cell.dtype))
        raw = subject.gradient(subject.load(cotangent), *map(subject.load, args))
        elements = unbounded = 0
        outside, over = [], []
        for k, got in enumerate(subject.fetch_gradient(raw).arrays):
            assert got is not None
            balls, numbers = program.bound.balls[k], got.astype(np.float64)
            wide, error = true.enclosures[k].wide, distance(true.enclosures[k], numbers)
            half = np.maximum(format_of(cell.dtype).ulp(numbers) / 2, 5e-324)
            for at, ball in np.ndenumerate(balls):
                if not ball.is_finite():
                    unbounded += 1
                    continue
                elements += 1
                if float(numbers[at]) not in ball:
                    outside.append((k, at))
                if not wide[at]:  # at a kink there is no one true value
                    farthest = max(reach(balls, at, true.enclosures[k]), float(half[at]))
                    over.append(farthest / max(float(error[at]), float(half[at])))
        yield Checked(cell, elements, unbounded, tuple(outside), np.array(over))
