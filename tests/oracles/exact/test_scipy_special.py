"""SciPy's special functions: values and slopes against mpmath, by differences with many digits."""

from functools import partial

import mpmath
import numpy as np
import pytest
import scipy.special
from mpmath import mp
from scipy.special import _ufuncs

from harness import check_gradient, exact_value
from harness.verdicts import Verdict
from oracles.exact.enclose.evaluate import evaluate
from oracles.exact.from_numpy import record
from oracles.exact.from_numpy.rules.special import SPECIAL
from oracles.exact.program.derive import vjp
from oracles.exact.program.errors import Undecided, Unsupported

SIGNED, POSITIVE = np.array([-2.3, -0.4, 0.6, 1.9]), np.array([0.2, 0.7, 1.6, 4.1])
UNIT, HALVES = np.array([0.1, 0.35, 0.62, 0.9]), np.array([-2.5, -0.5, 0.5, 1.5])
WHOLE, ORDERS = np.array([0, 1, 2, 5]), np.array([0.0, 0.5, 1.25, 3.0])
BESSEL = {"j": mpmath.besselj, "y": mpmath.bessely, "i": mpmath.besseli, "k": mpmath.besselk}


def lower(a, x):
    return mpmath.gammainc(a, 0, x, regularized=True)


def boxcox(x, power):
    return mp.expm1(power * mp.log(x)) / power


def slope(function):
    """Its derivative, by differences: to some 40 digits."""

    def derivative(x):
        step = mp.mpf(10) ** -20
        return (function(x + step) - function(x - step)) / (2 * step)

    return derivative


def spherical(kind, n, x):
    """DLMF 10.47: by half-integer orders, for x < 0 too."""
    sign = -1 if x < 0 and (n + (kind == "y")) % 2 else 1
    return sign * mp.sqrt(mp.pi / (2 * abs(x))) * BESSEL[kind](n + mp.mpf(1) / 2, abs(x))


def voigt(x, sigma, gamma):
    z = (x + 1j * gamma) / (sigma * mp.sqrt(2))
    return (mp.exp(-z * z) * mpmath.erfc(-1j * z)).real / (sigma * mp.sqrt(2 * mp.pi))


def shifted_jacobi(n, p, q, x):
    front = mp.factorial(n) * mp.gamma(n + p) / mp.gamma(2 * n + p)
    return front * mpmath.jacobi(n, p - q, q - 1, 2 * x - 1)


def fisher(a, b, x):
    return mpmath.betainc(a / 2, b / 2, 0, a * x / (b + a * x), True)


def inverse(name, function):
    """Where a function has a value, by mpmath's search from SciPy's number on."""

    def inverted(*args):
        *held, y = args
        start = getattr(scipy.special, name)(*map(float, args))
        found = mpmath.findroot(lambda t: function(*held, t) - y, (start, start * (1 + 1e-9)), tol=1e-150)
        return found.real

    return inverted


# What it is, and where: the last argument moves, or the one that is named.
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
    "voigt_profile": (voigt, (SIGNED, POSITIVE, POSITIVE[::-1])),
    "binom": (mpmath.binomial, (POSITIVE + 4, POSITIVE)),
    "poch": (mpmath.rf, (POSITIVE, POSITIVE[::-1])),
    "boxcox": (boxcox, (POSITIVE, SIGNED)),
    "boxcox1p": (lambda x, power: boxcox(1 + x, power), (POSITIVE, SIGNED)),
    "inv_boxcox": (lambda y, power: mp.exp(mp.log(1 + power * y) / power), (UNIT, UNIT)),
    "inv_boxcox1p": (lambda y, power: mp.expm1(mp.log(1 + power * y) / power), (UNIT, UNIT)),
    "huber": (lambda d, r: r * r / 2 if abs(r) <= d else d * (abs(r) - d / 2), (POSITIVE, SIGNED)),
    "pseudo_huber": (lambda d, r: d * d * (mp.sqrt(1 + (r / d) ** 2) - 1), (POSITIVE, SIGNED)),
    "rel_entr": (lambda x, y: x * mp.log(x / y), (POSITIVE, POSITIVE[::-1])),
    **{f"{k}v": (BESSEL[k], (ORDERS, POSITIVE)) for k in "jyik"},
    **{f"{k}n": (BESSEL[k], (WHOLE, POSITIVE)) for k in "jyk"},
    **{f"{k}{n}": (partial(BESSEL[k], n), (POSITIVE,)) for k in "yk" for n in (0, 1)},
    "jve": (BESSEL["j"], (ORDERS, POSITIVE)),
    "yve": (BESSEL["y"], (ORDERS, POSITIVE)),
    "ive": (lambda n, x: BESSEL["i"](n, x) * mp.exp(-x), (ORDERS, POSITIVE)),
    "kve": (lambda n, x: BESSEL["k"](n, x) * mp.exp(x), (ORDERS, POSITIVE)),
    "k0e": (lambda x: BESSEL["k"](0, x) * mp.exp(x), (POSITIVE,)),
    "k1e": (lambda x: BESSEL["k"](1, x) * mp.exp(x), (POSITIVE,)),
    "airy": (
        tuple(partial(f, derivative=k) for f in (mpmath.airyai, mpmath.airybi) for k in (0, 1)),
        (SIGNED,)),
    **{k: (partial(getattr(mpmath, k), 0), (POSITIVE,)) for k in ("ber", "bei", "ker", "kei")},
    **{f"{k}p": (slope(partial(getattr(mpmath, k), 0)), (POSITIVE,)) for k in ("ber", "bei", "ker", "kei")},
    "struve": (mpmath.struveh, (ORDERS, POSITIVE)),
    "modstruve": (mpmath.struvel, (ORDERS, POSITIVE)),
    **{f"_spherical_{k}n": (partial(spherical, k), (WHOLE, SIGNED)) for k in "jyi"},
    **{
        f"_spherical_{k}n_d": (lambda n, x, k=k: slope(partial(spherical, k, n))(x), (WHOLE, SIGNED))
        for k in "jyi"
    },
    "_spherical_kn": (partial(spherical, "k"), (WHOLE, POSITIVE)),
    "_spherical_kn_d": (lambda n, x: slope(partial(spherical, "k", n))(x), (WHOLE, POSITIVE)),
    "hyp0f1": (mpmath.hyp0f1, (POSITIVE, SIGNED)),
    "hyp2f1": (mpmath.hyp2f1, (SIGNED, POSITIVE, POSITIVE[::-1], UNIT)),
    "hyperu": (mpmath.hyperu, (SIGNED, POSITIVE, POSITIVE)),
    "ellipk": (mpmath.ellipk, (UNIT,)),
    "ellipkm1": (lambda p: mpmath.ellipk(1 - p), (UNIT,)),
    "ellipe": (mpmath.ellipe, (UNIT,)),
    "ellipkinc": (lambda x, m: mpmath.ellipf(x, m), (UNIT, UNIT[::-1]), 0),
    "ellipeinc": (lambda x, m: mpmath.ellipe(x, m), (POSITIVE, UNIT), 0),
    "agm": (mpmath.agm, (POSITIVE, POSITIVE[::-1])),
    "eval_legendre": (mpmath.legendre, (WHOLE, SIGNED)),
    "eval_sh_legendre": (lambda n, x: mpmath.legendre(n, 2 * x - 1), (WHOLE, UNIT)),
    "eval_chebyt": (mpmath.chebyt, (WHOLE, SIGNED)),
    "eval_sh_chebyt": (lambda n, x: mpmath.chebyt(n, 2 * x - 1), (WHOLE, UNIT)),
    "eval_chebyc": (lambda n, x: 2 * mpmath.chebyt(n, x / 2), (WHOLE, SIGNED)),
    "eval_chebyu": (mpmath.chebyu, (WHOLE, SIGNED)),
    "eval_sh_chebyu": (lambda n, x: mpmath.chebyu(n, 2 * x - 1), (WHOLE, UNIT)),
    "eval_chebys": (lambda n, x: mpmath.chebyu(n, x / 2), (WHOLE, SIGNED)),
    "eval_gegenbauer": (mpmath.gegenbauer, (WHOLE, POSITIVE, SIGNED)),
    "eval_jacobi": (mpmath.jacobi, (WHOLE, POSITIVE, UNIT, SIGNED)),
    "eval_sh_jacobi": (shifted_jacobi, (WHOLE, POSITIVE + 1, UNIT, UNIT)),
    "eval_laguerre": (lambda n, x: mpmath.laguerre(n, 0, x), (WHOLE, SIGNED)),
    "eval_genlaguerre": (mpmath.laguerre, (WHOLE, POSITIVE, SIGNED)),
    "eval_hermite": (mpmath.hermite, (WHOLE, SIGNED)),
    "eval_hermitenorm": (
        lambda n, x: mp.mpf(2) ** (-n / 2) * mpmath.hermite(n, x / mp.sqrt(2)),
        (WHOLE, SIGNED)),
    "_zeta": (lambda s, q: mpmath.zeta(s, q), (POSITIVE + 1, POSITIVE)),
    "_riemann_zeta": (mpmath.zeta, (POSITIVE + 1,)),
    "zetac": (lambda s: mpmath.zeta(s) - 1, (POSITIVE + 1,)),
    "shichi": ((mpmath.shi, mpmath.chi), (POSITIVE,)),
    "gammaincinv": (inverse("gammaincinv", lower), (POSITIVE[::-1], UNIT)),
    "gammainccinv": (inverse("gammainccinv", lambda a, x: 1 - lower(a, x)), (POSITIVE[::-1], UNIT)),
    "chdtri": (inverse("chdtri", lambda v, x: 1 - lower(v / 2, x / 2)), (POSITIVE[::-1] + 1, UNIT)),
    "betaincinv": (
        inverse("betaincinv", lambda a, b, x: mpmath.betainc(a, b, 0, x, True)),
        (POSITIVE, POSITIVE[::-1], UNIT)),
    "fdtri": (inverse("fdtri", fisher), (POSITIVE + 1, POSITIVE[::-1] + 1, UNIT)),
    "wrightomega": (lambda x: mpmath.lambertw(mp.exp(x)), (SIGNED,)),
    "loggamma": (mpmath.loggamma, (POSITIVE,)),
    "gammasgn": (lambda x: mp.sign(mpmath.gamma(x)), (HALVES,)),
    "cosm1": (lambda x: mp.cos(x) - 1, (SIGNED,)),
    "powm1": (lambda x, y: x**y - 1, (POSITIVE, SIGNED)),
    "sindg": (lambda x: mp.sin(mp.radians(x)), (SIGNED,)),
    "cosdg": (lambda x: mp.cos(mp.radians(x)), (SIGNED,)),
    "tandg": (lambda x: mp.tan(mp.radians(x)), (SIGNED,)),
    "cotdg": (lambda x: mp.cot(mp.radians(x)), (SIGNED,)),
    "radian": (lambda d, m, s: mp.radians(d + m / 60 + s / 3600), (SIGNED, POSITIVE, POSITIVE)),
    "round": (mpmath.nint, (SIGNED,)),
    "ndtri_exp": (lambda y: mp.sqrt(2) * mpmath.erfinv(2 * mp.exp(y) - 1), (-POSITIVE,)),
    "bdtr": (lambda k, n, p: 1 - mpmath.betainc(k + 1, n - k, 0, p, True), (WHOLE, WHOLE + 3, UNIT)),
    "bdtrc": (lambda k, n, p: mpmath.betainc(k + 1, n - k, 0, p, True), (WHOLE, WHOLE + 3, UNIT)),
    "nbdtr": (lambda k, n, p: mpmath.betainc(n, k + 1, 0, p, True), (WHOLE, WHOLE + 3, UNIT)),
    "nbdtrc": (lambda k, n, p: 1 - mpmath.betainc(n, k + 1, 0, p, True), (WHOLE, WHOLE + 3, UNIT)),
    "fdtr": (fisher, (POSITIVE, POSITIVE[::-1], POSITIVE)),
    "fdtrc": (lambda a, b, x: 1 - fisher(a, b, x), (POSITIVE, POSITIVE[::-1], POSITIVE)),
    "kl_div": (lambda x, y: x * mp.log(x / y) - x + y, (POSITIVE, POSITIVE[::-1])),
}  # fmt: skip


def test_every_function_is_checked():
    assert set(FUNCTIONS) == set(SPECIAL) - {"wofz"}  # it has complex numbers alone


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_has_its_values_and_slopes(name):
    theirs, args, *named = FUNCTIONS[name]
    which = named[0] if named else len(args) - 1
    moving, before, after = args[which], args[:which], args[which + 1 :]
    ufunc = getattr(scipy.special, name, None) or getattr(_ufuncs, name)
    recording = record(lambda x: ufunc(*before, x, *after), (moving,), {})
    several = theirs if isinstance(theirs, tuple) else (theirs,)
    values = evaluate(recording.program, [moving], 240)
    for k, function in enumerate(several):
        cotangents = [np.ones(moving.shape) * (j == k) for j in range(len(several))]
        (slopes,) = evaluate(vjp(recording.program, [0]), [moving, *cotangents], 240)
        for i, x in enumerate(moving.tolist()):
            with mpmath.workdps(90):
                first, last = ([mp.mpf(h[i].item()) for h in held] for held in (before, after))
                step = mp.mpf(10) ** -24
                true = function(*first, mp.mpf(x), *last)
                ends = [function(*first, x + s * step, *last) for s in (1, -1)]
                for ball, wanted in ((values[k][i], true), (slopes[i], (ends[0] - ends[1]) / (2 * step))):
                    found = mp.mpf(ball.mid().str(60, radius=False))
                    assert abs(found - mp.re(wanted)) < mp.mpf(10) ** -30 * (1 + abs(wanted)), (name, x)


@pytest.mark.parametrize("name", ["rel_entr", "kl_div"])
@pytest.mark.parametrize(("x", "y"), [(-2.0, -2.0), (-2.0, 3.0), (2.0, -3.0), (0.0, -1.0)])
def test_an_entropy_of_negative_numbers_has_no_value(name, x, y):
    """SciPy says infinite there, also where x / y is positive: no number is the truth."""
    with pytest.raises(Undecided, match="not finite"):
        exact_value(getattr(scipy.special, name), (np.array([x]), np.array([y])))


def test_a_gradient_with_special_functions_is_judged():
    x = np.array([0.3, 1.2, 4.0])
    slope = lambda g, x: g * np.exp(-x) * x / 1.0  # noqa: E731
    assert (
        check_gradient(lambda x: scipy.special.gammainc(2.0, x), (x,), vjp=slope).verdict is Verdict.ACCURATE
    )
    off = lambda g, x: g * np.exp(-x)  # noqa: E731
    assert check_gradient(lambda x: scipy.special.gammainc(2.0, x), (x,), vjp=off).verdict is Verdict.WRONG
    assert check_gradient(scipy.special.i0, (x,), vjp=lambda g, x: g * scipy.special.i1(x)).passed


def test_an_order_moves_where_that_is_proven():
    """That of a Bessel function does, the degree of a polynomial does not, with the reason."""
    nu = np.array([0.3, 1.7])
    recording = record(lambda nu: scipy.special.kv(nu, 2.0), (nu,), {})
    (slopes,) = evaluate(vjp(recording.program, [0]), [nu, np.ones(2)], 200)
    for ball, order in zip(slopes, nu.tolist(), strict=True):
        wanted = mpmath.diff(lambda n: mpmath.besselk(n, 2), order)
        assert abs(float(ball.mid()) - wanted) < 1e-12
    degrees = record(lambda n: scipy.special.eval_legendre(n, 0.3), (nu,), {})
    with pytest.raises(Unsupported, match="with respect to its parameter"):
        vjp(degrees.program, [0])
