"""scipy.stats' distributions: values are SciPy's and within their bounds, slopes are those of differences."""

import functools

import numpy as np
import pytest
from scipy import stats
from scipy.stats import norm

from harness import check_gradient
from oracles.exact.enclose.evaluate import evaluate
from oracles.exact.from_numpy import record
from oracles.exact.from_numpy.libraries.distributions import NAMES, OUTSIDE, PLACED, STANDARD
from oracles.exact.program.balls import precision
from oracles.exact.program.errors import Unsupported
from oracles.exact.rounding.bound import ROUNDING_MODELS, bound
from tests.oracles.exact.numpy_tools import BITS, middle, slopes

X = np.array([0.3, 1.2, -0.7])
LOC, SCALE, P = np.array(0.25), np.array(1.75), np.array([0.1, 0.35, 0.8])
INSIDE = {"pareto": np.array([2.25, 3.0, 9.0]), "bernoulli": np.array([0])}
SHAPES = {
    "gamma": (2.25,), "beta": (2.25, 1.75), "t": (3.5,), "lognorm": (0.75,), "chi2": (3.25,),
    "f": (3.25, 5.5), "weibull_min": (1.5,), "pareto": (2.5,), "invgamma": (2.5,), "poisson": (2.25,),
    "chi": (2.5,), "powerlaw": (1.75,), "invgauss": (0.875,), "truncnorm": (-0.75, 1.5), "skewnorm": (1.25,),
    "vonmises": (1.5,), "binom": (7, 0.375), "bernoulli": (0.375,), "nbinom": (3.5, 0.375), "geom": (0.375,),
    "genextreme": (0.375,), "genpareto": (0.25,),
}  # fmt: skip
SHARES, QUANTILES = ("cdf", "sf", "logcdf", "logsf"), ("ppf", "isf")
MOMENTS = tuple(m for m in PLACED if m not in QUANTILES)
# No derivative of an incomplete beta function, or of an inverse, in its shapes is known.
HELD = {"nbinom": SHARES, **dict.fromkeys(("gamma", "beta", "chi", "chi2", "f", "invgamma"), ("median",))}


def several(name, methods, where=(), held=()):
    """The methods that are known, of what moves: first the place where, unless that is held."""
    distribution, known = getattr(stats, name), STANDARD[name]
    called = [m for m in methods if known.rule(NAMES.get(m, m)) and m not in HELD.get(name, ())]
    first = 0 if where or methods is MOMENTS else 1
    return lambda *p: tuple(getattr(distribution, m)(*where, *p[:first], *held, *p[first:]) for m in called)


def each(name):
    """Functions of a distribution, and numbers of theirs: densities, shares, quantiles, moments."""
    shapes, inside = SHAPES.get(name, ()), INSIDE.get(name)
    trials, moving = shapes[: name == "binom"], tuple(map(np.array, shapes[name == "binom" :]))
    if STANDARD[name].whole:
        counts = (np.array([1, 2, 5]) if inside is None else inside,)
        yield several(name, ("pmf", "logpmf"), counts, trials), moving
        yield several(name, SHARES, counts, trials), moving
        yield several(name, MOMENTS, (), trials), (*moving, LOC)
        return
    x = LOC + SCALE * np.array([0.2, 0.55, 0.8]) if inside is None else inside
    yield several(name, ("pdf", "logpdf")), (x, *moving, LOC, SCALE)
    yield several(name, SHARES, held=shapes), (x, LOC, SCALE)
    yield several(name, QUANTILES, held=shapes), (P, LOC, SCALE)
    yield several(name, MOMENTS), (*moving, LOC, SCALE)


@pytest.mark.parametrize("name", STANDARD)
def test_values_are_scipy_s_and_slopes_those_of_differences(name):
    for function, points in each(name):
        wanted = function(*points)
        if not wanted:
            continue
        recording = record(function, points, {})
        found = evaluate(recording.program, recording.values, BITS)
        bounds = bound(recording.program, recording.values, ROUNDING_MODELS["numpy"], keep=True).balls
        for balls, within, numbers in zip(found, bounds, wanted, strict=True):
            np.testing.assert_allclose(middle(balls), numbers, rtol=1e-12)
            assert all(b.contains(float(c)) for b, c in zip(np.ravel(within), np.ravel(numbers), strict=True))
        forward, backward, difference = slopes(function, points)
        with precision(BITS):
            assert forward.overlaps(backward)
            assert abs(difference - forward) < 1e-18 * (1 + abs(forward))


@pytest.mark.parametrize("name", [name for name, known in STANDARD.items() if known.low is not None])
def test_outside_of_the_support_they_are_what_scipy_says(name):
    shapes, whole = SHAPES.get(name, ()), STANDARD[name].whole
    x = np.array([-1.0, 0.5, 1.0, 8.0]) if whole else np.array([-1.5, 0.5, 3.0])
    methods = ("pmf", "logpmf", "cdf", "sf") if whole else OUTSIDE
    function = several(name, methods, (x,), shapes[:-1]) if whole else several(name, methods, held=shapes)
    points = (np.array(shapes[-1]),) if whole else (x,)
    recording = record(function, points, {})
    found = evaluate(recording.program, recording.values, BITS)
    for balls, numbers in zip(found, function(*points), strict=True):
        np.testing.assert_allclose(middle(balls), numbers, rtol=1e-12)


# -- as they are used -------------------------------------------------------------------------------------


def black_scholes(s, k, r, v, t):
    d = (np.log(s / k) + (r + v**2 / 2) * t) / (v * np.sqrt(t))
    return s * norm.cdf(d) - k * np.exp(-r * t) * norm.cdf(d - v * np.sqrt(t))


def greeks(g, s, k, r, v, t, vega=lambda s, d, t: s * norm.pdf(d) * np.sqrt(t)):
    d = (np.log(s / k) + (r + v**2 / 2) * t) / (v * np.sqrt(t))
    later = k * np.exp(-r * t) * norm.cdf(d - v * np.sqrt(t))
    theta = s * norm.pdf(d) * v / (2 * np.sqrt(t)) + r * later
    return g * norm.cdf(d), -g * later / k, g * t * later, g * vega(s, d, t), g * theta


def test_the_greeks_of_an_option_are_right_and_a_wrong_vega_is_wrong():
    options = tuple(map(np.array, ([100.0, 95.0], [105.0, 90.0], [0.03, 0.01], [0.2, 0.3], [0.5, 1.25])))
    found = check_gradient(black_scholes, options, vjp=greeks)
    assert found.verdict.name == "ACCURATE"
    wrong = functools.partial(greeks, vega=lambda s, d, t: s * norm.pdf(d) * t)
    assert check_gradient(black_scholes, options, vjp=wrong).verdict.name == "WRONG"


GAUSS, LOG_DENSITY, IN_A_LIST = stats.norm(1.0, 2.0), norm.logpdf, [stats.norm(scale=2.0, loc=1.0)]


NARROW = type(norm)(a=-1.0, b=1.0, name="norm")


class Model:
    prior = stats.norm(1.0, scale=2.0)

    def __init__(self):
        self.kind, self.made = stats.norm, None

    def log_density(self, x):
        self.made = self.kind(x, 2.0)
        return self.prior.logpdf(x) / 2 + self.made.logpdf(1) / 2


def imported(x):
    from scipy.stats import norm as inside

    return inside(loc=1.0, scale=2.0).logpdf(x=x)


@pytest.mark.parametrize("function", [
    lambda x: stats.norm.logpdf(x, 1.0, 2.0),
    lambda x: norm.logpdf(x=x, scale=2.0, loc=1),
    lambda x: LOG_DENSITY(x, loc=1.0, scale=2.0),
    lambda x: GAUSS.logpdf(x),
    lambda x: IN_A_LIST[0].logpdf(x),
    lambda x: norm(x, 2.0).logpdf(1.0),
    functools.partial(norm.logpdf, loc=1.0, scale=2.0),
    GAUSS.logpdf,
    Model().log_density,
    imported,
    lambda x: stats.multivariate_normal.logpdf(x, 1.0, 4.0),
])  # fmt: skip
def test_however_it_is_reached_it_is_the_distribution(function):
    assert check_gradient(function, (X,), vjp=lambda g, x: -g * (x - 1) / 4).verdict.name == "ACCURATE"
    assert check_gradient(function, (X,), vjp=lambda g, x: -g * (x - 1) / 2).verdict.name == "WRONG"


def test_what_held_distributions_holds_them_again():
    model, given = Model(), (GAUSS, LOG_DENSITY, IN_A_LIST[0], Model.prior)
    check_gradient(
        lambda x: model.log_density(x) + GAUSS.logpdf(x) + IN_A_LIST[0].pdf(x), (X,), vjp=np.multiply
    )
    assert (model.made, model.kind) == (None, stats.norm)
    assert (GAUSS, LOG_DENSITY, IN_A_LIST[0], Model.prior) == given


DATA, COV = np.array([[0.1, 0.2], [1.0, -1.0], [0.5, 0.75]]), np.array([[2.0, 0.3], [0.3, 1.0]])


@pytest.mark.parametrize(("function", "points"), [
    (lambda x, m, c: stats.multivariate_normal.logpdf(x, m, c), (DATA, X[:2], COV)),
    (lambda x, m, c: stats.multivariate_normal(m, c).pdf(x), (DATA, X[:2], COV)),
    (lambda x, m, c: stats.multivariate_normal(cov=c, mean=m).logpdf(x), (DATA[0], X[:2], P[1:])),
    (lambda x, m, c: stats.multivariate_normal.logpdf(x, m, c), (X, np.array(0.25), np.array(1.75))),
    (lambda x, c: stats.multivariate_normal.logpdf(x, cov=c), (DATA, COV)),
])  # fmt: skip
def test_multivariate_densities(function, points):
    recording = record(function, points, {})
    (found,) = evaluate(recording.program, recording.values, BITS)
    np.testing.assert_allclose(middle(found), function(*points), rtol=1e-12)
    forward, backward, difference = slopes(function, points)
    with precision(BITS):
        assert forward.overlaps(backward)
        assert abs(difference - forward) < 1e-18 * (1 + abs(forward))


@pytest.mark.parametrize(("function", "message"), [
    (lambda x: stats.alpha.logpdf(abs(x), 0.5), "alpha.logpdf of values that .* has no rule"),
    (lambda x: stats.genextreme.logpdf(x, x - x), "a recorded shape that is 0"),
    (lambda x: norm(x, 1.0).expect(np.square), "norm.expect of values that depend on the inputs has no rule"),
    (lambda x: norm(x, 1.0).args[0], "norm.args"),
    (lambda x: NARROW.pdf(x), "norm.pdf"),
    (lambda x: stats.poisson(np.exp(x)).ppf(0.5), "poisson.ppf"),
    (lambda x: stats.multivariate_normal(x[:2], COV).cdf(DATA), "multivariate_normal.cdf"),
    (lambda x: stats.multivariate_normal.pdf(x, X, np.eye(3), allow_singular=True), "allow_singular"),
    (lambda x: stats.beta.cdf(0.5, np.exp(x), 2.0), "beta_lower has no rule for the derivative"),
])  # fmt: skip
def test_what_is_refused_is_named(function, message):
    with pytest.raises(Unsupported, match=message):
        slopes(function, (X,))


def test_a_digit_beyond_numpy_s_pi_is_known():
    recording = record(norm.pdf, (np.array(0.0),), {})
    (found,) = evaluate(recording.program, recording.values, BITS)
    with precision(BITS):
        pi = 1 / (2 * found[()] ** 2)
        assert abs(pi - pi.pi()) < 1e-70


# -- truncated ---------------------------------------------------------------------------------------------

ENDS = {
    "both": (0.25, 2.0),
    "low": (0.25, np.inf),
    "high": (-np.inf, 2.0),
    "far": (9, 11),
    "left": (-12, -9.5),
}


def truncated(ends, forgets):
    """The loss of some numbers between two ends, and its gradient; one that forgets how the ends move."""
    middle = {(9, 11): 10.0, (-12, -9.5): -10.0}.get(ends, 0.875)
    data = middle + np.array([-0.5, -0.125, 0.375])

    def placed(loc, scale):
        return [(end - loc) / scale for end in ends]

    def loss(loc, scale):
        return -np.sum(stats.truncnorm.logpdf(data, *placed(loc, scale), loc=loc, scale=scale))

    def gradient(loc, scale):
        a, b = placed(loc, scale)
        at = a if np.isfinite(a) else b
        log_mass = norm.logpdf(at) - stats.truncnorm.logpdf(at, a, b)
        at_a, at_b = (np.exp(norm.logpdf(end) - log_mass) for end in (a, b))
        moved_a, moved_b = (0.0 if np.isinf(end) or forgets else end for end in (a, b))
        y, n = (data - loc) / scale, len(data)
        in_scale = np.sum(1 - y**2) + n * (moved_a * at_a - moved_b * at_b)
        return (n * (at_a - at_b) - np.sum(y)) / scale, in_scale / scale

    return loss, gradient


@pytest.mark.parametrize("forgets", [False, True])
@pytest.mark.parametrize("ends", ENDS.values(), ids=ENDS)
def test_a_likelihood_of_truncated_numbers_is_differentiated_in_the_ends_too(ends, forgets):
    """The ends move with loc and scale, as SciPy's documentation says how to place them."""
    loss, gradient = truncated(ends, forgets)
    found = check_gradient(loss, (np.array(0.5), np.array(1.25)), grad=gradient)
    assert found.verdict.name in ({"WRONG", "MISCOMPUTED"} if forgets else {"ACCURATE"})


def test_outside_of_moving_ends_there_is_no_density():
    points = np.array([-1.0, 0.5, 3.0]), np.array(0.25), np.array(2.0)
    recording = record(lambda x, a, b: stats.truncnorm.pdf(x, a, b), points, {})
    (balls,) = evaluate(recording.program, recording.values, BITS)
    np.testing.assert_allclose(middle(balls), stats.truncnorm.pdf(*points), rtol=1e-12)


# -- extreme values ----------------------------------------------------------------------------------------

AROUND = np.array([-4.5, -0.75, 0.25, 0.625, 4.5])  # of these, some are outside of the support


@pytest.mark.parametrize("name", ["genpareto", "genextreme"])
@pytest.mark.parametrize("c", [0.375, -0.375, 0.0])
def test_extreme_values_inside_and_outside_of_a_support_that_moves(name, c):
    distribution = getattr(stats, name)
    recording = record(
        lambda x: tuple(getattr(distribution, method)(x, c) for method in OUTSIDE), (AROUND,), {}
    )
    found = evaluate(recording.program, recording.values, BITS)
    for method, balls in zip(OUTSIDE, found, strict=True):
        np.testing.assert_allclose(middle(balls), getattr(distribution, method)(AROUND, c), rtol=1e-12)


@pytest.mark.parametrize("forgets", [False, True])
@pytest.mark.parametrize("c", [0.375, -0.375])
def test_a_likelihood_of_exceedances_is_differentiated_in_its_shape(c, forgets):
    y = np.array([0.25, 0.5, 1.75])

    def loss(c, scale):
        return -stats.genpareto.logpdf(y, c, scale=scale).sum()

    def gradient(c, scale):
        z = y / scale
        inner = z / (1 + c * z)
        in_shape = (1 + 1 / c) * inner - (0 if forgets else np.log1p(c * z) / c**2)
        return in_shape.sum(), ((1 - (1 + c) * inner) / scale).sum()

    found = check_gradient(loss, (np.array(c), np.array(1.25)), grad=gradient)
    assert found.verdict.name == ("WRONG" if forgets else "ACCURATE")
