"""Recorded arrays in nested lists, tuples and dictionaries."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from oracles.exact.from_numpy.array import TracedArray
from oracles.exact.from_numpy.tape import Tape

_ROWS, _TREES = (list, tuple), (list, tuple, dict)


def leaves_of(tree: Any) -> Iterator[Any]:
    """What is in nested lists, tuples and dictionaries."""
    if isinstance(tree, _TREES):
        for part in tree.values() if isinstance(tree, dict) else tree:
            yield from leaves_of(part)
    else:
        yield tree


def traced(tree: Any) -> Iterator[TracedArray]:
    """The traced arrays in it."""
    return (leaf for leaf in leaves_of(tree) if type(leaf) is TracedArray)


def holds_traced(tree: Any) -> bool:
    """Whether a traced array is in it."""
    return next(traced(tree), None) is not None


def swap(tree: Any, function: Callable[[TracedArray], Any]) -> Any:
    """The tree with `function` applied to its traced arrays."""
    if type(tree) is TracedArray:
        return function(tree)
    if isinstance(tree, dict):
        return {k: swap(v, function) for k, v in tree.items()}
    if isinstance(tree, _ROWS) and not hasattr(tree, "_fields"):
        return type(tree)([swap(v, function) for v in tree])
    return tree


def values(tree: Any) -> Any:
    """The tree as NumPy has it: every traced array's `value`."""
    return swap(tree, lambda x: x.value)


def any_moving(tape: Tape, tree: Any) -> bool:
    """Whether some traced array in the tree is not an exact integer constant."""
    return any(x.is_float or tape.recorder.known(x.recorded) is None for x in traced(tree))


def first_tape(tree: Any) -> Tape:
    """The recording that the traced arrays in the tree belong to."""
    return next(traced(tree)).tape
