"""Central differences as an oracle: the document's own numerical gradient, which informs and never decides.

Its error is truncation (h^2) plus rounding (eps |f| / h): about nine digits in float64 at best and two in
float32, so a difference from it accuses nobody.
"""

from __future__ import annotations

from typing import Any, final

import numpy as np

import reference
from oracles.frameworks.framework import Array, Direction, Gradient, Subject
from oracles.oracle import Case, Oracle

STEP = 1e-4  # the document's h
WHOLE = 256  # up to so many entries all are differenced; beyond, a sample and random directions
SAMPLE, DIRECTIONS = 24, 4


@final
class FiniteDifferenceOracle(Oracle):
    """Differences the case's own NumPy function with `reference.numerical_gradient`."""

    name = "fd"
    summary = "Central differences of the case's NumPy function, with the book's numerical_gradient."
    decides = False

    def unsupported(self, case: Case) -> str:
        """A function with an integer output: its differences are zeros and steps, never a gradient."""
        return "" if case.vjp else "the output is an integer: there is no gradient to difference"

    def subject(self, case: Case, dtype: np.dtype[Any]) -> Subject:
        """The case's value, and the central differences of <cotangent, value>."""

        def gradient(cotangent: Array, *args: Array) -> Gradient:
            with np.errstate(all="ignore"):  # a step may leave the domain; the result says so by NaN
                return _differences(case, cotangent, args)

        return Subject(np.asarray, case.function, gradient, np.asarray, lambda result: result)


def _differences(case: Case, cotangent: Array, args: tuple[Array, ...]) -> Gradient:
    # Own copies in C order: entries are overwritten, through a flat view.
    points = [np.array(args[i], order="C") for i in case.argnums]
    full = list(args)
    for position, point in zip(case.argnums, points, strict=True):
        full[position] = point

    def projected() -> Any:
        return np.sum(cotangent * case.function(*full))

    total = sum(point.size for point in points)
    rng = np.random.default_rng(total)
    arrays, errors, rounded, beyond, flat, outside = [], [], 0.0, 0, 0, 0
    for point in points:
        count = point.size if total <= WHOLE else min(point.size, max(1, SAMPLE // len(points)))
        chosen = np.sort(rng.choice(point.size, count, replace=False))
        entries = point.reshape(-1)[chosen]
        real_step = ((entries + STEP).astype(float) - (entries - STEP)) / 2
        rounded = max(rounded, float(np.max(np.abs(real_step / STEP - 1))))
        beyond += int(np.sum((entries != 0) & (np.abs(entries) < STEP)))
        coarse, fine = (_entries(projected, point, chosen, h) for h in (STEP, STEP / 2))
        errors.append(float(np.max(np.abs(coarse - fine))))
        flat += int(np.sum(coarse == 0))
        outside += int(np.sum(np.isnan(coarse)))
        data, unknown = np.zeros(point.size, point.dtype), np.ones(point.size, bool)
        data[chosen], unknown[chosen] = coarse, False
        arrays.append(np.ma.array(data, mask=unknown).reshape(point.shape))
    sampled = total > WHOLE
    notes = {
        f"{sum(a.count() for a in arrays)} of {total} entries": sampled,
        f"step off by {rounded:.1%}": rounded >= 1e-3,
        f"|x| < h at {beyond}": beyond,
        f"no change at {flat}": flat,
        f"outside f's domain at {outside}": outside,
    }
    directions = tuple(_along(projected, points, rng) for _ in range(DIRECTIONS)) if sampled else ()
    return Gradient(
        tuple(arrays),
        directions=directions,
        error_estimate=float(np.max(errors)),
        note="; ".join(n for n, holds in notes.items() if holds),
    )


def _entries(projected: Any, point: Array, chosen: Array, h: float) -> Array:
    """The numerical gradient with respect to the chosen entries of `point` alone."""
    store = point.reshape(-1)
    original = store[chosen]

    def replaced(values: Array) -> Any:
        store[chosen] = values
        return projected()

    try:
        return np.asarray(reference.numerical_gradient(replaced, original.copy(), h))
    finally:
        store[chosen] = original


def _along(projected: Any, points: list[Array], rng: np.random.Generator) -> Direction:
    """The derivative along a random direction of signs, over all arguments at once."""
    tangents = tuple(rng.choice([-1.0, 1.0], p.shape).astype(p.dtype) for p in points)
    originals = [p.copy() for p in points]

    def moved(s: Array) -> Any:
        for point, original, tangent in zip(points, originals, tangents, strict=True):
            point[...] = original + s[0] * tangent
        return projected()

    try:
        derivative = reference.numerical_gradient(moved, np.zeros(1, points[0].dtype), STEP)
    finally:
        for point, original in zip(points, originals, strict=True):
            point[...] = original
    return Direction(tangents, float(derivative[0]))
