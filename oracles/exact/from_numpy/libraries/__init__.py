"""Functions of Python's and SciPy's libraries, and of np.testing, that are no ufuncs: what they are."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Any

from oracles.exact.from_numpy.libraries.blas import BLAS, LAPACK
from oracles.exact.from_numpy.libraries.correlation import CORRELATION
from oracles.exact.from_numpy.libraries.filters import FILTERS
from oracles.exact.from_numpy.libraries.fourier import FFT
from oracles.exact.from_numpy.libraries.integrate import INTEGRATE
from oracles.exact.from_numpy.libraries.linalg import LINALG
from oracles.exact.from_numpy.libraries.matrix_equations import MATRIX_EQUATIONS
from oracles.exact.from_numpy.libraries.ndimage import NDIMAGE
from oracles.exact.from_numpy.libraries.python_math import CMATH, MATH, STATISTICS
from oracles.exact.from_numpy.libraries.samples import SAMPLES
from oracles.exact.from_numpy.libraries.signal import SIGNAL
from oracles.exact.from_numpy.libraries.spatial import DISTANCE, SPATIAL
from oracles.exact.from_numpy.libraries.special import SPECIAL
from oracles.exact.from_numpy.libraries.structured import STRUCTURED
from oracles.exact.from_numpy.libraries.testing import TESTING

LIBRARIES: dict[str, Mapping[str, Callable[..., Any]]] = {
    "math": MATH,
    "cmath": CMATH,
    "statistics": STATISTICS,
    "numpy.testing": TESTING,
    "scipy.special": SPECIAL,
    "scipy.linalg": {**LINALG, **STRUCTURED, **MATRIX_EQUATIONS},
    "scipy.linalg.blas": BLAS,
    "scipy.linalg.lapack": LAPACK,
    "scipy.integrate": INTEGRATE,
    "scipy.ndimage": NDIMAGE,
    "scipy.fft": FFT,
    "scipy.signal": {**SIGNAL, **FILTERS},
    "scipy.stats": {**SAMPLES, **CORRELATION},
    "scipy.spatial": SPATIAL,
    "scipy.spatial.distance": DISTANCE,
}


def loaded() -> tuple[str, ...]:
    """The modules among them that a program has loaded."""
    return tuple(name for name in LIBRARIES if name in sys.modules)
