"""A function of single numbers at many of them, in one array; what has no truth there is set apart."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from harness.page.elements import Elements
from harness.subject.derivative import Array
from harness.verdicts import Verdict
from oracles.exact.program.errors import ExactError, Unsupported

CALLS = 10  # that a function of single numbers may take
MANY = "not known from 128 bits: of such numbers some are asked about, the others left out"
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Open:
    """Nothing is known of an array as a whole, and why; `rest` is where it may be, if that is asked again."""

    verdict: Verdict
    why: str
    rest: Mask | None = None


class Unknown(NamedTuple):
    """Where a truth has no finite value in a hundred bits, and of how many of these more can be asked."""

    there: Mask
    most: int


class Asked(Protocol):
    """What is asked at arrays of any size."""

    def has_value(self, arrays: Sequence[Array]) -> Mask:
        """Where the function has a value."""

    def unknown(self, arrays: Sequence[Array]) -> Unknown:
        """Where the truth has no finite value in a hundred bits: poles, and what overflows."""

    def at(self, arrays: Sequence[Array]) -> list[Elements] | Open:
        """The elements of each result.

        Raises:
            ExactError: There is no truth.
        """


@dataclass
class AtOnce:
    """The question about many numbers.

    Attributes:
        asked: What is asked.
        axes: How many axes its arrays have.
        judged: Told of arrays that have numbers: each result's elements, and the numbers.
        open: Told of numbers of which nothing is known: the verdict, why, and they.
        calls: How many more may be asked.
    """

    asked: Asked
    axes: int
    judged: Callable[[list[Elements], Sequence[Array]], None]
    open: Callable[[Verdict, str, Sequence[Array]], None]
    calls: int = CALLS

    def ask(self, columns: Sequence[Array]) -> None:
        """Judge all these numbers, one of each array at a time.

        What is not a number is outside of the function's domain, and not asked about.

        Raises:
            Exception: What the function raises at an array of another shape than the given one.
        """
        there = self.asked.has_value(self._shaped(columns)).ravel()
        columns = [column[there] for column in columns]
        if columns[0].size:
            there, most = self.asked.unknown(self._shaped(columns))
            unknown = np.flatnonzero(there.ravel())
            left = np.delete(unknown, np.linspace(0, unknown.size - 1, min(most, unknown.size), dtype=int))
            if left.size:
                self.open(Verdict.UNDECIDED, MANY, [column[left] for column in columns])
            known = np.isin(np.arange(columns[0].size), unknown, invert=True)
            rest = np.isin(np.arange(columns[0].size), left, invert=True)
            self._ask_apart([column[rest] for column in columns], known[rest])

    def _ask_apart(self, columns: Sequence[Array], mask: Mask) -> None:
        for part in (mask, ~mask):
            if part.any():
                self._ask([column[part] for column in columns])

    def _ask(self, columns: Sequence[Array]) -> None:
        size = columns[0].size
        self.calls -= 1
        if self.calls < 0:
            self.open(Verdict.UNDECIDED, "more would take too long", columns)
            return
        try:
            found = self.asked.at(self._shaped(columns))
        except Unsupported as reason:  # at one number as at another
            self.open(Verdict.UNSUPPORTED, str(reason), columns)
            return
        except ExactError as reason:
            if size == 1:
                self.open(Verdict.UNDECIDED, str(reason), columns)
            else:
                self._ask_apart(columns, np.arange(size) < size // 2)
            return
        if not isinstance(found, Open):
            self.judged(found, columns)
            return
        rest = np.zeros(size, bool) if found.rest is None else found.rest.ravel()
        if rest.all() or not rest.any():
            self.open(found.verdict, found.why, columns)
        else:
            self.open(found.verdict, found.why, [column[~rest] for column in columns])
            self._ask([column[rest] for column in columns])

    def _shaped(self, columns: Sequence[Array]) -> list[Array]:
        return in_rows(columns, self.axes)


def in_rows(columns: Sequence[Array], axes: int) -> list[Array]:
    """Each along the last of so many axes."""
    return [column.reshape((1,) * (axes - 1) + (-1,)) for column in columns]
