"""How many times as long as a function its gradient takes, in a few milliseconds."""

from __future__ import annotations

from collections.abc import Sequence

from harness.page.elements import rounded
from harness.proof.observe import Loaded
from harness.runs.timing import quick
from harness.subject.derivative import Array
from oracles.frameworks.framework import Subject

BUDGET_S = 0.01
MOST_S = 2.0  # that one turn may take: what is so slow has little noise


def time_ratio(
    subject: Subject, arrays: Sequence[Array], directions: tuple[Array, ...], warm: bool
) -> float | None:
    """The median of a few rounds, the two in turns, of slow calls of one; None where that takes too long.

    `warm` says that both have run here: a slow gradient of JAX, traced in each call, then runs less often.
    """
    loaded = Loaded.of(subject, [a.copy("K") for a in arrays], directions)
    found = quick(loaded.gradient, loaded.value, BUDGET_S, MOST_S, fewest=1, warm=warm)
    return None if found is None else rounded(found.median)
