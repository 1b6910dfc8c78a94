"""The rules of NumPy's functions, by kind; those of its ufuncs, and SciPy's, are in `elementwise`."""

from collections.abc import Callable
from typing import Any

from oracles.exact.from_numpy.rules import complex, linalg, order, present, reductions

RULES: dict[str, Callable[..., Any]] = {
    **reductions.RULES,
    **order.RULES,
    **present.RULES,
    **linalg.RULES,
    **complex.FFT,
}
