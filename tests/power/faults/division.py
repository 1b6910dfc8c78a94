"""Rules that divide by what may be zero: 0/0 or 0 * inf where the derivative is an ordinary number."""

from __future__ import annotations

from typing import Any

from harness.verdicts import Verdict
from tests.power.fault import Fault, Rule
from tests.power.faults.draws import array, normal, positive

NAN = Verdict.MISCOMPUTED


def others(xp: Any, x: Any) -> Any:
    """For each element the product of all the others."""
    n = x.shape[0]
    found = []
    for k in range(n):
        product = x[k] * 0 + 1
        for j in range(n):
            product = product * x[j] if j != k else product
        found.append(product)
    return xp.stack(found)


norm = Rule(
    lambda xp, x: xp.sqrt(xp.sum(x * x)),
    lambda xp, g, x: g * x / xp.sqrt(xp.sum(x * x)),
)
right_norm = norm.with_backward(
    lambda xp, g, x: g * x / xp.where(xp.sum(x * x) == 0, xp.sum(x * x) + 1, xp.sqrt(xp.sum(x * x)))
)


def deviation(xp: Any, x: Any) -> Any:
    d = x - xp.sum(x) / x.shape[0]
    return xp.sqrt(xp.sum(d * d) / (x.shape[0] - 1))


def deviation_vjp(safe: bool) -> Any:
    def vjp(xp: Any, g: Any, x: Any) -> Any:
        y, d = deviation(xp, x), x - xp.sum(x) / x.shape[0]
        return g * d / ((x.shape[0] - 1) * (xp.where(y == 0, y + 1, y) if safe else y))

    return vjp


std = Rule(deviation, deviation_vjp(safe=False))
prod = Rule(lambda xp, x: _product(x), lambda xp, g, x: g * _product(x) / x)
right_prod = prod.with_backward(lambda xp, g, x: g * others(xp, x))


def _product(x: Any) -> Any:
    found = x[0]
    for k in range(1, x.shape[0]):
        found = found * x[k]
    return found


cumprod = Rule(
    lambda xp, x: xp.cumprod(x, axis=0),
    lambda xp, g, x: xp.flip(xp.cumsum(xp.flip(g * xp.cumprod(x, axis=0), axis=0), axis=0), axis=0) / x,
)


def _cumprod_vjp(xp: Any, g: Any, x: Any) -> Any:
    n = x.shape[0]
    total = []
    for k in range(n):
        part = g[k] * 0
        for i in range(k, n):
            product = g[i]
            for j in range(i + 1):
                product = product * x[j] if j != k else product
            part = part + product
        total.append(part)
    return xp.stack(total)


right_cumprod = cumprod.with_backward(_cumprod_vjp)
over_sum = Rule(
    lambda xp, x: x / xp.sum(xp.abs(x)),
    lambda xp, g, x: g / xp.sum(xp.abs(x)) - xp.sum(g * x) / xp.sum(xp.abs(x)) ** 2 * (x / xp.abs(x)),
)
right_over_sum = over_sum.with_backward(
    lambda xp, g, x: g / xp.sum(xp.abs(x)) - xp.sum(g * x) / xp.sum(xp.abs(x)) ** 2 * xp.sign(x)
)
power_base = Rule(lambda xp, a, b: a**b, lambda xp, g, a, b: g * b * a ** (b - 1))
right_power_base = power_base.with_backward(
    lambda xp, g, a, b: g * xp.where(b == 0, b * 0, b * xp.where(b == 0, a * 0 + 1, a) ** (b - 1))
)
power_exponent = Rule(lambda xp, b, a: a**b, lambda xp, g, b, a: g * a**b * xp.log(a))
right_power_exponent = power_exponent.with_backward(
    lambda xp, g, b, a: g * xp.where(a == 0, a * 0, a**b * xp.log(xp.where(a == 0, a + 1, a)))
)
squared_norm = Rule(
    lambda xp, x: xp.sqrt(xp.sum(x * x)) ** 2,
    lambda xp, g, x: g * 2 * xp.sqrt(xp.sum(x * x)) * (x / xp.sqrt(xp.sum(x * x))),
)
amax_into = Rule(
    lambda xp, s, x: xp.stack([xp.max(s), x[1]]),
    lambda xp, g, s, x: (
        g[0] * xp.where(s == xp.max(s), s * 0 + 1, s * 0),
        g * x * 0 / xp.const([1.0, 0.0], x),
    ),
)
right_amax_into = amax_into.with_backward(
    lambda xp, g, s, x: (
        g[0] * xp.where(s == xp.max(s), s * 0 + 1, s * 0),
        g * xp.const([0.0, 1.0], x),
    )
)
zeros = array(0.0, 0.0, 0.0)

FAULTS = (
    Fault(
        "GB001", "pytorch/pytorch#2421", "norm", "x / |x| at the zero vector", "overflow_nan",
        norm, right_norm, (zeros,), normal((3,)), NAN,
    ),
    Fault(
        "GB140", "HIPS/autograd#586", "norm ** 2", "2 |x| x / |x| at the zero vector", "overflow_nan",
        squared_norm, squared_norm.with_backward(lambda xp, g, x: 2 * g * x), (zeros,), normal((3,)), NAN,
    ),
    Fault(
        "GB003", "pytorch/pytorch#3264", "normalize, p = 1", "x / |x| for the sign at a zero entry",
        "overflow_nan", over_sum, right_over_sum, (array(0.0, 0.0, 0.2),), normal((3,)), NAN,
    ),
    Fault(
        "GB043", "pytorch/pytorch#4320", "std", "a constant input", "overflow_nan",
        std, std.with_backward(deviation_vjp(safe=True)), (array(1.0, 1.0, 1.0),), normal((3,)), NAN,
    ),
    Fault(
        "GB006", "pytorch/pytorch#773", "prod", "result / x where x has a zero", "overflow_nan",
        prod, right_prod, (array(2.0, 0.0, 3.0),), normal((3,)), NAN,
    ),
    Fault(
        "GB181", "tenstorrent/tt-metal#54551", "prod", "result * (1 / x) where x has a zero", "overflow_nan",
        prod.with_backward(lambda xp, g, x: g * _product(x) * (1 / x)), right_prod,
        (array(2.0, 0.0, 4.0),), normal((3,)), NAN,
    ),
    *(
        Fault(
            number, report, "cumprod", "the reversed cumulative sum divided by x", "overflow_nan",
            cumprod, right_cumprod, (array(*at),), draw((3,)), NAN,
        )
        for number, report, at, draw in (
            ("GB126", "tensorflow/tensorflow#3862", (0.0,), normal),
            ("GB144", "pymc-devs/pytensor#1911", (2.0, 0.0, 3.0), positive),
            ("GB159", "tracel-ai/burn#3864", (2.0, 0.0, 3.0, 4.0), normal),
        )
    ),
    Fault(
        "GB011", "pytorch/pytorch#8940", "pow, the base", "b a^(b - 1) is 0 * inf at a = b = 0",
        "overflow_nan", power_base, right_power_base, (array(0.0, 1.0), array(0.0, 0.0)),
        positive((2,), (2,)), NAN,
    ),
    Fault(
        "GB150", "ml-explore/mlx#628", "power, the exponent", "a^b log a is 0 * -inf at a = 0",
        "overflow_nan", power_exponent, right_power_exponent, (array(1.0, 2.0), array(0.0, 0.5)),
        positive((2,), (2,)), NAN,
    ),
    Fault(
        "GB053", "pytorch/pytorch#168358", "scatter_reduce amax", "0/0 by the count of an empty slot",
        "overflow_nan", amax_into, right_amax_into, (array(1.0, 2.0, 3.0), array(0.0, 0.0)),
        normal((3,), (2,)), NAN, moves=2,
    ),
)  # fmt: skip
