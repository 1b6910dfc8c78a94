"""Balls to try kernels on, where doubles are unlike real numbers, and points in them, their ends too."""

from __future__ import annotations

from math import isfinite

import numpy as np
from flint import arb
from numpy.random import Generator

from oracles.exact.core.pairs import Numbers, Pairs
from oracles.exact.program.balls import precision

BITS = 2400  # of points: h + l + s r is exact, with s a double in [-1, 1]


def numbers(rng: Generator, n: int) -> Numbers:
    """Doubles: normal, of any exponent, subnormal, near overflow, whole, beside 1, float32."""
    m = rng.normal(size=n)
    kinds = [
        m,
        np.ldexp(m, rng.integers(-1074, 1020, n)),
        np.ldexp(m, rng.integers(-1074, -1000, n)),
        np.ldexp(m, rng.integers(-1000, -880, n)),
        np.ldexp(m, rng.integers(900, 1021, n)),
        np.ldexp(m, rng.integers(-30, 30, n)),
        rng.integers(-5, 6, n).astype(float),
        1 + rng.integers(-4, 5, n) * 2.0**-52,
        m.astype(np.float32).astype(float),
    ]
    return np.choose(rng.integers(0, len(kinds), n), kinds)


def balls(rng: Generator, h: Numbers, wide: bool = True) -> Pairs:
    """Balls with these high parts: low parts up to half an ulp, radii from 0 to twice the number."""
    n, size = h.size, np.abs(h)
    with np.errstate(all="ignore"):
        lows = [
            np.zeros(n),
            np.spacing(size) * rng.uniform(-0.5, 0.5, n),
            np.spacing(size) * rng.choice([-0.5, 0.5], n),
            h * 2.0**-80,
        ]
        low = np.where(h == 0, 0.0, np.choose(rng.integers(0, len(lows), n), lows))
        high = h + low
        low = low - (high - h)
        radii = [
            np.zeros(n),
            np.zeros(n),
            size * 2.0**-100,
            size * 2.0**-50,
            size * 2.0**-25,
            size * rng.random(n),
            size * rng.choice([1.0, 2.0], n),
            np.full(n, 2.0**-1050),
            np.full(n, 5e-324),
        ]
        r = np.choose(rng.integers(0, len(radii) if wide else 5, n), radii)
    return Pairs(high, np.where(np.isfinite(high), low, np.nan), np.where(np.isfinite(high), r, np.inf))


def points(rng: Generator, x: Pairs) -> list[arb]:
    """A point of each ball: an end, the middle, or anywhere; a number that is not known may be any."""
    n = x.h.size
    shares = np.where(rng.random(n) < 0.7, rng.integers(-1, 2, n), rng.uniform(-1, 1, n))
    with precision(BITS):
        return [
            arb(h) + low + arb(r) * share if isfinite(r) else arb(share)
            for h, low, r, share in zip(*(a.tolist() for a in (x.h, x.l, x.r)), shares.tolist(), strict=True)
        ]


def missed(z: Pairs, truths: list[arb]) -> list[int]:
    """Which balls certainly do not hold the truth, or claim to be known and are no numbers."""
    wrong = []
    with precision(BITS):
        for k, (h, low, r, truth) in enumerate(
            zip(z.h.tolist(), z.l.tolist(), z.r.tolist(), truths, strict=True)
        ):
            if isfinite(r) and (
                not (isfinite(h) and isfinite(low) and truth.is_finite()) or abs(truth - h - low) > r
            ):
                wrong.append(k)
    return wrong
