"""A gradient that is right where its argument is symmetric, at a point that is so but for its rounding."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from harness.proof.one_triangle import told
from harness.proof.question import Answer, Question
from harness.proof.symmetry import made_symmetric
from harness.subject.derivative import Array
from harness.verdicts import RIGHT


def as_if_symmetric(
    question: Question, found: Answer, arrays: Sequence[Array], ask: Callable[[Sequence[Array]], Answer]
) -> Answer | None:
    """What is found of a wrong gradient where what is symmetric but for its rounding is so; None if nothing.

    `X.T @ diag(w) @ X` is computed with another rounding in each triangle. Its gradient is meant where it is
    symmetric: `inv(A)` for log det A, whose derivative is `inv(A).T`. Of a derivative that is less than half
    as large there, as that of (A - A.T)^2, the point says nothing.

    Args:
        question: What was asked.
        found: The answer.
        arrays: The point.
        ask: Asks the question at another point.
    """
    dtypes = [a.dtype.name for a in arrays]
    active = question.active
    moved = [made_symmetric(a, dtypes[k]) if k in active else None for k, a in enumerate(arrays)]
    if all(own is None for own in moved):
        return None
    pairs = list(zip(question.names, arrays, moved, strict=True))
    again = ask([given if own is None else own for _, given, own in pairs])
    if any(part.verdict not in RIGHT for part in again.parts) or again.faults or _is_less(again, found):
        return None
    said = "; ".join(
        f"{name} is symmetric but for its rounding (by {np.max(np.abs(given - own)) * 2:.1g}): "
        f"at ({name} + {name}^T)/2 the gradient is right"
        for name, given, own in pairs
        if own is not None
    )
    return told(again, found, said)


def _is_less(again: Answer, found: Answer) -> bool:
    """Whether a derivative is less than half as large there, or unknown."""
    if again.sight is None or found.sight is None:
        return True
    true = zip(again.sight.posed.true.enclosures, found.sight.posed.true.enclosures, strict=True)
    return any(2 * there.largest < here.largest for there, here in true)
