"""The compiled core, if there is one that may be believed: loaded once, and asked before each run."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache

import numpy as np
from numpy.typing import NDArray

from oracles.exact.core.build import LIBRARY, SOURCE, compiler, fingerprint
from oracles.exact.program.balls import KINKS

_off = 0


# What a run may say that gives the hull of all that may be, as elementwise.h numbers it.
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
    number, place = ctypes.c_int64, ctypes.c_void_p
    library.run_around.argtypes = [place, number, place, number, place, number, place, number]
    library.run.restype = library.run_around.restype = ctypes.c_int64
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
    """Everything by Arb inside the block, as on a machine without the core: the switch of the tests."""
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
    return _said(library.run(code.ctypes.data, len(code), arena.ctypes.data))


def run_around(
    code: NDArray[np.int64],
    arena: NDArray[np.float64],
    moved: Sequence[tuple[int, NDArray[np.float64], NDArray[np.float64]]],
    made: Sequence[tuple[int, NDArray[np.float64]]],
) -> bool:
    """Likewise several times.

    Args:
        code, arena: As for `run`.
        moved: Where midpoints lie, and their high parts and their low ones in each run, a row each.
        made: Where results lie, and what their three planes are written to, a row each.
    """
    library = loaded()
    assert library is not None
    rows = [(at, _side_by_side(high), _side_by_side(low)) for at, high, low in moved]
    given = [
        (at, high.shape[1], high.ctypes.data, low.ctypes.data, high.strides[0] // 8, low.strides[0] // 8)
        for at, high, low in rows
    ]
    taken = [(at, planes.shape[2], planes.ctypes.data) for at, planes in made]
    times = made[0][1].shape[1]
    inputs, results = np.array(given, np.int64), np.array(taken, np.int64)
    return _said(
        library.run_around(
            code.ctypes.data, len(code), arena.ctypes.data, times, inputs.ctypes.data, len(given),
            results.ctypes.data, len(taken),
        )
    )  # fmt: skip


def _side_by_side(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rows each of which lies in one piece."""
    return rows if rows.strides[1] == 8 or rows.shape[1] == 1 else np.ascontiguousarray(rows)


def _said(found: int) -> bool:
    """Whether everything has a result; what is a kink is told."""
    for which, said in SEVERAL.items():
        if found < 0 and -found & which:
            KINKS.say(said)
    return found <= 0
