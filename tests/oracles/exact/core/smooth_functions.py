"""Each smooth function of the C core against Arb, at a random point of each ball."""

from __future__ import annotations

import ctypes
import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from flint import arb

from oracles.exact.core.nodes import ROUGH_SMOOTH
from oracles.exact.core.pairs import Pairs
from oracles.exact.program.balls import precision
from tests.oracles.exact.core.kernels import applied


class Smooth(NamedTuple):
    """A function in Arb; where it is tested; points near which it changes its formula; what it reaches.

    `digits` are the bits, relative to the value, that it has for nearly every exact argument between the
    last two numbers.
    """

    function: Callable[[arb], arb]
    low: float
    high: float
    special: tuple[float, ...] = (0.0,)
    digits: int = 96
    good: tuple[float, float] = (-math.inf, math.inf)
    bits: int = 1200


def _cube_root(x: arb) -> arb:
    return x.root(3) if x >= 0 else -(-x).root(3)


def _polygamma(n: int) -> Callable[[arb], arb]:
    """The n-th derivative of digamma, n >= 1 (DLMF 5.15.1)."""
    return lambda x: (-1) ** (n + 1) * math.factorial(n) * arb.zeta(arb(n + 1), x)


_HALF_PI, _INSIDE = np.pi / 2, (-1 + 1e-9, 1 - 1e-9)
_TURNS = tuple(k * _HALF_PI for k in (1, 2, 3, 4, 5, 7, 30, 177, 355, 710, 2**20 + 1))
_GAMMA = (0.0, 1 / 16, 1.0, 1.4616321449683622, 2.0, 256.0)
FUNCTIONS = {
    "erf": Smooth(arb.erf, -12, 12, (0.0, 9.0, -9.0), 101),
    "erfc": Smooth(arb.erfc, -12, 28, (0.0, 0.5, 25.5, 26.4, 26.45), 93, (-12, 24)),
    "sin": Smooth(arb.sin, -(2.0**21), 2.0**21, _TURNS, 100),
    "cos": Smooth(arb.cos, -(2.0**21), 2.0**21, _TURNS, 100),
    "tan": Smooth(arb.tan, -20, 20, _TURNS[:7], 98),
    "expm1": Smooth(arb.expm1, -40, 40, (0.0, 0.5, -0.5), 98),
    "log": Smooth(arb.log, 0, 10, (0.0, 0.75, 1.0, 1.5, 3.0), 101, (1e-300, 10)),
    "log1p": Smooth(arb.log1p, -1, 5, (0.0, 0.5, -0.25, -1.0), good=(-1 + 1e-9, 5)),
    "tanh": Smooth(arb.tanh, -20, 20, (0.0, 1 / 64, -1 / 64), 94),
    "atan": Smooth(arb.atan, -30, 30, (0.0, 1.0, -1.0), 101),
    "sinh": Smooth(arb.sinh, -40, 40, (0.0, 0.5, -0.5)),
    "cosh": Smooth(arb.cosh, -40, 40),
    "asinh": Smooth(arb.asinh, -40, 40, (0.0, 0.5, -0.5)),
    "acosh": Smooth(arb.acosh, 1, 40, (1.0, 2.0), good=(1 + 1e-9, 40)),
    "atanh": Smooth(arb.atanh, -1, 1, (0.0, 1.0, -1.0), good=_INSIDE),
    "asin": Smooth(arb.asin, -1, 1, (0.0, 0.7, -0.7, 1.0, -1.0), good=_INSIDE),
    "acos": Smooth(arb.acos, -1, 1, (0.0, 0.7, -0.7, 1.0, -1.0), good=_INSIDE),
    "lgamma": Smooth(arb.lgamma, 0, 300, _GAMMA, good=(1e-3, 300)),
    "digamma": Smooth(arb.digamma, 0, 300, _GAMMA, 40, (1e-3, 300)),
    "trigamma": Smooth(_polygamma(1), 0, 300, _GAMMA, good=(1e-3, 300)),
    "tetragamma": Smooth(_polygamma(2), 0, 300, _GAMMA, good=(1e-3, 300)),
    "pentagamma": Smooth(_polygamma(3), 0, 300, _GAMMA, good=(1e-3, 300)),
    "hexagamma": Smooth(_polygamma(4), 0, 300, _GAMMA, good=(1e-3, 300)),
    "cbrt": Smooth(_cube_root, -50, 50),
}
ROUGH = {"tanh": 45, "erfc": 43, "expm1": 47, "digamma": 20}  # bits of those that lose more than four
FUNCTIONS |= {
    f"rough_{name}": FUNCTIONS[name]._replace(digits=ROUGH.get(name, 49)) for name in ROUGH_SMOOTH.split()
}


def value(name: str, x: Pairs, core: ctypes.CDLL | None = None) -> Pairs:
    """The function at balls."""
    found = applied(name, x, core=core)
    assert isinstance(found, Pairs)
    return found


def operands(of: Smooth, count: int, rng: np.random.Generator) -> Pairs:
    """Balls: random, subnormal, around nodes and half of the way between them, at ends; narrow and wide."""
    h = rng.uniform(of.low, of.high, count)
    tiny, near, special = (slice(k * count // 6, (k + 1) * count // 6) for k in range(3))
    n = near.stop - near.start
    h[near] = np.round(h[near] * 64) / 64 + rng.integers(0, 2, n) / 128
    h[near] += np.spacing(h[near]) * rng.integers(-3, 4, n)
    n = special.stop - special.start
    away = np.ldexp(rng.uniform(-1, 1, n), rng.integers(-60, 0, n)) * (rng.random(n) < 0.7)
    h[special] = rng.choice(np.array(of.special), n) + away
    n = tiny.stop - tiny.start
    if of.low <= 0 <= of.high:
        h[tiny] = np.ldexp(rng.uniform(1, 2, n), rng.integers(-1074, 2, n)) * rng.choice([-1.0, 1.0], n)
    h = np.clip(h, of.low, of.high)
    low = np.spacing(np.abs(h)) * rng.uniform(-0.5, 0.5, count) * (rng.random(count) < 0.7)
    r = np.abs(h) * np.ldexp(1.0, rng.integers(-110, 0, count)) * (rng.random(count) < 0.6)
    wild = rng.random(count) < 0.1
    r[wild] = np.ldexp(1.0, rng.integers(-1074, 2, int(wild.sum())))
    return Pairs(h, low, r)


class Found(NamedTuple):
    """What a test of a function gives: balls without the truth, and how many digits exact arguments have."""

    outside: list[str]
    unknown: float
    digits: float


def checked(name: str, count: int, seed: int, core: ctypes.CDLL | None = None) -> Found:
    """A function at so many balls; the digits are those that all but one in a hundred have."""
    of, rng = FUNCTIONS[name], np.random.default_rng(seed)
    x = operands(of, count, rng)
    y = value(name, x, core)
    part = rng.choice([-1.0, -0.5, 0.0, 0.5, 1.0], count)
    outside = []
    with precision(of.bits):
        for h, low, r, p, *ball in zip(*_columns(x), part.tolist(), *_columns(y), strict=True):
            if math.isfinite(ball[2]):
                truth = of.function(arb(h) + low + arb(r) * p)
                if not abs(truth - ball[0] - ball[1]) <= ball[2]:
                    outside.append(f"{name} {h!r} {low!r} {r!r} part {p}: {ball}, Arb {truth.str(25)}")
    exact = (x.r == 0) & (x.h > of.good[0]) & (x.h < of.good[1]) & (np.abs(y.h) > 2.0**-800)
    lost = np.sort(y.r[exact] / np.abs(y.h[exact]))
    digits = -math.log2(max(float(lost[int(0.99 * lost.size)]), 2.0**-200))
    return Found(outside, float(np.mean(~np.isfinite(y.r))), digits)


def _columns(x: Pairs) -> tuple[list[float], ...]:
    return x.h.tolist(), x.l.tolist(), x.r.tolist()
