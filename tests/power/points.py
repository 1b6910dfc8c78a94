"""The points that functions are tried at: boundary numbers, and all combinations of a few of them."""

from __future__ import annotations

from itertools import product

import numpy as np

from harness.strategies import boundary_values

Point = tuple[float, ...]
# Beside the boundary values: close to 0, 1 and 1/2, and where exponentials vanish or overflow.
MORE = (
    0.25, 0.5, 1.0 - 2.0**-53, 1.0 + 2.0**-52, 1.5, 2.0, 3.0, 6.0, 12.0, 30.0, 37.5, 100.0, 300.0, 700.0,
    745.0, 1e4, 1e8, 1e16, 1e100, 1e200, 1e-3, 1e-5, 1e-8, 1e-16, 1e-30, 1e-160,
)  # fmt: skip
# Of several numbers: zero, ordinary ones, two whose squares underflow and overflow, one whose exponential
# overflows, one that vanishes beside 1; of two also near 1, where tails end, the smallest and the largest.
FEW = {
    "float64": (0.0, 1.0, -2.5, 1e-160, 1e160, 710.0, 1e-17, 0.75),
    "float32": (0.0, 1.0, -2.5, 1e-22, 1e22, 89.75, 1e-9, 0.75),
}
BESIDE = {
    "float64": (-1.0, 3.0, 1.0 - 2.0**-53, 20.0, -40.0, 5e-324, 1e300),
    "float32": (-1.0, 3.0, 1.0 - 2.0**-24, 10.0, -20.0, 1e-45, 1e37),
}


def numbers(dtype: str, count: int) -> list[float]:
    """The numbers that points of so many are made of, exact in the dtype."""
    if count == 1:
        chosen = [*boundary_values(dtype), *MORE, *(-v for v in MORE)]
    elif count == 2:
        chosen = [*FEW[dtype], *BESIDE[dtype]]
    else:
        chosen = list(FEW[dtype][: {3: 6, 4: 5}[count]])
    with np.errstate(over="ignore"):
        rounded = np.array(chosen).astype(dtype).astype(float)
    return sorted({float(v) for v in rounded if np.isfinite(v)})


def points(dtype: str, count: int) -> list[Point]:
    """All of them; those with zeros together, since it is there that there often is no derivative."""
    return sorted(product(numbers(dtype, count), repeat=count), key=lambda point: (point.count(0.0), point))
