"""What a layer computes with and copies of it share: arrays in closures, globals and classes, and in sets.

A question is asked of a copy, in which other numbers stand in the place of its own. What a copy shares has no
other numbers, so its gradient is not compared. That is told, or nothing is asked at all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from types import FunctionType
from typing import Any, NamedTuple

import numpy as np

from harness.subject.contents import LEAVES, Contents, is_inexact, overlapping, parts, said
from harness.subject.derivative import Array
from harness.subject.moving import is_same, moved
from harness.subject.state import unchanged
from oracles.exact.program.code_names import names_in
from oracles.exact.program.reach import Reach, cells
from oracles.exact.program.words import kind_of

WRITTEN = (
    "forward or backward writes into the object where it was made, and not into a copy, which is what is "
    "checked: a function inside of __init__ has that self, or its variables; make it a method, and keep in "
    "attributes what it writes into"
)
OUTSIDE = "held outside of the object (in a closure, a class or a global)"
MOST = 10_000_000  # elements: a larger array is data
NAMED = 3  # of more arrays only the number is told


class Runs(NamedTuple):
    """What a copy does.

    Attributes:
        copied: Makes one.
        forward, backward: What it gives; backward of one that has run forward, and of that result.
        given: The arrays that forward takes.
    """

    copied: Callable[[], Any]
    forward: Callable[[Any], Any]
    backward: Callable[[Any, Any], Any]
    given: Sequence[Any]


def in_a_set(thing: Any) -> str:
    """Why nothing is asked of what holds arrays in a set; "" if it holds none there alone."""
    known = {id(array) for array in Contents(thing).arrays.values()}
    for place, part in parts(thing):
        inside = [own for _, own in parts(list(part))] if isinstance(part, set | frozenset) else []
        if any(is_inexact(own) and id(own) not in known for own in inside):
            return (
                f"{said(place)} is {kind_of(part)}, whose order is another one in a copy, which is what is "
                "checked: keep in a list what has parameters"
            )
    return ""


def writes_in_closures(thing: Any, run: Callable[[bool], object]) -> bool:
    """Whether functions that an object holds keep, in their closures, what depends on the inputs.

    Args:
        thing: The object; copies have the same functions.
        run: Forward and backward of a copy, elsewhere if so told.
    """
    if not any(isinstance(part, FunctionType) for _, part in parts(thing)):
        return False
    with unchanged([thing]):
        run(False)
        before = [array.copy() for array in _in_closures(thing)]
        with suppress(Exception):
            run(True)
        return not is_same(before, [*_in_closures(thing)])


def shared(runs: Runs) -> tuple[str, str]:
    """Why nothing is asked of an object, and what else is said of what moves its result and is shared."""
    own = runs.copied()
    with unchanged([own]):
        moving = _moving(runs, [*_outside(own, runs.given).values()])
        if not moving:
            return "", ""
        ran = runs.copied()
        out = runs.forward(ran)
        before = {key: (array, array.copy()) for key, array in _outside(ran, runs.given).items()}
        runs.backward(ran, out)
        sizes, after = {array.size for array in moving}, _outside(ran, runs.given).values()
        gradients = [array for array in after if array.size in sizes and _is_new(array, before)]
        told = _names(ran, moving)
        if gradients:
            return (
                f"the result moves with {told}, and backward leaves {_names(ran, gradients)}, {OUTSIDE}, "
                "where a copy has no others: keep in attributes what has parameters"
            ), ""
    return "", (
        f"the result moves with {told}, {OUTSIDE}: no gradient of that is asked for; keep it in attributes "
        "if it is a parameter"
    )


def _in_closures(thing: Any) -> Iterator[Array]:
    """The arrays that the functions which an object holds keep in closures and defaults."""
    waiting, seen = [thing], set[int]()
    while waiting:
        for _, part in parts(waiting.pop()):
            if isinstance(part, FunctionType) and id(part) not in seen:
                seen.add(id(part))
                held = [*(cell.cell_contents for cell in cells(part)), *(part.__defaults__ or ())]
                waiting.append([*held, *(part.__kwdefaults__ or {}).values()])
            elif isinstance(part, np.ndarray):
                yield part


def _outside(own: Any, given: Sequence[Any]) -> dict[int, Array]:
    """By identity the floating arrays that an object reaches, and does not hold where a copy has others."""
    inside = {id(array) for array in Contents(own).arrays.values()}
    return {
        id(item): item for item in Reach().items([own])
        if type(item) is np.ndarray and is_inexact(item) and item.size <= MOST and id(item) not in inside
        and not any(isinstance(one, np.ndarray) and overlapping(item, one) for one in given)
    }  # fmt: skip


def _moving(runs: Runs, arrays: Sequence[Array]) -> list[Array]:
    """Those without whose numbers the result is another one."""
    writable = [array for array in arrays if array.flags.writeable]
    if not writable:
        return []
    out = runs.forward(runs.copied())

    def differs(these: Sequence[Array]) -> bool | None:
        copy, kept = runs.copied(), [array.copy() for array in these]
        try:
            for array in these:
                array[...] = moved(array)
            with np.errstate(all="ignore"):
                return not is_same(runs.forward(copy), out)
        except Exception:  # at numbers that it should not see
            return None
        finally:
            for array, numbers in zip(these, kept, strict=True):
                array[...] = numbers

    if differs(writable) is False:
        return []
    return [array for array in writable if differs([array])]


def _is_new(array: Array, before: Mapping[int, tuple[Array, Array]]) -> bool:
    known = before.get(id(array))
    return known is None or not is_same(known[1], array)


def _names(thing: Any, arrays: Iterable[Array]) -> str:
    """What the code of an object calls these arrays."""
    names: dict[int, str] = {}
    for item in Reach().items([thing]):
        for name, value in _variables(item):
            names.setdefault(id(value), name)
            inside = () if isinstance(value, LEAVES) else parts(value)
            for place, part in inside:
                names.setdefault(id(part), name + "".join(step.said for step in place))
    told = sorted({names.get(id(array), f"an array of shape {array.shape}") for array in arrays})
    return ", ".join(told[:NAMED]) + (f" and {len(told) - NAMED} more" if len(told) > NAMED else "")


def _variables(item: Any) -> Iterator[tuple[str, Any]]:
    """The variables of a function's closure, the globals that it names, and the attributes of a class."""
    if isinstance(item, FunctionType):
        for name, cell in zip(item.__code__.co_freevars, item.__closure__ or (), strict=True):
            with suppress(ValueError):  # which is empty
                yield name, cell.cell_contents
        known = item.__globals__
        yield from ((name, known[name]) for name in sorted(names_in(item.__code__) & known.keys()))
    elif isinstance(item, type):
        yield from ((f"{item.__name__}.{name}", value) for name, value in vars(item).items())
