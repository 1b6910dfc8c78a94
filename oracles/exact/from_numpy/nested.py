"""Recorded arrays in nested lists, tuples and dictionaries."""

from __future__ import annotations

import inspect
import operator
from collections.abc import Callable, Iterator
from types import FunctionType
from typing import Any

from oracles.exact.from_numpy.array import TracedArray, is_traced
from oracles.exact.from_numpy.flat import FlatIterator
from oracles.exact.from_numpy.refusals import opaque
from oracles.exact.from_numpy.tape import Tape

ANSWERING = ("__array_ufunc__", "__array_function__", "__array_wrap__")  # what has one is asked itself
_ROWS, _TREES = (list, tuple), (list, tuple, dict)


def leaves_of(tree: Any) -> Iterator[Any]:
    """What is in nested lists, tuples and dictionaries."""
    if is_traced(tree):
        yield tree
    elif isinstance(tree, _TREES):
        for part in tree.values() if isinstance(tree, dict) else tree:
            yield from leaves_of(part)
    else:
        yield tree


def traced(tree: Any) -> Iterator[TracedArray]:
    """The traced arrays in it."""
    return (leaf for leaf in leaves_of(tree) if is_traced(leaf))


def holds_traced(tree: Any) -> bool:
    """Whether a traced array is in it."""
    return next(traced(tree), None) is not None


def swap(tree: Any, function: Callable[[TracedArray], Any]) -> Any:
    """The tree with `function` applied to its traced arrays."""
    if is_traced(tree):
        return function(tree)
    if isinstance(tree, dict):
        return {k: swap(v, function) for k, v in tree.items()}
    if isinstance(tree, _ROWS) and not hasattr(tree, "_fields"):
        return type(tree)([swap(v, function) for v in tree])
    return tree


def as_it_says(x: Any) -> Any:
    """What an object of the user's says that it is as an array (`__array__`); anything else as it is.

    NumPy takes plain arrays alone from it, and what is made while code is recorded is none.
    """
    kind = type(x)
    if kind is FlatIterator:
        return x.elements
    own = getattr(kind, "__array__", None)
    if not isinstance(own, FunctionType) or is_traced(x) or any(hasattr(kind, name) for name in ANSWERING):
        return x
    parameters = inspect.signature(own).parameters.values()
    takes_copy = any(p.name == "copy" or p.kind is p.VAR_KEYWORD for p in parameters)
    return x.__array__(copy=None) if takes_copy else x.__array__()


def rows_as_they_say(tree: Any) -> Any:
    """The same in nested lists; one without such objects is given itself."""
    if not isinstance(tree, _ROWS):
        return as_it_says(tree)
    rows = [rows_as_they_say(row) for row in tree]
    return tree if all(map(operator.is_, rows, tree)) else rows


def values(tree: Any) -> Any:
    """The tree as NumPy has it: every traced array's `in_numpy`."""
    return swap(tree, lambda x: x.in_numpy)


def any_moving(tape: Tape, tree: Any) -> bool:
    """Whether some traced array in the tree is not an exact integer constant."""
    return any(x.is_float or tape.recorder.known(x.recorded) is None for x in traced(tree))


def first_tape(tree: Any) -> Tape:
    """The recording that the traced arrays in the tree belong to."""
    found = next(traced(tree), None)
    if found is None:
        raise opaque(
            "values that depend on the inputs in something else than lists, tuples and "
            "dictionaries; take them out"
        )
    return found.tape
