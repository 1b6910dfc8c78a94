"""Functions of Python's and SciPy's libraries that are no ufuncs, written in NumPy: what they are."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Any

from oracles.exact.from_numpy.libraries.fourier import FFT
from oracles.exact.from_numpy.libraries.linalg import LINALG
from oracles.exact.from_numpy.libraries.python_math import MATH
from oracles.exact.from_numpy.libraries.signal import SIGNAL
from oracles.exact.from_numpy.libraries.spatial import DISTANCE, SPATIAL
from oracles.exact.from_numpy.libraries.special import SPECIAL

LIBRARIES: dict[str, Mapping[str, Callable[..., Any]]] = {
    "math": MATH,
    "scipy.special": SPECIAL,
    "scipy.linalg": LINALG,
    "scipy.fft": FFT,
    "scipy.signal": SIGNAL,
    "scipy.spatial": SPATIAL,
    "scipy.spatial.distance": DISTANCE,
}


def loaded() -> tuple[str, ...]:
    """The modules among them that a program has loaded."""
    return tuple(name for name in LIBRARIES if name in sys.modules)
