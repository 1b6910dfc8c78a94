"""What custom functions get besides what is differentiated: numbers that code gives them, always the same.

A weight of ones that a module holds, a running mean of zeros, a scale of 1.0: to the function that is checked
they are constants, to the rule arguments, which may be others the next time.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from typing import Any, NamedTuple, TypeVar

import numpy as np

P = TypeVar("P")

SPECIAL = (0, 0.5, 1, 2)  # numbers that may hide a mistake
MOST = 16  # operands


class Operands(NamedTuple):
    """What rules get so, and a way to give them other numbers.

    Attributes:
        values: By its name, "weight of LayerNorm", each as it is given.
        around: The function as one that takes them as keywords too.
        given: A context in which rules get what such a function was called with last, also while its
            gradient is pulled back.
    """

    values: Mapping[str, Any]
    around: Callable[[Callable[..., Any]], Callable[..., Any]]
    given: Callable[[], AbstractContextManager[object]]


def names_for(places: Iterable[tuple[str, tuple[int, ...]]]) -> list[str]:
    """A name of its own for each of these, which have a name and a shape: the shape is told where needed."""
    names = list[str]()
    for name, shape in places:
        own = name if name not in names else f"{name} of shape {shape}"
        while own in names:  # rules may be called the same
            own += "'"
        names.append(own)
    return names


def is_one_number(numbers: Any) -> bool:
    """Whether all its numbers are the same, real and finite: it is floating."""
    array = np.asarray(numbers)
    if array.dtype.kind not in "fcV" or not array.size:
        return False
    first = complex(array.flat[0])
    return not first.imag and math.isfinite(first.real) and bool((array == array.flat[0]).all())


def chosen_of(found: Mapping[P, Any]) -> list[P]:
    """Those places to ask at other numbers, where a mistake may hide, and then what may follow them.

    None where none hides one.
    """
    hide = [place for place, value in found.items() if complex(np.asarray(value).flat[0]) in SPECIAL]
    return [*hide, *(place for place in found if place not in hide)][:MOST] if hide else []
