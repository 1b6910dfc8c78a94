"""The Taylor tables of the C core: each number computed and each bound proven by Arb (README, tables)."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from typing import NamedTuple

from flint import arb, arb_series, ctx

BITS = 300
PAIRS = 8  # the first coefficients, as pairs of doubles
TERMS = 17  # all of them
U = arb(2) ** -53
ADDED, MULTIPLIED = 4, 7  # what a sum and a product of pairs are off by, in U^2 of the result
FURTHER = 1 + arb(2) ** -20  # an argument may be so much further from its node than half of the way

# log Gamma and its derivatives.
GAMMAS = ("LGAMMA", "DIGAMMA", "TRIGAMMA", "TETRAGAMMA", "PENTAGAMMA", "HEXAGAMMA")

Coefficients = Callable[[arb, int], list[arb]]


class Node(NamedTuple):
    """Where a function is expanded, and how far from there it is used.

    Attributes:
        centre: The point.
        half: Half of the way to the next node.
        wide: The largest radius of a ball there.
    """

    centre: arb
    half: arb
    wide: arb


class Table(NamedTuple):
    """A function on some nodes.

    Attributes:
        nodes: The nodes, in order.
        coefficients: `coefficients(x, count)` of the function at a point.
        largest: `largest(k, low, high)`: how large the k-th coefficient gets between two points, k >= 2.
    """

    nodes: list[Node]
    coefficients: Coefficients
    largest: Callable[[int, arb, arb], arb]

    def numbers(self, node: Node) -> list[float]:
        """What the kernel reads at a node: coefficients, and what bounds the error and the slope."""
        c, half = self.coefficients(node.centre, TERMS), node.half * FURTHER
        pairs, rest = [_pair(x) for x in c[:PAIRS]], [_double(x) for x in c[PAIRS:]]
        numbers = [x for p in pairs for x in p] + rest
        zero = c[0].is_zero()  # each term has a factor of the distance then, and so has the error
        error = _up(self._error(c, pairs, rest, zero, node, half))
        numbers += [0.0, error] if zero else [error, 0.0]
        low, high = node.centre - half, node.centre + half
        terms = sum(((k + 1) * abs(c[k + 1]) * half**k for k in range(3)), arb(0))
        numbers.append(_up(terms * 2**-49 + 4 * self.largest(4, low, high) * half**3))
        for reach in (node.half, node.wide):
            numbers += [_up(self.largest(2, low - reach, high + reach)), _down(reach)]
        return numbers

    def _error(
        self,
        c: list[arb],
        pairs: list[tuple[float, float]],
        rest: list[float],
        zero: bool,
        node: Node,
        half: arb,
    ) -> arb:
        """Of everything that is lost: roundings, of the first terms and of the others, and the remainder."""
        powers = [half ** max(k - zero, 0) for k in range(TERMS + 1)]
        sizes = [abs(x) * p for x, p in zip(c, powers, strict=False)]
        step = ADDED + MULTIPLIED
        rounded = sum(((step * min(k, PAIRS) + ADDED) * s for k, s in enumerate(sizes)), arb(0)) * U**2
        tail = sum(((3 * k + 1) * s for k, s in enumerate(sizes[PAIRS:])), arb(0)) * U
        known = [arb(h) + low for h, low in pairs] + [arb(x) for x in rest]
        own = sum((abs(x - y) * p for x, y, p in zip(c, known, powers, strict=False)), arb(0))
        beyond = self.largest(TERMS, node.centre - half, node.centre + half) * powers[TERMS]
        return (rounded + tail) * 1.01 + own + beyond + arb(2) ** -950


def _double(x: arb) -> float:
    return float(x.mid())


def _pair(x: arb) -> tuple[float, float]:
    high = _double(x)
    return high, _double(x - high)


def _up(x: arb) -> float:
    """A double that is not smaller."""
    return float(x.upper()) * (1 + 2.0**-50)


def _down(x: arb) -> float:
    return float(x.lower()) * (1 - 2.0**-50)


# -- nodes ----------------------------------------------------------------------------------------------


def _uniform(per_unit: int, first: int, last: int, wide: float) -> list[Node]:
    """first / per_unit, ..., last / per_unit."""
    half = arb(1) / (2 * per_unit)
    return [Node(arb(j) / per_unit, half, arb(wide)) for j in range(first, last + 1)]


def _octaves(low: int, high: int) -> list[Node]:
    """2^e (1 + j / 64) from 2^low to 2^high."""
    steps = [(e, j) for e in range(low, high) for j in range(64)]
    return [
        Node(arb(2) ** e * (64 + j) / 64, arb(2) ** (e - 7), arb(2) ** (e - 3))
        for e, j in [*steps, (high, 0)]
    ]


# -- functions ------------------------------------------------------------------------------------------


def _series(function: Callable[[arb_series], arb_series]) -> Coefficients:
    def coefficients(x: arb, count: int) -> list[arb]:
        ctx.cap = count
        found = function(arb_series([x, 1], count))
        return [found[k] for k in range(count)]

    return coefficients


def _of_balls(nodes: list[Node], function: Callable[[arb_series], arb_series]) -> Table:
    """Bounds from the same series about a whole interval."""
    coefficients = _series(function)
    return Table(
        nodes, coefficients, lambda k, low, high: abs(coefficients(low.union(high), k + 1)[k]).upper()
    )


def _falling(nodes: list[Node], coefficients: Coefficients) -> Table:
    """Of a function whose coefficients, from the third on, get smaller with the argument."""
    return Table(nodes, coefficients, lambda k, low, high: abs(coefficients(low, k + 1)[k]).upper())


def _sines(x: arb, count: int) -> list[arb]:
    """Those of sin at x pi."""
    return [(x + arb(k) / 2).sin_pi() / math.factorial(k) for k in range(count)]


@cache
def _of_log_gamma(n: int, mantissa: int, exponent: int) -> arb:
    """The n-th derivative of log Gamma at m 2^e, kept for all tables; from the second on zeta functions."""
    x = arb(mantissa) * arb(2) ** exponent
    if n < 2:
        return x.digamma() if n else x.lgamma()
    return arb(-1) ** n * arb.zeta(arb(n), x) * math.factorial(n - 1)


def _gamma(order: int) -> Table:
    """The derivative of this order of log Gamma; from the second on they are zeta functions."""

    def coefficient(k: int, x: arb) -> arb:
        n = k + order
        return _of_log_gamma(n, *map(int, x.man_exp())) / math.factorial(k)

    return Table(
        _octaves(-4, 8),
        lambda x, count: [coefficient(k, x) for k in range(count)],
        lambda k, low, high: abs(coefficient(k, low)).upper(),
    )


def _tables() -> dict[str, Table]:
    turn = [Node(arb(j) / 64, arb.pi() / 128, arb(4)) for j in range(128)]
    return {
        "ERF": _of_balls(_uniform(64, 0, 9 * 64, 0.25), lambda s: s.erf()),
        # c_k is (-2)^k times a mean of t^k e^(-2 x t) (DLMF 7.18.2 and 7.18.4), which falls with x.
        "ERFCX": _falling(_octaves(-1, 5), _series(lambda s: (s * s).exp() * s.erfc())),
        "SINE": Table(turn, _sines, lambda k, low, high: 1 / arb(math.factorial(k))),
        "EXPM1": _of_balls(_uniform(64, -32, 32, 0.25), lambda s: s.exp() - 1),
        "LOG1P": _of_balls(_uniform(64, -16, 32, 0.25), lambda s: (1 + s).log()),
        **{name: _gamma(order) for order, name in enumerate(GAMMAS)},
        "ATAN": _of_balls(_uniform(64, 0, 64, 0.25), lambda s: s.atan()),
    }


def _leading(x: arb, bits: int) -> arb:
    """The first so many bits of a positive number."""
    unit = arb(2) ** (math.frexp(_double(x))[1] - bits)
    return (x / unit).floor() * unit


def _ball(x: arb) -> str:
    high, low = _pair(x)
    return f"{{{high.hex()}, {low.hex()}, {_up(abs(x - high - low)).hex()}}}"


def _constants() -> list[str]:
    """Numbers as balls; pi / 64 in two parts of 27 bits and two doubles; the factors of Stirling's series."""
    rest, parts = arb.pi() / 64, []
    for part in ("A", "B", "C", "D"):
        number = _double(_leading(rest, 27) if part in "AB" else rest)
        rest -= number
        parts.append(f"#define PI_{part} {number.hex()}")
    numbers = {"PI_HALF": arb.pi() / 2, "LOG_TWO": arb(2).log(), "HALF_LOG_TWO_PI": (2 * arb.pi()).log() / 2}
    bernoulli = [(2 * k, arb.bernoulli(2 * k)) for k in range(1, 8)]
    series = {
        "LGAMMA_FAR": [b / (n * (n - 1)) for n, b in bernoulli],
        "DIGAMMA_FAR": [b / n for n, b in bernoulli],
        **{
            f"{name}_FAR": [b * math.factorial(n + k - 1) / math.factorial(n) for n, b in bernoulli]
            for k, name in enumerate(GAMMAS[2:], 1)
        },
    }
    return [
        *parts,
        f"#define PER_TURN {_double(64 / arb.pi()).hex()}",
        *(f"static const ball {name} = {_ball(x)};" for name, x in numbers.items()),
        *(f"static const ball {name}[7] = {{{', '.join(map(_ball, c))}}};" for name, c in series.items()),
    ]


def header() -> str:
    """What smooth.h includes: an array of nodes for each table, and constants."""
    before, ctx.prec = ctx.prec, BITS
    try:
        lines = _constants()
        for name, table in _tables().items():
            rows = ",\n".join(",".join(x.hex() for x in table.numbers(n)) for n in table.nodes)
            lines.append(f"static const node {name}[{len(table.nodes)}] = {{\n{rows}\n}};")
        return "\n".join([*lines, ""])
    finally:
        ctx.prec = before
