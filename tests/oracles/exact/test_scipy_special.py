"""SciPy's special functions: values and slopes against mpmath, by differences with many digits."""

import mpmath
import numpy as np
import pytest
import scipy.special
from mpmath import mp

from harness import check_gradient
from harness.verdicts import Verdict
from oracles.exact.enclose.evaluate import evaluate
from oracles.exact.from_numpy import record
from oracles.exact.from_numpy.rules.special import SPECIAL
from oracles.exact.program.derive import vjp

SIGNED, POSITIVE = np.array([-2.3, -0.4, 0.6, 1.9]), np.array([0.2, 0.7, 1.6, 4.1])
UNIT, HALVES = np.array([0.1, 0.35, 0.62, 0.9]), np.array([-2.5, -0.5, 0.5, 1.5])
WHOLE = np.array([0, 1, 2, 5])


def lower(a, x):
    return mpmath.gammainc(a, 0, x, regularized=True)


def boxcox(x, power):
    return mp.expm1(power * mp.log(x)) / power


# What it is, and where: the last argument moves.
FUNCTIONS = {
    "erfi": (mpmath.erfi, (SIGNED,)),
    "dawsn": (lambda x: mp.sqrt(mp.pi) / 2 * mp.exp(-x * x) * mpmath.erfi(x), (SIGNED,)),
    "exp10": (lambda x: mp.mpf(10) ** x, (SIGNED,)),
    "exprel": (lambda x: mp.expm1(x) / x, (SIGNED,)),
    "logit": (lambda x: mp.log(x / (1 - x)), (UNIT,)),
    "gamma": (mpmath.gamma, (HALVES,)),
    "rgamma": (mpmath.rgamma, (HALVES,)),
    "i0": (lambda x: mpmath.besseli(0, x), (SIGNED,)),
    "i1": (lambda x: mpmath.besseli(1, x), (SIGNED,)),
    "i0e": (lambda x: mpmath.besseli(0, x) * mp.exp(-abs(x)), (SIGNED,)),
    "i1e": (lambda x: mpmath.besseli(1, x) * mp.exp(-abs(x)), (SIGNED,)),
    "exp1": (mpmath.e1, (POSITIVE,)),
    "expn": (mpmath.expint, (WHOLE, POSITIVE)),
    "sici": ((mpmath.si, mpmath.ci), (POSITIVE,)),
    "fresnel": ((mpmath.fresnels, mpmath.fresnelc), (SIGNED,)),
    "gammainc": (lower, (POSITIVE[::-1], POSITIVE)),
    "gammaincc": (lambda a, x: 1 - lower(a, x), (POSITIVE[::-1], POSITIVE)),
    "chdtr": (lambda v, x: lower(v / 2, x / 2), (POSITIVE[::-1], POSITIVE)),
    "chdtrc": (lambda v, x: 1 - lower(v / 2, x / 2), (POSITIVE[::-1], POSITIVE)),
    "gdtr": (lambda a, b, x: lower(b, a * x), (UNIT, POSITIVE[::-1], POSITIVE)),
    "gdtrc": (lambda a, b, x: 1 - lower(b, a * x), (UNIT, POSITIVE[::-1], POSITIVE)),
    "pdtr": (lambda k, m: 1 - lower(mp.floor(k) + 1, m), (POSITIVE[::-1], POSITIVE)),
    "pdtrc": (lambda k, m: lower(mp.floor(k) + 1, m), (POSITIVE[::-1], POSITIVE)),
    "betainc": (lambda a, b, x: mpmath.betainc(a, b, 0, x, True), (POSITIVE, POSITIVE[::-1], UNIT)),
    "betaincc": (lambda a, b, x: mpmath.betainc(a, b, x, 1, True), (POSITIVE, POSITIVE[::-1], UNIT)),
    "stdtr": (
        lambda n, t: (1 + mp.sign(t) * (1 - mpmath.betainc(n / 2, 0.5, 0, n / (n + t * t), True))) / 2,
        (POSITIVE, SIGNED)),
    "beta": (mpmath.beta, (POSITIVE, POSITIVE[::-1])),
    "betaln": (lambda a, b: mp.log(mpmath.beta(a, b)), (POSITIVE, POSITIVE[::-1])),
    "hyp1f1": (mpmath.hyp1f1, (POSITIVE, POSITIVE[::-1], SIGNED)),
    "binom": (mpmath.binomial, (POSITIVE + 4, POSITIVE)),
    "poch": (mpmath.rf, (POSITIVE, POSITIVE[::-1])),
    "boxcox": (boxcox, (POSITIVE, SIGNED)),
    "boxcox1p": (lambda x, power: boxcox(1 + x, power), (POSITIVE, SIGNED)),
    "inv_boxcox": (lambda y, power: mp.exp(mp.log(1 + power * y) / power), (UNIT, UNIT)),
    "inv_boxcox1p": (lambda y, power: mp.expm1(mp.log(1 + power * y) / power), (UNIT, UNIT)),
    "huber": (lambda d, r: r * r / 2 if abs(r) <= d else d * (abs(r) - d / 2), (POSITIVE, SIGNED)),
    "pseudo_huber": (lambda d, r: d * d * (mp.sqrt(1 + (r / d) ** 2) - 1), (POSITIVE, SIGNED)),
    "rel_entr": (lambda x, y: x * mp.log(x / y), (POSITIVE, POSITIVE[::-1])),
    "kl_div": (lambda x, y: x * mp.log(x / y) - x + y, (POSITIVE, POSITIVE[::-1])),
}  # fmt: skip


def test_every_function_is_checked():
    assert set(FUNCTIONS) == set(SPECIAL)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_has_its_values_and_slopes(name):
    theirs, args = FUNCTIONS[name]
    *held, moving = args
    recording = record(lambda x: getattr(scipy.special, name)(*held, x), (moving,), {})
    several = theirs if isinstance(theirs, tuple) else (theirs,)
    values = evaluate(recording.program, [moving], 240)
    for k, function in enumerate(several):
        cotangents = [np.ones(moving.shape) * (j == k) for j in range(len(several))]
        (slopes,) = evaluate(vjp(recording.program, [0]), [moving, *cotangents], 240)
        for i, x in enumerate(moving.tolist()):
            with mpmath.workdps(70):
                own = [mp.mpf(h[i].item()) for h in held]
                step = mp.mpf(10) ** -24
                true = function(*own, mp.mpf(x))
                slope = (function(*own, x + step) - function(*own, x - step)) / (2 * step)
                for ball, wanted in ((values[k][i], true), (slopes[i], slope)):
                    found = mp.mpf(ball.mid().str(60, radius=False))
                    assert abs(found - mp.re(wanted)) < mp.mpf(10) ** -30 * (1 + abs(wanted)), (name, x)


def test_a_gradient_with_special_functions_is_judged():
    x = np.array([0.3, 1.2, 4.0])
    slope = lambda g, x: g * np.exp(-x) * x / 1.0  # noqa: E731
    assert (
        check_gradient(lambda x: scipy.special.gammainc(2.0, x), (x,), vjp=slope).verdict is Verdict.ACCURATE
    )
    off = lambda g, x: g * np.exp(-x)  # noqa: E731
    assert check_gradient(lambda x: scipy.special.gammainc(2.0, x), (x,), vjp=off).verdict is Verdict.WRONG
    assert check_gradient(scipy.special.i0, (x,), vjp=lambda g, x: g * scipy.special.i1(x)).passed
