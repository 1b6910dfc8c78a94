"""NumPy's functions that call a function of the user's, row by row or number by number."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from oracles.exact.from_numpy.memory import array
from oracles.exact.from_numpy.nested import holds_traced
from oracles.exact.from_numpy.refusals import unsupported
from oracles.exact.from_numpy.rules.reductions import NO_VALUE
from oracles.exact.from_numpy.tape import Tape


def apply_along_axis(
    tape: Tape, func1d: Callable[..., Any], axis: int, arr: Any, *args: Any, **kw: Any
) -> Any:
    """np.apply_along_axis: what is found for the first row gives the dtype."""
    arr = arr if holds_traced(arr) else np.asanyarray(arr)
    rows = np.moveaxis(arr, axis, -1)
    places = list(np.ndindex(rows.shape[:-1]))
    if not places:
        raise ValueError("Cannot apply_along_axis when any iteration dimensions are 0")
    found = [func1d(rows[place], *args, **kw) for place in places]
    whole = _stacked(tape, found, rows.shape[:-1])
    first = arr.ndim - 1
    ends = range(first, whole.ndim)
    axis %= arr.ndim
    return np.moveaxis(whole, tuple(ends), tuple(range(axis, axis + len(ends))))


class Vectorized:
    """np.vectorize(function): the function of each number.

    Attributes:
        original: NumPy's object.
    """

    def __init__(self, tape: Tape, original: Any) -> None:
        self._tape, self.original = tape, original

    def __getattr__(self, name: str) -> Any:
        return getattr(self.original, name)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """As NumPy's, but a function of no numbers at all is NumPy's to call."""
        own = self.original
        if own.pyfunc is NO_VALUE:  # a decorator with options
            own(*args)
            return self
        if own.signature is not None:
            raise unsupported("np.vectorize with a signature; write the loop over the rows")
        given: dict[Any, Any] = {**dict(enumerate(args)), **kwargs}
        spread = [key for key in given if key not in own.excluded]
        arrays = [v if holds_traced(v := given[key]) else np.asanyarray(v) for key in spread]
        shape = np.broadcast_shapes(*(np.shape(a) for a in arrays))
        if 0 in shape or not spread:
            return own(*args, **kwargs)
        arrays = [np.broadcast_to(a, shape) for a in arrays]
        found = []
        for place in np.ndindex(shape):
            call = given | {key: a[place] for key, a in zip(spread, arrays, strict=True)}
            found.append(own.pyfunc(*(call[k] for k in range(len(args))), **{k: call[k] for k in kwargs}))
        several = isinstance(found[0], tuple)
        columns = list(zip(*found, strict=True)) if several else [found]
        kinds = own.otypes if own.otypes is not None else [None] * len(columns)
        results = tuple(
            _stacked(self._tape, list(column), shape, kind)
            for column, kind in zip(columns, kinds, strict=True)
        )
        return results if several else results[0]


def _stacked(tape: Tape, found: list[Any], shape: tuple[int, ...], kind: Any = None) -> Any:
    """Results as one array, in the dtype of the first one if none is named."""
    first = found[0] if holds_traced(found[0]) else np.asarray(found[0])
    whole = array(tape, found, kind or first.dtype)
    return np.reshape(whole, (*shape, *np.shape(first)))
