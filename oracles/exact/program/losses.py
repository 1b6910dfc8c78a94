"""What kernels lose where a function is e to a sum of logarithms, 1 minus another, or a sum of terms.

Such a function is not off by a few ulps of itself wherever it is asked. The logarithms of a factor like
x^a e^-x / Gamma(a) are large and cancel: their rounding errors are absolute ones of the exponent, and so
relative ones of the result, by the sum of their sizes. 1 - P is off as P is, and so is what cancels in a sum,
by the terms. A kernel that loses more than that has a defect.

"Seen" is the largest of 50,000 errors in each of torch, JAX and SciPy, in float64 and float32, parameters
and arguments from 2^-8 to 2^10, half of them where the function rises; times 1.5, as everywhere.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from flint import arb

from oracles.exact.program import hypergeometric
from oracles.exact.program.balls import ZERO

EACH = 7  # unit roundoffs for each unit of the exponent: 4.5 seen. That of log Gamma alone may be off by 16.


def _nothing(x: arb, *parameters: arb, along: object = 0) -> arb:
    return ZERO


def _itself(found: arb, order: int, x: arb, *parameters: arb) -> arb:
    return abs(found)


@dataclass(frozen=True, slots=True)
class Loss:
    """(the ulps of the function, and further unit roundoffs) of what is rounded, which may be more than it.

    Attributes:
        further: `further(x, *parameters, along=...)`, in unit roundoffs.
        whole: `whole(found, order, x, *parameters)`: the size of what is rounded, for a value (order 0) or
            a coefficient of its slopes.
    """

    further: Callable[..., arb] = _nothing
    whole: Callable[..., arb] = _itself


def _log_gamma(a: arb) -> arb:
    """The size of log |Gamma(a)|."""
    return abs(abs(a.rgamma()).log())


def _incomplete_gamma(x: arb, a: arb, *, along: object = 0) -> arb:
    """x^a e^-x / Gamma(a), and for the derivative in a what JAX's iteration loses: 1,300 seen.

    At three points in 10^4 beside a = 1.45 and 2.5 it ends too soon and loses 15 bits: a defect.
    """
    exponent = abs(a * x.log()) + abs(x) + _log_gamma(a)
    return EACH * exponent + (2000 if along else 0)


def _upper(found: arb, order: int, x: arb, a: arb) -> arb:
    """Kernels take 1 - P where x is below a, or near 1: Cephes' below 1.1, the others below 1."""
    return abs(found) if order or (x > 1.1 and x > a) else abs(found) + abs(1 - found)


def _incomplete_beta(x: arb, a: arb, b: arb, *, along: object = 0) -> arb:
    """x^a (1 - x)^b / B(a, b)."""
    beta = _log_gamma(a) + _log_gamma(b) + _log_gamma(a + b)
    return EACH * (abs(a * x.log()) + abs(b * (-x).log1p()) + beta)


def _shares(found: arb, order: int, x: arb, a: arb, b: arb) -> arb:
    """1 - I_(1-x)(b, a) beyond the mean, where the continued fraction ends sooner for that."""
    return abs(found) if order or (a + b + 2) * x < a + 1 else abs(found) + abs(1 - found)


def _polygamma(x: arb, n: arb, *, along: object = 0) -> arb:
    """n! is e^lgamma(n + 1)."""
    return EACH * _log_gamma(n + 1)


def _terms(x: arb, a: arb, b: arb, *, along: object = 0) -> arb:
    """The n-th term of 1F1 is rounded 3 n times, and the largest is about the |x|-th."""
    return 3 * abs(x)


def _sizes(found: arb, order: int, x: arb, a: arb, b: arb) -> arb:
    """1F1's terms for |a| and |x| are at least as large as its own, for b > 0; below nothing bounds them."""
    if not b > 0:
        return arb("inf")
    return hypergeometric.hyp1f1(abs(x), order, abs(a), b)[order]


GAMMA_LOWER = Loss(_incomplete_gamma)
GAMMA_UPPER = Loss(_incomplete_gamma, _upper)
BETA_LOWER = Loss(_incomplete_beta, _shares)
POLYGAMMA = Loss(_polygamma)
SERIES_1F1 = Loss(_terms, _sizes)
