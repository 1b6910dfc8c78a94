"""What an object keeps of its arrays: a copy of W.T, say, that it finds by the identity of W, or its sum.

Every question is asked of a new copy, in which such a cache is right. A step of training writes into the
parameters in place, and a loop that fills one batch after the other into the input: then it is not.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from harness.subject.copies import is_near
from harness.subject.derivative import Array
from harness.subject.moving import moved, moved_on


def kept(
    arrays: Sequence[Array],
    used: Callable[[Sequence[Array]], Any],
    write: Callable[[Any, Sequence[Array]], None],
    given: Callable[[Any], Any],
    fresh: Any,
) -> list[int]:
    """Which of its arrays an object keeps something of, once other numbers are written into them.

    What gives something else after it was used with the very same numbers remembers more than these, and may
    on purpose: of that nothing is known. Nor is it where other numbers are refused.

    Args:
        arrays: Its parameters, say.
        used: Makes an object with such numbers, which goes forward and backward.
        write: Writes others into its arrays, in place.
        given: What an object gives, forward and backward.
        fresh: What a new one with these arrays gives.
    """

    alive = []  # so that none gets the identity of another

    def stays(moving: Sequence[int]) -> bool:
        thing = used([_other(p) if k in moving else p for k, p in enumerate(arrays)])
        alive.append(thing)
        write(thing, arrays)
        return is_near(given(thing), fresh)

    every = range(len(arrays))
    try:
        with np.errstate(all="ignore"):
            if not stays(()) or stays(every):
                return []
            return [k for k in every if not stays((k,))] or list(every)
    except Exception:
        return []


def _other(array: Array) -> Array:
    """Other numbers, of the same sum if there are such: of zeros there are none."""
    found = moved_on(array)
    return moved(array) if np.array_equal(found, array) else found


def told(names: Sequence[str]) -> str:
    """That an object keeps something of these arrays, in words."""
    which = ", ".join(names)
    return (
        f"the object caches something computed from {which}: once {which} is updated in place, it still uses "
        "the old value. Compute it anew in forward: the same id, or the same sum, does not say that nothing "
        "changed. It is no fault if it is kept on purpose, or your steps make new arrays or tell the object"
    )
