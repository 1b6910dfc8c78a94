"""What is faulty where a single 0.5 is another number: it may be its own 1 - p.

The gradient must be faulty at 0.3 and at 0.6, and move with it: one that does not is meant at this number, as
x of x^2 / 2. Nor may it be an exponent or a label, where the gradient is right at another one and not 0; nor
a tolerance, or a step with which an iteration ends.
"""

from __future__ import annotations

from collections.abc import Callable

from harness.proof.faults import compared, is_as, is_right, is_shorter
from harness.proof.observe import same
from harness.proof.question import Answer, Part

At = Callable[[float], Answer]
INSIDE = (0.6, 0.3)  # of which neither is 1 less the other
OTHERS = (1, 2, 1.5, -0.5)  # labels, spins, and exponents, of which 0.5 may be one
TINY = 2.0**-10


def of_one_half(here: Answer, at: At) -> list[Part]:
    """What is faulty at two numbers inside 0 to 1, if nothing says that 0.5 is meant, or a tolerance."""
    shown = _faulty_and_moved(here, larger := at(INSIDE[0]))
    if not shown or not _faulty_and_moved(here, at(INSIDE[1])) or is_shorter(larger, at(TINY)):
        return []
    others = (at(other) for other in OTHERS)
    if any(is_right(found) and not is_zero(found) and not is_as(here, found) for found in others):
        return []
    return shown


def _faulty_and_moved(here: Answer, there: Answer) -> list[Part]:
    """What is faulty there and has other numbers than here, by more than what an iteration leaves."""
    if here.sight is None or there.sight is None:
        return []
    pairs = zip(here.sight.seen.gradient.arrays, there.sight.seen.gradient.arrays, strict=True)
    names = [name for name, _ in there.sight.posed.expected]
    moved = {name for name, (one, other) in zip(names, pairs, strict=True) if not same([one], [other])}
    return [part for part in compared(there) if part.name in moved and not part.near]


def is_zero(found: Answer) -> bool:
    """Whether all of the derivative is 0, as that of p (1 - p) is at 1: there no factor shows."""
    return len(found.zero) == sum(not part.of_value for part in found.parts)
