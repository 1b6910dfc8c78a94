"""What a symmetric matrix hides: it is its own transpose, so `g @ W` for `g @ W.T` is right there.

It is told, and accuses nobody: a covariance is symmetric wherever it is used, and many a right gradient holds
for such matrices alone, as `2 A x` of `x @ A @ x` does.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from harness.inputs.points import as_numbers, askew, is_hermitian
from harness.proof.faults import compared
from harness.proof.hiding import is_by_hand
from harness.proof.question import Answer
from harness.subject.argnums import is_moving
from harness.subject.complex_pairs import ComplexName
from harness.subject.derivative import Array
from harness.subject.target import Target
from oracles.exact.program.primitives.symmetric import reading

MOST = 1024  # numbers: a larger one is made to be symmetric, and takes its time


def told_beside_symmetric(
    here: Answer, target: Target, seed: int, ask: Callable[[Target], Answer]
) -> list[str]:
    """What a right gradient by hand is where its symmetric matrices are not; nothing where it is right too.

    Nor is anything asked of a function that reads one triangle of a matrix, or iterates until it is solved.

    Args:
        here: The answer at the given point.
        target, seed: The function there, and what seeds the draws.
        ask: Asks the same of other arguments.
    """
    sight = here.sight
    if sight is None or not is_by_hand(sight.tested, sight.posed):
        return []
    program = sight.posed.forward.program
    if program.guards or reading(program):
        return []
    named = {
        k: str(name)
        for k, (name, array) in enumerate(zip(sight.question.names, target.arrays, strict=True))
        if is_moving(array)
        and array.size <= MOST
        and is_hermitian(as_numbers(array, isinstance(name, ComplexName)))
    }
    labels = {k for k in named if k not in target.active and _may_be_labels(target.arrays[k])}
    if not named or not (shown := compared(ask(askew(target, named, labels, seed)))):
        return []
    are, they = ("is", "it is") if len(named) == 1 else ("are", "they are")
    part = shown[0]
    return [
        f"{' and '.join(named.values())} {are} symmetric here; where {they} not, the gradient is "
        f"{part.verdict.value} ({part.name}: {part.diagnosis}): a matrix may stand for its transpose, or "
        "symmetric ones alone are meant"
    ]


def _may_be_labels(array: Array) -> bool:
    """Whether rows are shares, as labels that are one-hot: with other sums they would be none."""
    return bool((array >= 0).all() and np.allclose(array.sum(-1), 1))
