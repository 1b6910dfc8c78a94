"""The compiled core, if there is one that may be believed: loaded once, and asked before each run."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

import numpy as np
from numpy.typing import NDArray

from oracles.exact.core.build import LIBRARY, SOURCE, compiler, fingerprint
from oracles.exact.program.balls import KINKS

_off = 0


# What a run may say that gives the hull of all that may be, as core.c numbers it.
SEVERAL = {2: "several elements may be the extreme one", 4: "neither of two numbers is certainly larger"}
BUILD = "python -m oracles.exact.core.build"


@cache
def _opened() -> tuple[ctypes.CDLL | None, str]:
    """The library, or why there is none."""
    if not LIBRARY.exists():
        try:
            compiler()
        except FileNotFoundError as reason:
            return None, f"it was not built, and cannot be: {reason}; then {BUILD}"
        return None, f"it was not built: {BUILD}"
    try:
        library = ctypes.CDLL(str(LIBRARY))
        library.source.restype = ctypes.c_char_p
        built_from = library.source().decode()
    except (OSError, AttributeError) as reason:
        return None, f"it cannot be loaded ({reason}): {BUILD}"
    if SOURCE.exists() and built_from != fingerprint():
        return None, f"it was built from another source: {BUILD}"
    library.run.argtypes = [ctypes.c_void_p, ctypes.c_int64, ctypes.c_void_p]
    library.run.restype = ctypes.c_int64
    return library, ""


def loaded() -> ctypes.CDLL | None:
    """The library; None where it was not built, or from another source."""
    return _opened()[0]


def problem() -> str:
    """Why the core is not used, "" where it is; this is asked before each run."""
    if _off:
        return "it is switched off"
    library, missing = _opened()
    if library is None:
        return missing
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
    """Run instructions over an arena; whether everything has a result. Of a kink it is the hull, as Arb's."""
    library = loaded()
    assert library is not None
    found = library.run(code.ctypes.data, len(code), arena.ctypes.data)
    for which, said in SEVERAL.items():
        if found < 0 and -found & which:
            KINKS.say(said)
    return bool(found <= 0)
