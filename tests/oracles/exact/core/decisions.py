"""What kernels decide (comparisons, choices, extremes) holds for every point of the balls."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple, TypeAlias

import numpy as np
from flint import arb
from numpy.random import Generator

from oracles.exact.core.nodes import AROUND, HULL, OPEN, STEPS
from oracles.exact.core.pairs import Numbers, Pairs, sum_of_numbers
from oracles.exact.program.balls import filled, precision
from oracles.exact.program.program import PRIMITIVES
from tests.oracles.exact.core.kernels import applied, decided
from tests.oracles.exact.core.operands import BITS, balls, numbers

COMPARISONS = ("lt", "le", "gt", "ge", "eq", "ne")
TAKEN = [(name, how) for name in sorted(STEPS) for how in range(4)]
WIDTH = 4  # of the rows that have an extreme element


class Ends(NamedTuple):
    """The least and the largest point of a ball; None where nothing is known of it."""

    low: arb
    high: arb


def ends(x: Pairs) -> list[Ends | None]:
    """The ends of each ball, exactly."""
    with precision(BITS):
        return [
            Ends(arb(h) + low - r, arb(h) + low + r) if np.isfinite(r) else None
            for h, low, r in zip(*(a.tolist() for a in (x.h, x.l, x.r)), strict=True)
        ]


def touching(rng: Generator, n: int) -> tuple[Pairs, Pairs]:
    """Two arrays of balls: apart, overlapping, touching at one end, equal, or unknown."""
    x = balls(rng, numbers(rng, n))
    y = balls(rng, np.where(rng.random(n) < 0.3, x.h, numbers(rng, n)))
    kind = rng.integers(0, 6, n)
    both = x.r + y.r
    edge = sum_of_numbers(x.h, np.where(rng.random(n) < 0.5, both, -both))
    at_edge = (kind == 0) & np.isfinite(edge.h) & np.isfinite(edge.l)
    same = kind == 1
    x = Pairs(x.h, np.where(at_edge, 0.0, x.l), np.where(same & (rng.random(n) < 0.7), 0.0, x.r))
    y = Pairs(
        np.where(at_edge, edge.h * (1 + rng.integers(-1, 2, n) * 2.0**-52), np.where(same, x.h, y.h)),
        np.where(at_edge, edge.l, np.where(same, x.l, y.l)),
        np.where(same, x.r, y.r),
    )
    lost = rng.random(n) < 0.03
    return x, Pairs(np.where(lost, np.nan, y.h), y.l, np.where(lost, rng.choice([np.nan, np.inf], n), y.r))


def _holds(name: str, x: Ends, y: Ends) -> bool | None:
    """Whether a comparison is certain to hold, or to fail; None where neither is."""
    above, below = x.low > y.high, x.high < y.low
    one = x.low == x.high == y.low == y.high
    certain = {
        "gt": (above, below or one),
        "ge": (above or one, below),
        "lt": (below, above or one),
        "le": (below or one, above),
        "eq": (one, above or below),
        "ne": (above or below, one),
    }
    yes, no = certain[name]
    return True if yes else False if no else None


class Decided(NamedTuple):
    """How many were decided, of how many that could be; and which are wrong."""

    made: int
    possible: int
    wrong: list[int]


def compared(
    name: str, rng: Generator, n: int, core: ctypes.CDLL | None = None, opened: bool = False
) -> Decided:
    """A comparison of n pairs of balls, one by one; `opened`, where all that is not certain is open."""
    x, y = touching(rng, n)
    with precision(BITS):
        certain = [
            None if a is None or b is None else _holds(name, a, b)
            for a, b in zip(ends(x), ends(y), strict=True)
        ]
    found = decided(name, x, y, rows=n, integers=True, numbers=(int(opened),), core=core)
    said = [None if f is None or f[0] == OPEN else f[0] for f in found]
    wrong = [k for k, one in enumerate(said) if one is not None and one != certain[k]]
    twins = (x.h == y.h) & (x.l == y.l) & (x.r == y.r)
    wrong += [k for k, f in enumerate(found) if said[k] is None and (f is None) == (opened and not twins[k])]
    return Decided(sum(one is not None for one in said), sum(c is not None for c in certain), wrong)


def blended(rng: Generator, n: int, core: ctypes.CDLL | None = None) -> Decided:
    """A choice by which of two balls is larger; the hull of both where that is not certain."""
    (a, b), (x, y) = touching(rng, n), touching(rng, n)
    found = decided("blend", a, b, x, y, rows=n, core=core)
    wrong, possible, made = [], 0, 0
    with precision(BITS):
        for k, (p, q, u, v, f) in enumerate(zip(*map(ends, (a, b, x, y)), found, strict=True)):
            up = p is not None and q is not None and p.low > q.high
            down = p is not None and q is not None and p.high < q.low
            one = all(u[k] == v[k] for u, v in ((x.h, y.h), (x.l, y.l))) and x.r[k] == y.r[k] == 0
            possible += up or down or one
            chosen = y if down else x
            own = [part[k] for part in (chosen.h, chosen.l, chosen.r)]
            if (up or down or one) and np.array_equal([f.h[0], f.l[0], f.r[0]], own, equal_nan=True):
                made += 1
                continue
            (hull,) = ends(f)
            if not (hull is None or all(e and hull.low <= e.low and e.high <= hull.high for e in (u, v))):
                wrong.append(k)
    return Decided(made, possible, wrong)


def divided(rng: Generator, n: int, core: ctypes.CDLL | None = None) -> Decided:
    """Quotients that are numbers, or nearly so: x / x, k y / y, and both with other last digits."""
    h = np.ldexp(rng.uniform(0.5, 1, n), rng.choice([-940, -300, 0, 0, 0, 300], n))
    low = np.choose(
        rng.integers(0, 3, n), [h * rng.uniform(-(2.0**-54), 2.0**-54, n), 0.0 * h, 5e-324 + 0.0 * h]
    )
    k = rng.choice([1.0, 1.0, 1.0, 3.0, 5.0, 0.1], n)
    product = products(k, h)
    x = Pairs(np.where(k == 1, h, product.h), np.where(k == 1, low, product.l), np.zeros(n))
    y = Pairs(h, np.where(k == 1, low, 0.0), np.zeros(n))
    off = rng.random(n) < 0.3
    x.l[off] += np.spacing(np.where(rng.random(off.sum()) < 0.5, x.l[off], x.h[off] * 2.0**-60))
    z = applied("div", x, y, core=core)
    with precision(BITS):
        true = [a.low / b.low for a, b in zip(ends(x), ends(y), strict=True)]
        wrong = [i for i, (ball, t) in enumerate(zip(z.balls, true, strict=True)) if not ball.contains(t)]
    whole = ~off & (h > 2.0**-400)
    return Decided(int((whole & (z.r == 0)).sum()), int(whole.sum()), wrong)


def products(x: Numbers, y: Numbers) -> Pairs:
    """x y of each, exactly."""
    with precision(BITS):
        parts = [arb(a) * arb(b) for a, b in zip(x.tolist(), y.tolist(), strict=True)]
        h = np.array([float(p) for p in parts])
        return Pairs(h, np.array([float(p - arb(v)) for p, v in zip(parts, h.tolist(), strict=True)]), 0 * h)


def stepped(name: str, how: int, rng: Generator, n: int, core: ctypes.CDLL | None = None) -> Decided:
    """A step on n balls, many of which touch a jump."""
    at = rng.integers(-6, 7, n) / 2 * 2.0 ** rng.choice([0, 0, 0, 51, 52, 53], n)
    h = np.where(rng.random(n) < 0.6, at + rng.integers(-1, 2, n) * np.spacing(np.abs(at)), numbers(rng, n))
    x = balls(rng, h)
    found = decided(name, x, rows=n, numbers=(how,), core=core)
    wrong, possible = [], 0
    with precision(2 * BITS):
        for k, (f, both) in enumerate(zip(found, ends(x), strict=True)):
            if both is None:
                wrong += [] if f is None or not np.isfinite(f.r[0]) else [k]
                continue
            beside = abs(both.low) * arb(2) ** -150 + arb(2) ** -1500 if how & AROUND else 0
            low, high = (
                PRIMITIVES[name].evaluate(filled([end], (1,)))[0]
                for end in (both.low - beside, both.high + beside)
            )
            may = bool(how & HULL or low == high)
            possible += may
            if f is not None and not (may and f.balls[0].contains(low) and f.balls[0].contains(high)):
                wrong.append(k)
    return Decided(sum(f is not None for f in found), possible, wrong)


def cut(rng: Generator, n: int, core: ctypes.CDLL | None = None) -> Decided:
    """Balls as integers of a few bits, of 53 or of all, many of them at a jump or at an end."""
    digits = int(rng.choice([7, 31, 53, 63]))
    least, most = -(2**digits), 2**digits - 1
    at = rng.choice([*range(-4, 5), least, most, 2**52, 2**53], n) * 1.0
    h = np.where(rng.random(n) < 0.7, at + rng.integers(-1, 2, n) * np.spacing(np.abs(at)), numbers(rng, n))
    x = balls(rng, h)
    found = decided("whole", x, rows=n, integers=True, numbers=(least, most), core=core)
    wrong, possible = [], 0
    with precision(2 * BITS):
        for k, (f, both) in enumerate(zip(found, ends(x), strict=True)):
            sides = both and {int(str(abs(end).floor().unique_fmpz())) * (1 - 2 * (end < 0)) for end in both}
            may = bool(sides and len(sides) == 1 and least <= min(sides) <= most)
            possible += may
            if f is not None and not (may and {int(f[0])} == sides):
                wrong.append(k)
    return Decided(sum(f is not None for f in found), possible, wrong)


def extremes(operation: str, sign: int, rng: Generator, n: int, core: ctypes.CDLL | None = None) -> Decided:
    """Which of each row is the largest (or, for the sign -1, the smallest); or all that may be."""
    x, t = (_interleaved(*touching(rng, n * WIDTH // 2)) for _ in range(2))
    operands = (x, t) if operation == "mixture" else (x,)
    found = decided(operation, *operands, rows=n, count=WIDTH, numbers=(WIDTH, 1, sign), core=core)
    wrong, possible, made = [], 0, 0
    for k, (f, row) in enumerate(zip(found, _rows(ends(x)), strict=True)):
        assert isinstance(f, Pairs)
        own = slice(k * WIDTH, (k + 1) * WIDTH)
        terms = t if operation == "mixture" else None
        may = _may_be(row, sign)
        possible += len(may) == 1
        if len(may) == 1 and _is_that(f, may[0], terms and Pairs(terms.h[own], terms.l[own], terms.r[own])):
            made += 1
        elif not _holds_all(f, may, terms and ends(Pairs(terms.h[own], terms.l[own], terms.r[own]))):
            wrong.append(k)
    return Decided(made, possible, wrong)


def attained(sign: int, rng: Generator, n: int, core: ctypes.CDLL | None = None) -> Decided:
    """Which elements of each row equal its extreme one: the one that certainly is it, or known numbers."""
    x = _interleaved(*touching(rng, n * WIDTH // 2))
    top = applied("top" if sign > 0 else "bottom", x, size=n, numbers=(WIDTH, 1, sign))
    wrong, possible, made = [], 0, 0
    with precision(BITS):
        for k, row in enumerate(_rows(ends(x))):
            may = _may_be(row, sign)
            known = [row[j] for j in may]
            tied = all(one is not None and one.low == one.high == known[0].low for one in known)
            possible += len(may) == 1 or tied
            own, one = slice(k * WIDTH, (k + 1) * WIDTH), slice(k, k + 1)
            f = applied(
                "attains",
                Pairs(x.h[own], x.l[own], x.r[own]),
                Pairs(top.h[one], top.l[one], top.r[one]),
                size=WIDTH,
                integers=True,
                numbers=(WIDTH, 1, sign),
                core=core,
            )
            made += f is not None
            if f is not None and not (
                (len(may) == 1 or tied) and np.flatnonzero(f).tolist() == may and set(f.tolist()) <= {0, 1}
            ):
                wrong.append(k)
    return Decided(made, possible, wrong)


def firsts(rng: Generator, n: int, core: ctypes.CDLL | None = None) -> Decided:
    """Where the largest score of each row is, of scores that come from a few numbers, or from balls."""
    scores = _interleaved(*touching(rng, n * WIDTH // 2))
    size = n * WIDTH
    one = rng.random(n).repeat(WIDTH) < 0.5
    h = np.where(one, 1.0, rng.integers(0, 2, size))
    x = Pairs(
        h, np.where(rng.random(size) < 0.1, 2.0**-70, 0.0), np.where(rng.random(size) < 0.1, 2.0**-60, 0.0)
    )
    wrong, possible, made = [], 0, 0
    for k, row in enumerate(_rows(ends(scores))):
        may = _may_be(row, 1)
        own = slice(k * WIDTH, (k + 1) * WIDTH)
        f = applied("best", x[own], scores[own], size=1, integers=True, numbers=(WIDTH, 1, 0), core=core)
        sources = [(x.h[own][j], x.l[own][j], x.r[own][j]) for j in may]
        of_one = len(set(sources)) == 1 and sources[0][2] == 0
        possible += len(may) == 1 or of_one
        made += f is not None
        if f is not None:
            at = int(f[0])
            same = of_one and at <= may[0] and (x.h[own][at], x.l[own][at], x.r[own][at]) == sources[0]
            wrong += [] if same or may == [at] else [k]
    return Decided(made, possible, wrong)


def _is_that(f: Pairs, best: int, terms: Pairs | None) -> bool:
    """Whether it says of one element that it is the extreme one."""
    if terms is None:
        return np.array_equal(f.h, np.arange(WIDTH) == best) and not f.l.any() and not f.r.any()
    own = [v[best] for v in (terms.h, terms.l, terms.r)]
    return np.array_equal([f.h[0], f.l[0], f.r[0]], own, equal_nan=True)


def _holds_all(f: Pairs, may: list[int], terms: list[Ends | None] | None) -> bool:
    """Whether each share that an element may have is in its ball, or each mixture of terms."""
    with precision(BITS):
        found = ends(f)
        if terms is None:
            return all(
                b is not None and b.low <= 0 and (k not in may or b.high >= 1) and b.high <= 1
                for k, b in enumerate(found)
            )
        own = [terms[k] for k in may]
        if any(e is None for e in own):
            return found[0] is None
        return found[0] is None or all(found[0].low <= e.low and e.high <= found[0].high for e in own if e)


def _interleaved(x: Pairs, y: Pairs) -> Pairs:
    """What touches, side by side."""
    return Pairs(*(np.stack(planes, 1).ravel() for planes in ((x.h, y.h), (x.l, y.l), (x.r, y.r))))


def _rows(found: list[Ends | None]) -> Iterator[list[Ends | None]]:
    return (found[k : k + WIDTH] for k in range(0, len(found), WIDTH))


def _may_be(row: list[Ends | None], sign: int) -> list[int]:
    """Which elements may be the extreme one: above which no other certainly is."""

    def above(one: Ends | None, other: Ends | None) -> bool:
        if one is None or other is None:
            return False
        return bool(one.low > other.high if sign > 0 else one.high < other.low)

    with precision(BITS):
        return [k for k, own in enumerate(row) if not any(above(other, own) for other in row)]


Ask: TypeAlias = Callable[..., Decided]  # of a generator, how many rows, and a build of the core
# Every decision, by the name of its kernel and how that is asked.
DECISIONS: dict[tuple[str, str], Ask] = {
    **{(name, ""): partial(compared, name) for name in COMPARISONS},
    **{(name, " opened"): partial(compared, name, opened=True) for name in COMPARISONS},
    ("blend", ""): blended,
    ("quotient", ""): divided,
    ("best", ""): firsts,
    ("whole", ""): cut,
    **{(name, f" {how}"): partial(stepped, name, how) for name, how in TAKEN},
    **{
        (name, f" {sign:+}"): partial(extremes, name, sign)
        for name in ("weights", "mixture")
        for sign in (1, -1)
    },
    **{("attains", f" {sign:+}"): partial(attained, sign) for sign in (1, -1)},
}
