"""Who finds a fault where: by fifty ordinary draws, at the trigger of the report, on the boundary corpus.

A fault counts as found where a checker fails the faulty gradient and passes the right one.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import jax
import numpy as np

from harness.inputs.points import points
from harness.subject.target import target_of
from tests.power.checkers import CHECKERS, Checker, result
from tests.power.fault import Arrays, Fault
from tests.power.faults import FAULTS

DRAWS = 50
REGIMES = ("ordinary", "trigger", "boundary")
FOUND, MISSED, ACCUSES, CANNOT = "found", "missed", "accuses the right one", "cannot be asked"


def draws(fault: Fault, count: int = DRAWS) -> Iterator[Arrays]:
    """Ordinary arguments, seeded."""
    rng = np.random.default_rng([int(fault.id[2:]), 0])
    for _ in range(count):
        yield fault.ordinary(rng)


def boundary(fault: Fault, names: bool | Sequence[str] = True) -> Iterator[Arrays]:
    """The points that `boundary=` tries beside the first ordinary draw."""
    (args,) = draws(fault, 1)
    with jax.enable_x64(True):
        target = target_of(_stand_in, args, {}, tuple(range(fault.moves)), "numpy")
    for _, arrays in points(target, names, 0, 0):
        yield tuple(arrays)


def _stand_in(*args: Any) -> Any:
    """Its arguments alone matter for where the boundary is, each of them in any length."""
    return tuple(arg * 1.0 for arg in args)


def arguments(fault: Fault, regime: str, count: int = DRAWS) -> Iterable[Arrays]:
    """Where a regime looks."""
    if regime == "ordinary":
        return draws(fault, count)
    return [fault.trigger] if regime == "trigger" else boundary(fault)


def outcome(check: Checker, fault: Fault, places: Iterable[Arrays]) -> str:
    """What one checker says over all places."""
    found = CANNOT
    for args in places:
        faulty = check(fault, False, args)
        if faulty is None:
            continue
        if faulty:
            found = MISSED if found == CANNOT else found
        elif check(fault, True, args):
            return FOUND
        else:
            found = ACCUSES
    return found


def of_fault(k: int, count: int) -> list[dict[str, Any]]:
    """The rows of one fault, in a worker."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return rows(FAULTS[k], count)


def rows(fault: Fault, count: int = DRAWS) -> list[dict[str, Any]]:
    """One row per checker: what it says in each regime, and our verdict at the trigger."""
    verdicts = [result(fault, right, fault.trigger).verdict.value for right in (False, True)]
    return [
        {
            "id": fault.id,
            "function": fault.name,
            "kind": fault.kind,
            "live": fault.live,
            "legal": fault.legal,
            "checker": name,
            **{regime: outcome(check, fault, arguments(fault, regime, count)) for regime in REGIMES},
            "verdict": verdicts[0],
            "expected": fault.verdict.value,
            "right verdict": verdicts[1],
        }
        for name, check in CHECKERS.items()
    ]
