"""Every enclosure contains the truth: scalar functions and their Taylor coefficients against mpmath.

The truth is independent: the functions are written here for SymPy, differentiated symbolically, and evaluated
by mpmath with far more digits than are compared. Run more draws with

    python -m tests.oracles.exact.soundness --draws 1000000
"""

from __future__ import annotations

import argparse
import random
from collections import Counter
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any, NamedTuple

import mpmath
import sympy
from flint import arb

from oracles.exact.program.balls import precision
from oracles.exact.program.scalars import SCALARS

x = sympy.Symbol("x")
HALF, TURN = sympy.Rational(1, 2), sympy.exp(sympy.I * sympy.pi / 4)
ORDERS = 3
COMPARED_DIGITS = 60
WORKING_DIGITS = 800  # symbolic derivatives of tanh and the like cancel near saturation and near 0


class Function(NamedTuple):
    """A function for SymPy, where it is defined (open interval), and how costly mpmath finds it."""

    expression: Any
    low: float = -1e300
    high: float = 1e300
    cost: int = 1
    parameters: tuple[Any, ...] = ()
    static: dict[str, Any] = {}  # noqa: RUF012 - never written to
    digits: int = WORKING_DIGITS


def _polygamma(n: int) -> Any:
    return sympy.polygamma(n, x)


FUNCTIONS: dict[str, Function] = {
    "exp": Function(sympy.exp(x), -1e5, 1e5),
    "expm1": Function(sympy.exp(x) - 1, -1e5, 1e5),
    "exp2": Function(2**x, -1e5, 1e5),
    "log": Function(sympy.log(x), 0),
    "log1p": Function(sympy.log(1 + x), -1),
    "log2": Function(sympy.log(x) / sympy.log(2), 0),
    "log10": Function(sympy.log(x) / sympy.log(10), 0),
    "sqrt": Function(sympy.sqrt(x), 0),
    "length": Function(sympy.sqrt(x), 0),
    "rsqrt": Function(1 / sympy.sqrt(x), 0),
    "cbrt": Function(x / (x**2) ** sympy.Rational(1, 3)),
    "reciprocal": Function(1 / x),
    "sin": Function(sympy.sin(x), -1e15, 1e15),
    "cos": Function(sympy.cos(x), -1e15, 1e15),
    "tan": Function(sympy.tan(x), -1e15, 1e15),
    "sinh": Function(sympy.sinh(x), -1e5, 1e5),
    "cosh": Function(sympy.cosh(x), -1e5, 1e5),
    "tanh": Function(sympy.tanh(x), -300, 300),
    "asin": Function(sympy.asin(x), -1, 1),
    "acos": Function(sympy.acos(x), -1, 1),
    "atan": Function(sympy.atan(x), -1e100, 1e100),
    "asinh": Function(sympy.asinh(x), -1e100, 1e100),
    "acosh": Function(sympy.acosh(x), 1, 1e100),
    "atanh": Function(sympy.atanh(x), -1, 1),
    "erf": Function(sympy.erf(x), -30, 30),
    "erfc": Function(sympy.erfc(x), -30, 30),
    "erfinv": Function(sympy.erfinv(x), -1, 1, cost=60, digits=120),
    "erfcinv": Function(sympy.erfinv(1 - x), 0.001, 2, cost=60, digits=120),
    "sinc": Function(sympy.sin(x) / x, -1e6, 1e6, cost=3, digits=1500),
    "spence": Function(sympy.polylog(2, 1 - x), 0, 1e3, cost=60, digits=120),
    "digamma": Function(_polygamma(0), -40, 1e6, cost=60, digits=120),
    "lgamma": Function(sympy.log(sympy.gamma(x) ** 2) / 2, -40, 1e6, cost=60, digits=120),
    "polygamma": Function(_polygamma(2), 0.001, 1e6, cost=60, parameters=(2,), digits=120),
    "hurwitz_zeta": Function(
        sympy.zeta(sympy.Rational(5, 2), x), 0.001, 1e3, cost=200, parameters=(2.5,), digits=90
    ),
    "bessel_i": Function(
        sympy.besseli(0, x), -60, 60, cost=30, static={"nu": 0, "scaled": False}, digits=120
    ),
    "bessel_j": Function(sympy.besselj(0, x), -60, 60, cost=30, static={"nu": 0}, digits=120),
    "expi": Function(sympy.Ei(x), -500, 500, cost=10, digits=200),
    "expint": Function(sympy.expint(3, x), 0, 200, cost=400, parameters=(3,), digits=100),
    "sine_integral": Function(sympy.Si(x), -1e3, 1e3, cost=20, digits=200),
    "cosine_integral": Function(sympy.Ci(x), 0, 1e3, cost=20, digits=200),
    "fresnel_s": Function(sympy.fresnels(x), -20, 20, cost=20, digits=200),
    "fresnel_c": Function(sympy.fresnelc(x), -20, 20, cost=20, digits=200),
    "erfi": Function(sympy.erfi(x), -30, 30, cost=10, digits=200),
    "erfcx": Function(sympy.exp(x**2) * sympy.erfc(x), -25, 1e3, cost=10, digits=1500),
    "sinh_integral": Function(sympy.Shi(x), -60, 60, cost=20, digits=200),
    "cosh_integral": Function(sympy.Chi(x), 0, 60, cost=20, digits=200),
    "airy_ai": Function(sympy.airyai(x), -30, 30, cost=40, digits=100),
    "airy_bi": Function(sympy.airybi(x), -30, 30, cost=40, digits=100),
    "bessel_jv": Function(sympy.besselj(HALF / 2, x), 0, 60, cost=60, parameters=(0.25,), digits=100),
    "bessel_yv": Function(sympy.bessely(HALF / 2, x), 0, 60, cost=60, parameters=(0.25,), digits=100),
    "bessel_iv": Function(sympy.besseli(HALF / 2, x), 0, 60, cost=60, parameters=(0.25,), digits=100),
    "bessel_kv": Function(sympy.besselk(HALF / 2, x), 0, 60, cost=60, parameters=(0.25,), digits=100),
    "kelvin": Function(
        (sympy.besselj(0, x * TURN**3) + sympy.besselj(0, x * TURN**-3)) / 2,
        -30,
        30,
        cost=60,
        static={"kind": "ber"},
        digits=200,
    ),
    "struve": Function(
        (x / 2) ** (5 * HALF / 2)
        * sympy.hyper([1], [3 * HALF, 7 * HALF / 2], -(x**2) / 4)
        / (sympy.gamma(3 * HALF) * sympy.gamma(7 * HALF / 2)),
        0,
        60,
        cost=60,
        parameters=(0.25,),
        static={"modified": False},
        digits=200,
    ),
    "hyp0f1": Function(sympy.hyper([], [3 * HALF / 2], x), -60, 60, cost=40, parameters=(0.75,), digits=200),
    "hyp2f1": Function(
        sympy.hyper([HALF, 3 * HALF], [9 * HALF / 2], x),
        -0.9,
        0.9,
        cost=60,
        parameters=(0.5, 1.5, 2.25),
        digits=90,
    ),
    "hyperu": Function(
        sympy.gamma(-HALF) / sympy.gamma(HALF / 2) * sympy.hyper([3 * HALF / 2], [3 * HALF], x)
        + sympy.gamma(HALF) / sympy.gamma(3 * HALF / 2) * x**-HALF * sympy.hyper([HALF / 2], [HALF], x),
        0,
        30,
        cost=60,
        parameters=(0.75, 1.5),
        digits=200,
    ),
    "hermite": Function(sympy.hermite(4, x), -30, 30, parameters=(4,)),
    "elliptic": Function(
        sympy.elliptic_f(x, HALF / 2),
        -1.5,
        1.5,
        cost=60,
        parameters=(0.25,),
        static={"kind": "f"},
        digits=120,
    ),
    "gamma_lower_inverse": Function(-sympy.log(1 - x), 0.001, 0.999, cost=20, parameters=(1,), digits=200),
    "gamma_upper_inverse": Function(-sympy.log(x), 0.001, 0.999, cost=20, parameters=(1,), digits=200),
    "beta_lower_inverse": Function(
        1 - (1 - x) ** sympy.Rational(2, 5), 0.001, 0.999, cost=20, parameters=(1, 2.5), digits=200
    ),
    "wright_omega": Function(sympy.LambertW(sympy.exp(x)), -200, 1e4, cost=20, digits=200),
    "hyp1f1": Function(
        sympy.hyper([sympy.Rational(3, 2)], [sympy.Rational(5, 2)], x),
        -60,
        60,
        cost=40,
        parameters=(1.5, 2.5),
        digits=200,
    ),
    "beta_lower": Function(
        x ** sympy.Rational(3, 2)
        * sympy.hyper([sympy.Rational(3, 2), sympy.Rational(-3, 2)], [sympy.Rational(5, 2)], x)
        / (sympy.Rational(3, 2) * sympy.beta(sympy.Rational(3, 2), sympy.Rational(5, 2))),
        0,
        1,
        cost=60,
        parameters=(1.5, 2.5),
        digits=400,
    ),
    "gamma_lower": Function(
        sympy.lowergamma(sympy.Rational(3, 2), x) / sympy.gamma(sympy.Rational(3, 2)),
        0,
        200,
        cost=80,
        parameters=(1.5,),
        digits=500,
    ),
    "gamma_upper": Function(
        sympy.uppergamma(sympy.Rational(3, 2), x) / sympy.gamma(sympy.Rational(3, 2)),
        0,
        200,
        cost=40,
        parameters=(1.5,),
        digits=120,
    ),
    "power": Function(x**7, parameters=(7,)),
    "real_power": Function(x ** sympy.Rational(5, 4), 0, 1e100, parameters=(1.25,)),
}


class Checked(NamedTuple):
    """One evaluation: whether the ball contains the truth, or that there was nothing to check."""

    function: str
    point: float
    order: int
    outcome: str  # "contained", "not finite", "WRONG"


@cache
def _coefficient(name: str, order: int) -> Callable[[Any], Any]:
    """f^(order) / order! for mpmath."""
    expression = sympy.diff(FUNCTIONS[name].expression, x, order) / sympy.factorial(order)
    expression = expression.subs(sympy.polylog(1, 1 - x), -sympy.log(x))  # at a tiny x, 1 - x is 1, a pole
    modules = [NAMES, "mpmath"]
    found: Callable[[Any], Any] = sympy.lambdify(x, expression, modules)
    return found


def _lower(a: Any, z: Any) -> Any:
    return mpmath.gammainc(a, 0, z)


NAMES = {  # what SymPy's functions are called in mpmath
    "lowergamma": _lower,
    "uppergamma": mpmath.gammainc,
    "Ei": mpmath.ei,
    "elliptic_f": mpmath.ellipf,
    "airyaiprime": lambda z: mpmath.airyai(z, derivative=1),
    "airybiprime": lambda z: mpmath.airybi(z, derivative=1),
}


def points(name: str, rng: random.Random) -> float:
    """A point inside the domain: log-uniform, uniform, close to an end or a pole, subnormal."""
    entry = FUNCTIONS[name]
    low, high = entry.low, entry.high
    kind = rng.randrange(5)
    if kind == 0:
        point = rng.choice([-1, 1]) * 10 ** rng.uniform(-320, 300)
    elif kind == 1:
        point = rng.uniform(max(low, -30), min(high, 30))
    elif kind == 2:
        end = rng.choice([e for e in (low, high, 0.0) if abs(e) < 1e3])
        point = end + rng.choice([-1, 1]) * 10 ** rng.uniform(-18, -1)
    elif kind == 3:
        point = round(rng.uniform(max(low, -10), min(high, 10)), 0) + rng.choice([-1, 1]) * 10 ** rng.uniform(
            -12, -1
        )
    else:
        point = rng.choice([-1, 1]) * 10 ** rng.uniform(-3, 3)
    return point


def check(name: str, point: float, bits: int = 128) -> Iterator[Checked]:
    """The coefficients c_0 to c_3 at a point, each against mpmath."""
    entry = FUNCTIONS[name]
    with precision(bits):
        parameters = [arb(p) for p in entry.parameters]
        balls = SCALARS[name].taylor(arb(point), ORDERS, *parameters, **entry.static)
    with mpmath.workdps(entry.digits):
        for order, ball in enumerate(balls):
            if not ball.is_finite():
                yield Checked(name, point, order, "not finite")
                continue
            truth = _coefficient(name, order)(mpmath.mpf(point))
            yield Checked(name, point, order, "contained" if _contains(ball, truth) else "WRONG")


def _contains(ball: arb, truth: Any) -> bool:
    """Whether the truth lies in the ball, allowing for its own error in the last compared digit."""
    if isinstance(truth, mpmath.mpc):
        truth = truth.real
    middle, radius = _mpf(ball.mid()), _mpf(ball.rad())
    slack = abs(truth) * mpmath.mpf(10) ** -COMPARED_DIGITS
    return bool(abs(middle - truth) <= radius + slack)


def _mpf(number: arb) -> Any:
    mantissa, exponent = number.man_exp()
    return mpmath.ldexp(mpmath.mpf(int(mantissa)), int(exponent))


def run(draws: int, seed: int) -> Iterator[Checked]:
    """At least so many evaluations, shared out by how fast mpmath is; fewer where it is slow."""
    rng = random.Random(seed)
    weights = {name: 1 / f.cost for name, f in FUNCTIONS.items()}
    total = sum(weights.values())
    for name, entry in FUNCTIONS.items():
        for _ in range(max(3, round(draws / (ORDERS + 1) * weights[name] / total) + 1)):
            point = points(name, rng)
            while not entry.low < point < entry.high or point == 0 or (point == round(point) and point <= 0):
                point = points(name, rng)
            yield from check(name, point)


def main() -> None:
    """Print how many evaluations of each function were contained; exit 1 if one was not."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--draws", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    counts: Counter[tuple[str, str]] = Counter()
    for checked in run(options.draws, options.seed):
        counts[checked.function, checked.outcome] += 1
        if checked.outcome == "WRONG":
            print(checked)
    for name in FUNCTIONS:
        print(name, {o: counts[name, o] for o in ("contained", "not finite", "WRONG") if counts[name, o]})
    print("total", sum(counts.values()), "wrong", sum(n for (_, o), n in counts.items() if o == "WRONG"))
    raise SystemExit(any(o == "WRONG" for _, o in counts))


if __name__ == "__main__":
    main()
