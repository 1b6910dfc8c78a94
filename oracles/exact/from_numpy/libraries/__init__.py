"""Functions of Python's and SciPy's libraries that are no ufuncs, written in NumPy: what they are."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

from oracles.exact.from_numpy.libraries.fourier import FFT
from oracles.exact.from_numpy.libraries.linalg import LINALG
from oracles.exact.from_numpy.libraries.python_math import MATH
from oracles.exact.from_numpy.libraries.special import SPECIAL

LIBRARIES: dict[str, Mapping[str, Callable[..., Any]]] = {
    "math": MATH,
    "scipy.special": SPECIAL,
    "scipy.linalg": LINALG,
    "scipy.fft": FFT,
}


def loaded() -> dict[Any, Mapping[str, Callable[..., Any]]]:
    """The modules among them that a program has loaded; of SciPy, which loads them as they are named, all."""
    has_scipy = "scipy" in sys.modules
    return {import_module(name): table for name, table in LIBRARIES.items() if name == "math" or has_scipy}
