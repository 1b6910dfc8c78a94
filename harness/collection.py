"""Python's collector of garbage, paused: it looks through all that lives, and most of that is no garbage."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

from numpy.typing import NDArray

FEW = 2**16  # elements; what a check of more leaves in circles may be large


@contextmanager
def uncollected() -> Iterator[None]:
    """No collection begins by itself inside; afterwards all is as it was."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


def uncollected_if_few(arrays: Sequence[NDArray[Any]]) -> AbstractContextManager[None]:
    """Likewise where these have few elements altogether.

    A check makes and drops tens of thousands of objects in milliseconds, and each collection that these set
    off goes through those of all libraries: a tenth of the time of a suite of small checks.
    """
    return uncollected() if sum(a.size for a in arrays) <= FEW else nullcontext()
