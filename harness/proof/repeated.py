"""What indices hide that are each there once: `d[i] = g` and `d[i] += g` add up nothing, and are right there.

It is told, and accuses nobody: the places of the largest few, or of a mask, are there once wherever they are
used.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from harness.inputs.points import repeating
from harness.proof.faults import compared
from harness.proof.hiding import is_by_hand
from harness.proof.question import Answer
from harness.subject.derivative import Array
from harness.subject.target import Target
from harness.verdicts import Verdict

MOST = 1024  # indices
ADVICE = "np.add.at adds up what `d[i] = g` and `d[i] += g` do not; if none ever repeats, nothing is wrong"


def told_beside_once(here: Answer, target: Target, ask: Callable[[Target], Answer]) -> list[str]:
    """What a right gradient by hand is where an index is there twice; nothing where it is right too.

    Args:
        here: The answer at the given point.
        target: The function there.
        ask: Asks the same of other arguments.
    """
    sight = here.sight
    if sight is None or not is_by_hand(sight.tested, sight.posed):
        return []
    once = {k: str(sight.question.names[k]) for k, array in enumerate(target.arrays) if are_once(array)}
    shown = compared(ask(repeating(target, once))) if once else []
    wrong = [part for part in shown if part.verdict is Verdict.WRONG]
    if not wrong:
        return []
    names, holds = " and ".join(once.values()), "holds" if len(once) == 1 else "hold"
    return [
        f"{names} {holds} each index once here; with one twice the gradient is wrong "
        f"({wrong[0].name}: {wrong[0].diagnosis}): {ADVICE}"
    ]


def are_once(array: Array) -> bool:
    """Whether they are integers that may be indices, none twice, and no permutation."""
    if array.dtype.kind not in "iu" or not 1 < array.size <= MOST:
        return False
    numbers = np.unique(array)
    return numbers.size == array.size and not np.array_equal(numbers, np.arange(array.size))
