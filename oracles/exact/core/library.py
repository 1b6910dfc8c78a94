"""The compiled core, if there is one that may be believed: loaded once, and asked before each run."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

import numpy as np
from numpy.typing import NDArray

from oracles.exact.core.build import LIBRARY, SOURCE, fingerprint

_off = 0


@cache
def loaded() -> ctypes.CDLL | None:
    """The library; None where it was not built, or from another source."""
    try:
        library = ctypes.CDLL(str(LIBRARY))
    except OSError:
        return None
    library.source.restype = ctypes.c_char_p
    if SOURCE.exists() and library.source().decode() != fingerprint():
        return None
    library.run.argtypes = [ctypes.c_void_p, ctypes.c_int64, ctypes.c_void_p]
    library.run.restype = ctypes.c_int64
    return library


def problem() -> str:
    """Why the core is not used, "" where it is."""
    if _off:
        return "it is switched off"
    library = loaded()
    if library is None:
        return "it was not built for this source: python -m oracles.exact.core.build"
    if not library.as_believed():
        return "this thread does not round to nearest, or flushes subnormal numbers to zero"
    return ""


@contextmanager
def without() -> Iterator[None]:
    """Everything by Arb inside the block, as on a machine without the core."""
    global _off
    _off += 1
    try:
        yield
    finally:
        _off -= 1


def run(code: NDArray[np.int64], arena: NDArray[np.float64]) -> bool:
    """Run instructions over an arena; whether everything could be decided."""
    library = loaded()
    assert library is not None
    return not library.run(code.ctypes.data, len(code), arena.ctypes.data)
