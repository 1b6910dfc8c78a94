"""The numbers of arrays, and what arrays of objects hold."""

from __future__ import annotations

from typing import Any

import numpy as np

from harness.subject.state.keeper import Keeper
from harness.subject.state.variables import is_same


def of_elements(array: Any) -> Keeper:
    """What an array of objects holds."""
    before = array.copy()

    def put_back() -> bool:
        if all(map(is_same, array.flat, before.flat)):
            return False
        array[...] = before
        return True

    return put_back


SMALL = 8192  # bytes: larger arrays are compared in place


class Numbers:
    """The numbers of an array; whether a run wrote into it is remembered."""

    def __init__(self, array: Any) -> None:
        self.array, self._before, self._written = array, array.copy(), False

    def __call__(self) -> bool:
        """Put them back."""
        if self._is_same():
            return False
        self._written = True
        self.array[...] = self._before
        return True

    def is_written(self) -> bool:
        """Whether it was or is another."""
        return self._written or not self._is_same()

    def _is_same(self) -> bool:
        """Whether the bits are those; of a large array the numbers. There may be thousands of small ones."""
        now, before = self.array, self._before
        if now.nbytes <= SMALL and now.dtype.kind in "biufc":
            return bool(now.tobytes() == before.tobytes())
        return np.array_equal(now, before, equal_nan=now.dtype.kind in "fc")
