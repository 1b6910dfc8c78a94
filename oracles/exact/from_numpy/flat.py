"""`x.flat` of recorded and held arrays: elements in C order; where NumPy takes an array, one of one axis."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from oracles.exact.from_numpy.array import is_traced
from oracles.exact.program.indices import unraveled


class FlatIterator:
    """The elements in C order; writing into it writes into the array."""

    __hash__ = None  # type: ignore[assignment]  # NumPy's has none either

    def __init__(self, of: Any) -> None:
        self._of = of
        self._next = 0

    def __getitem__(self, key: Any) -> Any:
        self._next = 0  # as in NumPy
        return self.elements[key]

    def __setitem__(self, key: Any, new: Any) -> None:
        places = np.arange(self._of.size)[key]
        self._of[np.unravel_index(places, self._of.shape)] = new

    def __len__(self) -> int:
        return int(self._of.size)

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        if self._next == len(self):
            raise StopIteration
        self._next += 1
        return self._of[np.unravel_index(self._next - 1, self._of.shape)]

    @property
    def index(self) -> int:
        """How many elements were given so far."""
        return self._next

    @property
    def coords(self) -> tuple[int, ...]:
        """Where the next one is."""
        return unraveled(self._next, self._of.shape)

    @property
    def elements(self) -> Any:
        """The array of one axis."""
        return np.ravel(self._of)

    def copy(self) -> Any:
        """The same with memory of its own."""
        return self.elements.copy()

    @property
    def base(self) -> Any:
        """The array whose elements these are."""
        return self._of

    # -- where NumPy takes an array ------------------------------------------------------------------------

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        found = self.elements
        if is_traced(found):
            found = found.exact_value("a conversion of .flat to a plain array")
        return np.array(found, dtype)

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        return getattr(ufunc, method)(*_arrays(inputs), **kwargs)

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        return function(*_arrays(args), **{name: _arrays(part) for name, part in kwargs.items()})


def _arrays(tree: Any) -> Any:
    """Nested lists and tuples with arrays in place of such iterators."""
    if type(tree) is FlatIterator:
        return tree.elements
    return type(tree)(map(_arrays, tree)) if type(tree) in (list, tuple) else tree


def _compared(name: str) -> Callable[[FlatIterator, Any], Any]:
    compare = getattr(operator, name)
    return lambda x, y: compare(_arrays(x), _arrays(y))


for _name in ("eq", "ne", "lt", "le", "gt", "ge"):
    setattr(FlatIterator, f"__{_name}__", _compared(_name))
