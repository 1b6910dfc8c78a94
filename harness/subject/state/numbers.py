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


class Numbers:
    """The numbers of an array; whether a run wrote into it is remembered."""

    def __init__(self, array: Any) -> None:
        self.array, self._before, self._written = array, array.copy(), False

    def __call__(self) -> bool:
        """Put them back."""
        if np.array_equal(self.array, self._before):  # where there is a NaN it is written anew, the same
            return False
        self._written = self.is_written()
        self.array[...] = self._before
        return True

    def is_written(self) -> bool:
        """Whether it was or is another."""
        has_nan = self.array.dtype.kind in "fc"
        return self._written or not np.array_equal(self.array, self._before, equal_nan=has_nan)
