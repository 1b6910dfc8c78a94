"""What a kernel says has no end has none by Arb either; of what is merely not known it never says so."""

from __future__ import annotations

import ctypes
import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
from flint import arb
from numpy.random import Generator

from oracles.exact.core.pairs import Pairs
from oracles.exact.program.balls import filled, precision
from oracles.exact.program.formats import FORMATS, ROUNDING_MODELS, Growth
from tests.oracles.exact.core.decisions import Ask, Decided
from tests.oracles.exact.core.kernels import applied

ENDLESS, LOST, HALF_LOST, INFINITE = (0.0, math.inf), (math.nan, math.nan), (7.0, math.inf), (math.inf, 0.0)
KNOWN = ((0.0, 0.0), (2.0, 1.0), (0.0, 0.5), (0.3, 0.5), (-3.0, 0.5), (-0.25, 0.0), (0.5, 0.5), (1.0, 0.0))
SHARES = (0.3, 0.1, 0.05, 0.05)  # of the first four; the others are known
UNKNOWN = arb("[+/- inf]")
COUNT = 3  # terms of a row
OF_ONE: dict[str, Callable[[arb], arb]] = {
    "neg": lambda x: -x,
    "abs": abs,
    "sqrt": arb.sqrt,
    "log": arb.log,
    "nonnegative": lambda x: x,
    "share": lambda x: x if x.is_finite() else arb(0.5, 0.5),
    "exp": arb.exp,
    "tanh": arb.tanh,
    "floor": arb.floor,
    "sign": arb.sgn,
    "sin": arb.sin,
    "tan": arb.tan,
    "asin": arb.asin,
}
OF_TWO: dict[str, Callable[[arb, arb], arb]] = {
    "add": lambda x, y: x + y,
    "sub": lambda x, y: x - y,
    "mul": lambda x, y: x * y,
    "div": lambda x, y: x / y,
    "spread": lambda x, y: x + arb(0, y.abs_upper()) if y.is_finite() else UNKNOWN,
    "larger": arb.max,
    "smaller": arb.min,
}
OPTIONS: dict[str, Any] = {"floor": {"numbers": (1, 0, 0)}, "sign": {"numbers": (1, 0, 0)}}


def drawn(rng: Generator, n: int) -> Pairs:
    """Balls with no end, not known, infinite, and around 0, above it and below."""
    kinds = (ENDLESS, LOST, HALF_LOST, INFINITE, *KNOWN)
    shares = [*SHARES, *([(1 - sum(SHARES)) / len(KNOWN)] * len(KNOWN))]
    h, r = np.array(kinds)[rng.choice(len(kinds), n, p=shares)].T
    return Pairs(h.copy(), np.zeros(n), r.copy())


def _balls(x: Pairs) -> list[arb | None]:
    """By Arb; None where nothing is known."""
    ends, known = x.is_endless(), np.isfinite(x.r)
    rows = zip(x.h.tolist(), x.r.tolist(), ends.tolist(), known.tolist(), strict=True)
    return [UNKNOWN if end else (arb(h, r) if r else arb(h)) if own else None for h, r, end, own in rows]


def _judged(found: Pairs, terms: Sequence[Sequence[arb | None]], truth: Callable[..., arb]) -> Decided:
    said, made, possible, wrong = found.is_endless().tolist(), 0, 0, []
    for k, own in enumerate(terms):
        none = any(x is None for x in own) or truth(*own).is_finite()
        possible += not none
        made += said[k] and not none
        wrong += [k] if said[k] and none else []
    return Decided(made, possible, wrong)


def elementwise(name: str, rng: Generator, n: int, core: ctypes.CDLL | None = None) -> Decided:
    """One function of one ball or of two."""
    truth: Callable[..., arb] = OF_ONE[name] if name in OF_ONE else OF_TWO[name]
    operands = [drawn(rng, n) for _ in range(1 if name in OF_ONE else 2)]
    found = applied(name, *operands, core=core, **OPTIONS.get(name, {}))
    assert isinstance(found, Pairs)
    with precision(128):
        return _judged(found, list(zip(*map(_balls, operands), strict=True)), truth)


def total(rng: Generator, n: int, core: ctypes.CDLL | None = None) -> Decided:
    """Sums of rows."""
    rows = n // COUNT
    x = drawn(rng, rows * COUNT)
    found = applied("sum", x, size=rows, numbers=(COUNT, 1, 0), core=core)
    assert isinstance(found, Pairs)
    with precision(128):
        balls = _balls(x)
        return _judged(
            found, [balls[k * COUNT : (k + 1) * COUNT] for k in range(rows)], lambda *row: sum(row, arb(0))
        )


def product(rng: Generator, n: int, core: ctypes.CDLL | None = None) -> Decided:
    """Dot products, batch by batch."""
    rows = n // COUNT
    x, y = drawn(rng, rows * COUNT), drawn(rng, rows * COUNT)
    found = applied("matmul", x, y, size=rows, columns=1, numbers=(COUNT, 0, 1), core=core)
    assert isinstance(found, Pairs)
    with precision(128):
        pairs = list(zip(_balls(x), _balls(y), strict=True))
        terms = [[t for pair in pairs[k * COUNT : (k + 1) * COUNT] for t in pair] for k in range(rows)]
        return _judged(
            found, terms, lambda *row: sum((a * b for a, b in zip(row[::2], row[1::2], strict=True)), arb(0))
        )


def overflowing(rng: Generator, n: int, core: ctypes.CDLL | None = None) -> Decided:
    """Numbers that may overflow float32 as they are rounded once, and what certainly does or does not.

    What does not has an end, with the number itself in it, which may be left as it is where it is fused.
    """
    kind = FORMATS["float32"]
    sizes = 2.0 ** rng.uniform(120, 131, n), float(kind.largest) * (1 + 2.0 ** rng.uniform(-27, -23, n))
    h = rng.choice([-1.0, 1.0], n) * np.where(rng.random(n) < 0.95, *sizes)
    r = np.abs(h) * rng.choice([0.0, 2.0**-26, 0.01, 0.4, 0.9, 1.5, 6.0], n)
    ends = [2.0 ** (kind.greatest_exponent - 1), 8 * kind.normal, kind.normal, float(kind.overflow)]
    numbers = np.array([kind.unit, *ends, 0.0, 0.0, float(kind.largest), float(kind.finite)])
    given = Pairs(numbers, *np.zeros((2, numbers.size)))
    found = applied("grow", Pairs(h, np.zeros(n), r), given, size=n, core=core)
    assert isinstance(found, Pairs)
    with precision(128):
        balls = filled([arb(a, b) for a, b in zip(h.tolist(), r.tolist(), strict=True)], (n,))
        grown = Growth(ROUNDING_MODELS["numpy"]).grown(None, balls, 1, False, kind)  # type: ignore[arg-type]
    said = found.is_endless().tolist()
    none = [not ball.is_finite() and not ball.is_exact() for ball in grown.tolist()]
    known = np.isfinite(found.r)
    finite = np.array([ball.is_finite() for ball in grown.tolist()])
    lies = (said & ~np.array(none)) | (known & ~finite) | (known & ~found.contains(h))
    wrong = [int(k) for k in np.flatnonzero(lies)]
    return Decided(sum(a and b for a, b in zip(said, none, strict=True)), sum(none), wrong)


def _corners(h: float, r: float) -> list[arb]:
    return [arb(h) - arb(r), arb(h) + arb(r)] if r else [arb(h)]


def beside_infinity(name: str, rng: Generator, n: int, core: ctypes.CDLL | None = None) -> Decided:
    """Products and quotients of infinities and what is known: 0, perhaps 0, surely not."""
    shown = ((-math.inf, 0.0), (math.inf, 0.0), LOST, HALF_LOST, *KNOWN)
    (xh, xr), (yh, yr) = (np.array(shown)[rng.integers(0, len(shown), n)].T.copy() for _ in range(2))
    x, y = (Pairs(h, np.zeros(n), r) for h, r in ((xh, xr), (yh, yr)))
    found = applied(name, x, y, core=core)
    assert isinstance(found, Pairs)
    truth = OF_TWO[name.removeprefix("rough_")]
    made, possible, wrong = 0, 0, []
    with precision(128):
        for k, (a, b) in enumerate(zip(_balls(x), _balls(y), strict=True)):
            known = bool(np.isfinite(found.r[k]))
            true = UNKNOWN if a is None or b is None else truth(a, b)
            is_one = true.is_finite() or (true.is_exact() and not true.is_nan())  # a number, or an infinity
            if a is not None and b is not None and not (a.is_finite() and b.is_finite()):
                possible += is_one
                made += known
            corners = [truth(p, q) for p in _corners(xh[k], xr[k]) for q in _corners(yh[k], yr[k])]
            one, ball = arb(found.h[k]), found.ball(k)
            told = [e == one if np.isinf(found.h[k]) else ball.contains(e) for e in corners]
            wrong += [k] if known and not (is_one and all(told)) else []
    return Decided(made, possible, wrong)


ENDS: dict[tuple[str, str], Ask] = {
    **{
        ("infinite", f" {name}"): partial(beside_infinity, name)
        for name in ("mul", "div", "rough_mul", "rough_div")
    },
    **{("endless", f" {name}"): partial(elementwise, name) for name in (*OF_ONE, *OF_TWO)},
    ("endless", " sum"): total,
    ("endless", " matmul"): product,
    ("overflow", ""): overflowing,
}
