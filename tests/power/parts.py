"""The parts of the measurement as plain data: what is asked, by any process, and the rows that come of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import product
from typing import Any

import msgspec
from threadpoolctl import threadpool_limits

from harness.runs.jobs import Job
from tests.power import (
    defects,
    detection,
    false_alarms,
    mutations,
    searching,
    searching_changes,
    searching_functions,
)
from tests.power.faults import FAULTS
from tests.power.subjects import SUBJECTS

DTYPES = ("float64", "float32")
WORK: dict[str, Callable[..., list[Any]]] = {
    "faults": detection.of_fault,
    "search": searching.of_fault,
    "changes": searching_changes.of_cell,
    "functions": searching_functions.of_subject,
    "mutations": mutations.of_cell,
    "defects": defects.of_function,
    "alarms": false_alarms.of_cell,
}


class Asked(msgspec.Struct, frozen=True):
    """One call of a part's function, and its place in the table."""

    part: str
    place: int
    given: tuple[Any, ...]


class Rows(msgspec.Struct, frozen=True):
    """The rows of one call; or why there are none."""

    part: str
    place: int
    rows: list[dict[str, Any]]
    lost: str = ""


def everything(draws: int, evaluations: int, seeds: int) -> Iterator[Asked]:
    """All calls, part by part, in the order of the tables."""
    given: dict[str, Iterator[tuple[Any, ...]]] = {
        "faults": ((k, draws) for k in range(len(FAULTS))),
        "search": ((k, evaluations) for k in range(len(FAULTS))),
        "changes": searching_changes.cells(),
        "functions": product(SUBJECTS, searching_functions.DTYPES),
        "mutations": mutations.cells(),
        "defects": product(SUBJECTS, DTYPES),
        "alarms": ((*cell, seeds) for cell in false_alarms.cells()),
    }
    for part, calls in given.items():
        yield from (Asked(part, place, own) for place, own in enumerate(calls))


def measure(asked: list[Asked]) -> list[Rows]:
    """The rows of each call, with one thread."""
    with threadpool_limits(1):
        return [Rows(one.part, one.place, list(map(_plain, WORK[one.part](*one.given)))) for one in asked]


def _plain(row: Any) -> dict[str, Any]:
    """A row as a table has it; a defect is a named tuple."""
    return dict(row) if isinstance(row, dict) else row._asdict()


MEASURING = Job(
    measure,
    Rows,
    lambda asked, why: Rows(asked.part, asked.place, [], f"{asked.part} {asked.given}: {why}"),
    lambda asked, rows: (asked.part, asked.place) == (rows.part, rows.place),
)
