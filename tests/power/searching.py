"""What the search finds of the re-created reports, beside an ordinary draw: without the report's trigger.

The boundary values that a report inspired are left out of what the search begins with. A fault counts as
found where the faulty gradient fails and the right one passes, at an input that the search asked.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any
from unittest import mock

from harness.inputs.corpus import CORPUS
from harness.search.hunt import Seen
from harness.search.point import Point
from harness.search.search import Finding, Searched
from tests.power.checkers import result
from tests.power.detection import draws
from tests.power.fault import Fault
from tests.power.faults import FAULTS

EVALUATIONS = 5_000
TUNED, HELD = "tuned on", "held out"


def half(fault: Fault) -> str:
    """On which half of the reports the search was tuned; every other one."""
    return (TUNED, HELD)[FAULTS.index(fault) % 2]


def others(fault: Fault) -> list[str]:
    """The boundary values that its report did not inspire."""
    return [one.name for one in CORPUS.values() if one.link != fault.link]


def tells(fault: Fault, point: Point) -> bool:
    """Whether the faulty gradient fails at an input, and the right one passes."""
    along = {} if point.cotangent is None else {"cotangent": list(point.cotangent)}
    try:
        right, faulty = (result(fault, which, point.arrays, **along) for which in (True, False))
    except Exception:  # of shapes that the right one does not take
        return False
    return right.passed and not faulty.passed


def searched(fault: Fault, count: int = EVALUATIONS, seed: int = 0, corpus: bool = True) -> dict[str, Any]:
    """A row: how many inputs were asked until it was found, 0 where it was not, and which one told."""
    row: dict[str, Any] = {
        "id": fault.id,
        "half": half(fault),
        "legal": fault.legal,
        "found at": 0,
        "input": "",
    }

    def is_told(seen: Seen) -> bool:
        told = tells(fault, seen.point)
        if told:
            row.update({"found at": seen.evaluations, "input": seen.point.story})
        return told

    (args,) = draws(fault, 1)
    with hunting(is_told, others(fault) if corpus else False, seed):
        asked = result(fault, False, args, search=count).finding
    return row | {"asked": asked.evaluations}


@contextmanager
def hunting(
    is_enough: Callable[[Seen], bool], boundary: bool | Iterable[str] = True, seed: int = 0
) -> Iterator[None]:
    """Checks inside only look for inputs that fail, until one is enough; what they find is not shrunk.

    Args:
        is_enough: Called with each that is found; whether the search ends with it.
        boundary: The boundary values that it begins with, all or those of these names.
        seed: Of its draws.
    """

    def hunt_alone(about: Searched, count: int, *more: Any) -> Finding:
        own = replace(about, boundary=boundary, seed=seed)
        hunt = own.hunt(count)
        any(map(is_enough, hunt.failures(own.given, own.seeds())))
        return Finding(None, None, hunt.spent, 0, 0, ())

    with mock.patch("harness.search.search.search", hunt_alone), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def of_fault(k: int, count: int) -> list[dict[str, Any]]:
    """The row of one fault, in a worker."""
    return [searched(FAULTS[k], count)]
