"""Each kernel: operands that are hard for it, what Arb says of their points, how much may stay unknown."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from flint import arb
from numpy.random import Generator

from oracles.exact.core.pairs import Pairs
from oracles.exact.program.balls import precision
from tests.oracles.exact.core.kernels import applied
from tests.oracles.exact.core.operands import BITS, balls, missed, numbers, points


class Outcome(NamedTuple):
    """Of so many results, which are wrong, and how many not known."""

    count: int
    wrong: list[int]
    unknown: int


class Draw(NamedTuple):
    """Operands and what is true of one point of each; the instruction's own numbers and the size it makes."""

    operands: tuple[Any, ...]
    truths: list[arb]
    options: dict[str, Any]


@dataclass(frozen=True)
class Trial:
    """A kernel on trial.

    Attributes:
        draw: `draw(rng, n)` gives operands for about n results.
        unknown: The largest share of results that may be unknown.
    """

    operation: str
    draw: Callable[[Generator, int], Draw]
    unknown: float

    def run(self, rng: Generator, n: int) -> Outcome:
        """Draw, and hold what the kernel says against Arb."""
        return self.hold(self.draw(rng, n))

    def hold(self, draw: Draw, core: ctypes.CDLL | None = None) -> Outcome:
        """What this kernel, or another build of it, makes of a draw, against Arb."""
        z = applied(self.operation, *draw.operands, core=core, **draw.options)
        assert isinstance(z, Pairs)
        return Outcome(z.h.size, missed(z, draw.truths), int((~np.isfinite(z.r)).sum()))


def _balls(draw: Callable[[Generator, int], Any], wide: bool = True) -> Callable[[Generator, int], Pairs]:
    return lambda rng, n: balls(rng, draw(rng, n), wide)


def _unary(operation: str, draw: Any, truth: Callable[[arb], arb], unknown: float, bits: int = BITS) -> Trial:
    def drawn(rng: Generator, n: int) -> Draw:
        x = draw(rng, n)
        at = points(rng, x)
        with precision(bits):
            return Draw((x,), [truth(p) for p in at], {})

    return Trial(operation, drawn, unknown)


def _binary(operation: str, other: Any, truth: Any, unknown: float, bits: int = BITS) -> Trial:
    """With a second operand `other(rng, x)` that may know the first."""

    def drawn(rng: Generator, n: int) -> Draw:
        x = balls(rng, numbers(rng, n))
        y = balls(rng, other(rng, x))
        at = zip(points(rng, x), points(rng, y), strict=True)
        with precision(bits):
            return Draw((x, y), [truth(p, q) for p, q in at], {})

    return Trial(operation, drawn, unknown)


# -- second operands --------------------------------------------------------------------------------------


def _cancelling(sign: float) -> Callable[[Generator, Pairs], Any]:
    """For a third of them the first one again, but for a few ulps."""

    def drawn(rng: Generator, x: Pairs) -> Any:
        n = x.h.size
        with np.errstate(over="ignore"):
            near = sign * x.h * (1 + rng.integers(-3, 4, n) * 2.0**-52)
        near = np.where(np.isfinite(near), near, -sign * x.h)
        return np.where(rng.random(n) < 0.35, near, numbers(rng, n))

    return drawn


def _ending(kind: int) -> Callable[[Generator, Pairs], Any]:
    """For a third of them such that the product (1) or quotient (-1) is at an end of the doubles."""

    def drawn(rng: Generator, x: Pairs) -> Any:
        n = x.h.size
        exponent = np.where(rng.random(n) < 0.7, rng.integers(-1080, -890, n), rng.integers(1000, 1025, n))
        own = np.frexp(x.h)[1]
        wanted = exponent - own if kind > 0 else own - exponent
        with np.errstate(over="ignore"):
            y = np.ldexp(rng.uniform(0.5, 1, n) * rng.choice([-1, 1], n), np.clip(wanted, -1073, 1024))
        return np.where(rng.random(n) < 0.35, y, numbers(rng, n))

    return drawn


def _positive(rng: Generator, n: int) -> Any:
    return np.where(rng.random(n) < 0.95, np.abs(numbers(rng, n)), numbers(rng, n))


def _exponents(rng: Generator, n: int) -> Any:
    kinds = [
        5 * rng.normal(size=n),
        rng.uniform(-760, 720, n),
        rng.normal(size=n) * 2.0 ** rng.integers(-80, -3, n),
        numbers(rng, n),
        np.rint(rng.uniform(-64000, 64000, n) + 0.5) * np.log(2) / 64 + 2.0**-30 * rng.normal(size=n),
        (rng.integers(-64000, 64000, n) + 0.5) * np.log(2) / 64,
        rng.choice([-600.0, -708.4, -745.1, -746.0, -747.0, 700.0, 0.0], n)
        * (1 + rng.integers(-2, 3, n) * 2.0**-52),
    ]
    return np.choose(rng.integers(0, len(kinds), n), kinds)


def _small_radii(x: Pairs, most: float) -> Pairs:
    return Pairs(x.h, x.l, np.where(np.isfinite(x.r), np.minimum(x.r, most), x.r))


def _exponent_balls(rng: Generator, n: int) -> Pairs:
    x = balls(rng, _exponents(rng, n))
    return _small_radii(x, 0.6) if rng.random() < 0.5 else x


def _logarithmic(rng: Generator, n: int) -> Any:
    kinds = [
        _positive(rng, n),
        1 + rng.normal(size=n) * 2.0 ** rng.integers(-53, -1, n),
        np.abs(rng.normal(size=n)),
        np.ldexp(rng.uniform(1, 2, n), rng.integers(-900, 1020, n)),
    ]
    return np.choose(rng.integers(0, len(kinds), n), kinds)


# -- rows -------------------------------------------------------------------------------------------------

COUNTS = (1, 2, 3, 4, 5, 7, 8, 30)


def _rows(
    operation: str, truth: Callable[[list[arb]], Any], unknown: float, kept: bool = False, sign: int = 1
) -> Trial:
    """Along rows that lie side by side, or between others; half of a row may cancel the other half."""

    def drawn(rng: Generator, n: int) -> Draw:
        count = int(rng.choice(COUNTS))
        after = int(rng.choice([1, 1, 3]))
        rows = -(-max(n, count * after) // (count * after)) * after
        shape = (rows // after, count, after)
        h = numbers(rng, rows * count).reshape(shape)
        if rng.random() < 0.7:
            h = rng.normal(size=shape) * np.ldexp(1.0, rng.integers(-60, 60, shape))
        half = count // 2
        if half and rng.random() < 0.6:
            with np.errstate(over="ignore"):
                h[:, -half:] = -h[:, :half] * (
                    1 + rng.integers(-1, 2, (rows // after, half, after)) * 2.0**-52
                )
            h = np.where(np.isfinite(h), h, 1.0)
        x = balls(rng, h.ravel())
        at = np.array(points(rng, x), object).reshape(shape)
        with precision(BITS):
            lines = [truth(list(at[i, :, j])) for i in range(rows // after) for j in range(after)]
        if kept:
            back = np.array(lines, object).reshape(rows // after, after, count).transpose(0, 2, 1)
            lines = back.ravel().tolist()
        options = {"size": rows * count if kept else rows, "numbers": (count, after, sign)}
        return Draw((x,), lines, options)

    return Trial(operation, drawn, unknown)


def _total(row: Sequence[arb]) -> arb:
    return sum(row, arb(0))


def _running(row: Sequence[arb]) -> list[arb]:
    return [_total(row[: k + 1]) for k in range(len(row))]


def _largest(row: Sequence[arb]) -> arb:
    best = row[0]
    for value in row[1:]:
        best = value if value > best else best
    return best


def _products(rng: Generator, n: int) -> Draw:
    batches, rows, inner, columns = (int(rng.integers(1, k)) for k in (3, 5, 6, 7))
    kind = rng.integers(0, 12)
    if kind == 0:
        inner, columns = int(rng.integers(31, 70)), int(rng.integers(31, 36))  # parts of it
    if kind > 4:
        batches, rows, inner, columns = n // 8, 1, int(rng.integers(1, 3)), 1  # many short ones
    far = 40 if rng.random() < 0.7 else 540  # also where products are among the subnormal numbers
    x, y = (
        balls(
            rng,
            np.where(
                rng.random(size) < 0.2, 0.0, rng.normal(size=size) * 2.0 ** rng.integers(-far, 40, size)
            ),
        )
        for size in (batches * rows * inner, batches * inner * columns)
    )
    if rng.random() < 0.5:
        x.r[:] = y.r[:] = 0
        if rng.random() < 0.5:
            x.l[:] = y.l[:] = 0
    for factor in (x, y):
        if rng.random() < 0.2:  # numbers of half the bits
            with np.errstate(over="ignore"):
                factor.h[:] = np.ldexp(
                    np.rint(np.ldexp(np.frexp(factor.h)[0], 24)), np.frexp(factor.h)[1] - 24
                )
            factor.l[:] = 0
            factor.r[:] = np.where(rng.random() < 0.7, 0.0, factor.r)
    a = np.array(points(rng, x), object).reshape(batches, rows, inner)
    b = np.array(points(rng, y), object).reshape(batches, inner, columns)
    with precision(BITS):
        truths = np.concatenate([(p @ q).ravel() for p, q in zip(a, b, strict=True)]).tolist()
    size = batches * rows * columns
    return Draw((x, y), truths, {"size": size, "columns": columns, "numbers": (inner, 0, rows)})


def _scattered(rng: Generator, n: int) -> Draw:
    size = int(rng.integers(1, max(40, n // 3)))
    x = balls(rng, _cancelling(-1)(rng, balls(rng, numbers(rng, n))))
    where = rng.integers(-1, size, n)
    truths = [arb(0)] * size
    with precision(BITS):
        for k, point in zip(where.tolist(), points(rng, x), strict=True):
            if k >= 0:
                truths[k] += point
    return Draw((x, where), truths, {"size": size, "numbers": (n,)})


def _taken(rng: Generator, n: int) -> Draw:
    x = balls(rng, numbers(rng, 50))
    where = rng.integers(-1, 50, n)
    at = [*points(rng, x), arb(0)]
    return Draw((x, where), [at[k] for k in where.tolist()], {"size": n})


def _whole(rng: Generator, n: int) -> Draw:
    kinds = [rng.integers(-9, 9, n), rng.integers(-(2**62), 2**62, n), 2**53 + rng.integers(-9, 9, n)]
    x = np.choose(rng.integers(0, 3, n), kinds)
    x[: n // 50] = rng.choice(
        [2**63 - 1, 1 - 2**63, 2**62, 2**62 - 1, -(2**62)], n // 50
    )  # the least is OPEN
    return Draw((x,), [arb(int(v)) for v in x], {})


def _stored(rng: Generator, n: int) -> Draw:
    """What is below a number may be flushed to 0."""
    x, normal = balls(rng, numbers(rng, n)), float(2.0 ** rng.choice([-1022, -126, -14]))
    truths = [arb(0) if abs(p) < normal and rng.random() < 0.5 else p for p in points(rng, x)]
    return Draw((x, Pairs(*np.array([[normal], [0.0], [0.0]]))), truths, {})


_any = _balls(numbers)
TRIALS = {
    trial.operation: trial
    for trial in (
        _binary("add", _cancelling(-1), lambda a, b: a + b, 0.05),
        _binary("sub", _cancelling(1), lambda a, b: a - b, 0.05),
        _binary("mul", _ending(1), lambda a, b: a * b, 0.25),
        _binary("div", _ending(-1), lambda a, b: a / b, 0.6),
        _binary("larger", _cancelling(1), lambda a, b: a if a > b else b, 0.05),
        _binary("smaller", _cancelling(1), lambda a, b: a if a < b else b, 0.05),
        _binary("spread", _cancelling(1), lambda a, b: a + b, 0.05),
        _unary("neg", _any, lambda a: -a, 0.02),
        _unary("abs", _any, abs, 0.02),
        _unary("copy", _any, lambda a: a, 0.02),
        _unary("sqrt", _balls(_positive), arb.sqrt, 0.5),
        _unary("exp", _exponent_balls, arb.exp, 0.45, bits=400),
        _unary("log", _balls(_logarithmic), arb.log, 0.6, bits=400),
        _unary("tanh", _exponent_balls, arb.tanh, 0.4, bits=400),
        _rows("sum", _total, 0.05),
        _rows("cumsum", _running, 0.05, kept=True),
        _rows("top", _largest, 0.1),
        _rows("bottom", lambda row: -_largest([-v for v in row]), 0.1, sign=-1),
        _binary("rough_add", _cancelling(-1), lambda a, b: a + b, 0.05),
        _binary("rough_sub", _cancelling(1), lambda a, b: a - b, 0.05),
        _binary("rough_mul", _ending(1), lambda a, b: a * b, 0.25),
        _binary("rough_div", _ending(-1), lambda a, b: a / b, 0.6),
        _unary("rough_sqrt", _balls(_positive), arb.sqrt, 0.5),
        _unary("rough_exp", _exponent_balls, arb.exp, 0.45, bits=400),
        _unary("rough_log", _balls(_logarithmic), arb.log, 0.6, bits=400),
        _unary("rough_tanh", _exponent_balls, arb.tanh, 0.4, bits=400),
        Trial("matmul", _products, 0.02),
        Trial("scatter", _scattered, 0.9),
        Trial("take", _taken, 0.05),
        Trial("integer", _whole, 0.1),
        Trial("stored", _stored, 0.05),
    )
}
