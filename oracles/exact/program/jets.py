"""Taylor coefficients from the value and a recurrence: what elementary functions need no power series for.

Each is a formula of + - * / on whole arrays, and holds for any numbers that have these: Arb's balls here,
instructions of the fast core there. `of` knows the values of functions, as `of.exp(x)`. None of the
formulas cancels: what they give has nearly as many digits as the values.

The recurrences follow from each function's differential equation (Griewank and Walther, Evaluating
Derivatives, 2nd ed., 2008, chapter 13).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import Any, TypeAlias

Slopes: TypeAlias = Callable[..., list[Any]]


class Lazy(Sequence[Any]):
    """Coefficients of which each is computed when it is asked for: a slope seldom needs the value."""

    def __init__(self, get: Callable[[int], Any], count: int) -> None:
        self._get, self._count = cache(get), count

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, k: Any) -> Any:
        return self._get(range(self._count)[k])


@dataclass(frozen=True, slots=True)
class Jet:
    """A function by its recurrence.

    Attributes:
        name: What `of` calls its value.
        slopes: `slopes(of, x, value, order)` gives the coefficients 1 to `order`, at least 1; `value()` the
            0th, for those that need it.
    """

    name: str
    slopes: Slopes

    def __call__(self, of: Any, x: Any, order: int) -> Lazy:
        """The coefficients 0 to `order`."""
        value = cache(lambda: getattr(of, self.name)(x))
        slopes = cache(lambda: self.slopes(of, x, value, order))
        return Lazy(lambda k: slopes()[k - 1] if k else value(), order + 1)


def _times(of: Any, c: Any, above: int, below: int = 1) -> Any:
    """A coefficient times a fraction, which is often 1."""
    return c if above == below else c * of.number(above, below)


def exp(of: Any, x: Any, value: Any, order: int) -> list[Any]:
    """y' = y."""
    y = value()
    return [_times(of, y, 1, math.factorial(k)) for k in range(1, order + 1)]


def expm1(of: Any, x: Any, value: Any, order: int) -> list[Any]:
    """y' = e^x."""
    return exp(of, x, lambda: of.exp(x), order)


def exp2(of: Any, x: Any, value: Any, order: int) -> list[Any]:
    """y' = y log 2."""
    y = value()
    return [_times(of, y * of.logarithm(2, k), 1, math.factorial(k)) for k in range(1, order + 1)]


def log(of: Any, x: Any, value: Any, order: int) -> list[Any]:
    """c_k = -(-1/x)^k / k."""
    r = power = _inverse_of_positive(of, x)
    found = [r]
    for k in range(2, order + 1):
        power = -(power * r)
        found.append(power * of.number(1, k))
    return found


def _inverse_of_positive(of: Any, x: Any) -> Any:
    """1 / x, and nothing where x is negative: the slope of a logarithm ends where it does."""
    return of.reciprocal(x) + of.sqrt(x) * of.number(0)


def _logarithm(base: int) -> Slopes:
    def slopes(of: Any, x: Any, value: Any, order: int) -> list[Any]:
        """Those of log, by the logarithm of the base."""
        return [c * of.logarithm(base, -1) for c in log(of, x, value, order)]

    return slopes


def log1p(of: Any, x: Any, value: Any, order: int) -> list[Any]:
    """Those of log at 1 + x, which is exact enough for them."""
    return log(of, x + of.number(1), value, order)


def reciprocal(of: Any, x: Any, value: Any, order: int) -> list[Any]:
    """c_k = (-1)^k / x^(k+1)."""
    r = value()
    found = [-(r * r)]
    for _ in range(1, order):
        found.append(-(found[-1] * r))
    return found


def sqrt(of: Any, x: Any, value: Any, order: int) -> list[Any]:
    """2 x y' = y."""
    y = value()
    return _binomial(of, of.reciprocal(y + y), x, (1, 2), order)


def rsqrt(of: Any, x: Any, value: Any, order: int) -> list[Any]:
    """c_1 = -y / (2 x)."""
    return _binomial(of, value() * of.reciprocal(x) * of.number(-1, 2), x, (-1, 2), order)


def cbrt(of: Any, x: Any, value: Any, order: int) -> list[Any]:
    """c_1 = 1 / (3 y^2)."""
    y = value()
    return _binomial(of, of.reciprocal(y * y * of.number(3)), x, (1, 3), order)


def _binomial(of: Any, first: Any, x: Any, power: tuple[int, int], order: int) -> list[Any]:
    """From c_1 on of x^(p/q): c_(k+1) = c_k (p/q - k) / ((k + 1) x)."""
    (p, q), found = power, [first]
    if order > 1:
        r = of.reciprocal(x)
        for k in range(1, order):
            found.append(found[-1] * r * of.number(p - q * k, q * (k + 1)))
    return found


def _turning(other: str, signs: tuple[int, int]) -> Slopes:
    def slopes(of: Any, x: Any, value: Any, order: int) -> list[Any]:
        """The function itself and another one by turns, with the signs of the first and second slope."""
        found, values = [], [value, partial(getattr(of, other), x)]
        known: dict[int, Any] = {}
        for k in range(1, order + 1):
            if k % 2 not in known:
                known[k % 2] = values[k % 2]()
            sign = math.prod(signs[i % 2] for i in range(k))
            found.append(_times(of, known[k % 2], sign, math.factorial(k)))
        return found

    return slopes


def tan(of: Any, x: Any, value: Any, order: int) -> list[Any]:
    """y' = 1 + y^2."""
    y = value()
    found = [y, y * y + of.number(1)]
    for k in range(1, order):
        found.append(_convolved(found, found, k) * of.number(1, k + 1))
    return found[1:]


def tanh(of: Any, x: Any, value: Any, order: int) -> list[Any]:
    """y' = 1 - y^2, the first as 4 q / (1 + q)^2 with q = e^-2|x|: nothing cancels."""
    q = of.exp(-of.magnitude(x + x))
    inverse = of.reciprocal(q + of.number(1))
    found = [q * inverse * inverse * of.number(4)]
    if order > 1:
        found = [value(), *found]
        for k in range(1, order):
            found.append(-(_convolved(found, found, k) * of.number(1, k + 1)))
        return found[1:]
    return found


def _convolved(a: list[Any], b: list[Any], k: int) -> Any:
    """The k-th coefficient of a product."""
    total = a[0] * b[k]
    for i in range(1, k + 1):
        total = total + a[i] * b[k - i]
    return total


def _integrated(of: Any, slopes: list[Any]) -> list[Any]:
    """The coefficients from 1 on of a function whose slope has these."""
    return [_times(of, b, 1, k) for k, b in enumerate(slopes, 1)]


def _arc(sign: int) -> Slopes:
    def slopes(of: Any, x: Any, value: Any, order: int) -> list[Any]:
        """With u = y' and q = 1 + sign x^2: q u = 1, so q u_k = -sign (2 x u_(k-1) + u_(k-2))."""
        root = _inverse_root(of, x, 1, sign)  # which atanh has where it is
        r = root * root
        found = [r]
        for k in range(1, order):
            inner = x * found[-1] * of.number(2)
            inner = inner if k == 1 else inner + found[-2]
            found.append(inner * r * of.number(-sign))
        return _integrated(of, found)

    return slopes


def _root_arc(one: int, sign: int, whole: int = 1) -> Slopes:
    def slopes(of: Any, x: Any, value: Any, order: int) -> list[Any]:
        """With u = y': q u' = -sign x u for q = one + sign x^2, and u = whole / sqrt(q)."""
        q = _square(of, x, one, sign)
        first = _times(of, _inverse_root(of, x, one, sign), whole)
        found = [first]
        if order > 1:
            r = of.reciprocal(q)
            for k in range(order - 1):
                inner = _times(of, x * found[-1], 2 * k + 1)
                inner = inner + _times(of, found[-2], k) if k else inner
                found.append(inner * r * of.number(-sign, k + 1))
        return _integrated(of, found)

    return slopes


def _square(of: Any, x: Any, one: int, sign: int) -> Any:
    """one + sign x^2, as a product where that cancels."""
    if one == sign:
        return x * x + of.number(1)
    product = (x + of.number(1)) * (x + of.number(-1))
    return product if sign == 1 else -product


def _inverse_root(of: Any, x: Any, one: int, sign: int) -> Any:
    """1 / sqrt(one + sign x^2), where the function is."""
    if one == sign:
        return of.rsqrt(_square(of, x, one, sign))
    above = x + of.number(1)
    below = x + of.number(-1)
    return of.rsqrt(above) * of.rsqrt(below if sign == 1 else -below)


def _error_function(sign: int) -> Slopes:
    def slopes(of: Any, x: Any, value: Any, order: int) -> list[Any]:
        """y' = g, g' = -2 x g, with g = 2 / sqrt(pi) e^(-x^2)."""
        found = [of.exp(-(x * x)) * of.two_over_root_pi(sign)]
        for k in range(1, order):
            inner = x * found[-1] if k == 1 else x * found[-1] + found[-2]
            found.append(inner * of.number(-2, k))
        return _integrated(of, found)

    return slopes


SLOPES: dict[str, Slopes] = {
    "exp": exp, "expm1": expm1, "exp2": exp2,
    "log": log, "log1p": log1p, "log2": _logarithm(2), "log10": _logarithm(10),
    "reciprocal": reciprocal, "sqrt": sqrt, "length": sqrt, "rsqrt": rsqrt, "cbrt": cbrt,
    "sin": _turning("cos", (1, -1)), "cos": _turning("sin", (-1, 1)), "tan": tan,
    "sinh": _turning("cosh", (1, 1)), "cosh": _turning("sinh", (1, 1)), "tanh": tanh,
    "asin": _root_arc(1, -1), "acos": _root_arc(1, -1, -1), "atan": _arc(1),
    "asinh": _root_arc(1, 1), "acosh": _root_arc(-1, 1), "atanh": _arc(-1),
    "erf": _error_function(1), "erfc": _error_function(-1),
}  # fmt: skip
JETS = {name: Jet(name, slopes) for name, slopes in SLOPES.items()}
