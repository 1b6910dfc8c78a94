"""Bessel functions and erfcx, through each front end, against mpmath and what the libraries compute."""

from __future__ import annotations

import flint
import jax
import mpmath
import numpy as np
import pytest
import scipy.special
import torch
from flint import arb

from harness import check_gradient, exact_gradient
from harness.verdicts import Verdict
from oracles.exact.core.library import without
from oracles.exact.enclose.evaluate import evaluate
from oracles.exact.from_aten import record as record_aten
from oracles.exact.from_jaxpr import record as record_jax
from oracles.exact.from_jaxpr.rules.definitions import DEFINITIONS, Definition
from oracles.exact.from_numpy import record as record_numpy
from oracles.exact.program import functions as fn
from oracles.exact.program import series
from oracles.exact.program.balls import precision
from oracles.exact.program.derive import vjp
from oracles.exact.program.scalars import SCALARS
from oracles.exact.program.series import hurwitz_zeta, hurwitz_zeta_mixed, spence
from oracles.exact.rounding.bound import ROUNDING_MODELS, bound
from tests.sampling import long

ZERO = 2.404825557695773  # of J0, rounded
POINTS = np.array([-30.5, -1.3, 0.0, 0.7, ZERO, 51.0, 900.0])
AROUND_0 = np.array([-2.0, 0.0, 0.3, 5.0, 20.0, 1e3])
AROUND_1 = np.array([1e-9, 0.3, 1.0, 1.0 + 2.0**-40, 7.5])
SLOPES = {
    "j0": lambda x: -mpmath.besselj(1, x),
    "j1": lambda x: mpmath.besselj(1, x, derivative=1),
    "spence": lambda x: mpmath.log(x) / (1 - x) if x != 1 else mpmath.mpf(-1),
    "erfcx": lambda x: 2 * x * mpmath.exp(x * x) * mpmath.erfc(x) - 2 / mpmath.sqrt(mpmath.pi),
}


def slopes(recording, points):
    program = vjp(recording.program, [0])
    (found,) = evaluate(program, [points, np.ones(points.shape)], 200)
    return found.ravel().tolist()


def assert_is_the_slope(name, balls, points):
    for ball, x in zip(balls, points.tolist(), strict=True):
        with mpmath.workdps(60):
            true = SLOPES[name](mpmath.mpf(x))
            ours = mpmath.mpf(ball.mid().str(55, radius=False))
            assert abs(ours - true) <= mpmath.mpf(10) ** -45 * max(1, abs(true)), (name, x)


@pytest.mark.parametrize("name", SLOPES)
def test_scipy_s_functions_have_the_slopes_of_mpmath(name):
    points = {"erfcx": AROUND_0, "spence": AROUND_1}.get(name, POINTS)
    assert_is_the_slope(name, slopes(record_numpy(getattr(scipy.special, name), (points,)), points), points)


def test_erfcx_is_one_function_in_all_front_ends():
    points = AROUND_0
    leaf = torch.tensor(points, requires_grad=True)
    assert_is_the_slope("erfcx", slopes(record_aten(torch.special.erfcx, (leaf,), {}), points), points)
    with jax.enable_x64(True):
        recording = record_jax(jax.scipy.special.erfcx, (jax.numpy.asarray(points),), {})
    assert_is_the_slope("erfcx", slopes(recording, points), points)


def test_jax_s_recurrence_for_j1_has_its_slope_to_many_digits():
    """`bessel_jn` is coded as a recurrence of fifty steps, which is what is recorded."""
    points = np.array([0.7, 1.3, ZERO])
    with jax.enable_x64(True):
        recording = record_jax(
            lambda x: jax.scipy.special.bessel_jn(x, v=1)[1], (jax.numpy.asarray(points),), {}
        )
    for ball, x in zip(slopes(recording, points), points.tolist(), strict=True):
        assert abs(float(ball.mid()) - float(SLOPES["j1"](x))) < 1e-14


@pytest.mark.parametrize("name", ["j0", "j1"])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_the_bound_holds_what_scipy_computes_at_zeros_and_far_out(name, dtype):
    function = getattr(scipy.special, name)
    x = np.concatenate([POINTS, np.linspace(ZERO - 1e-3, ZERO + 1e-3, 40), np.linspace(20, 5e4, 200)]).astype(
        dtype
    )
    (balls,) = bound(record_numpy(function, (x,)).program, [x], ROUNDING_MODELS["numpy"]).balls
    assert all(ball.contains(float(c)) for ball, c in zip(balls.tolist(), function(x), strict=True))
    near = balls[POINTS.size].rad()
    assert float(near) < 40 * np.finfo(dtype).eps  # and no more than that is granted


@pytest.mark.parametrize("x", [POINTS, POINTS.astype("float32")], ids=["float64", "float32"])
def test_a_hand_written_slope_is_accurate_at_a_zero_too(x):
    found = check_gradient(scipy.special.j0, (x,), vjp=lambda g, x: -g * scipy.special.j1(x))
    assert found.passed, str(found)
    wrong = check_gradient(scipy.special.j0, (x,), vjp=lambda g, x: g * scipy.special.j1(x))
    assert not wrong.passed


@pytest.mark.parametrize("name", ["bessel_j0", "bessel_j1"])
def test_torch_has_no_gradient_of_them_and_the_row_says_so(name):
    function = getattr(torch.special, name)
    found = check_gradient(lambda x: x * function(x), (torch.tensor([0.5, 2.0], dtype=torch.float64),))
    assert found.verdict == "unsupported"
    assert f"torch gives no gradient through aten.special_{name}" in str(found)


@pytest.mark.parametrize("name", ["bessel_j0", "bessel_j1"])
def test_torch_s_value_is_proven_and_its_float32_is_inside_the_bound(name):
    x = torch.linspace(-40, 200, 300)
    function = getattr(torch.special, name)

    class Own(torch.autograd.Function):  # a forward of one's own is differentiated, whatever autograd knows
        @staticmethod
        def forward(ctx, x):
            return function(x)

    program = record_aten(Own.apply, (x.clone().requires_grad_(),), {}).program
    (balls,) = bound(program, [x.numpy()], ROUNDING_MODELS["torch"]).balls
    assert all(b.contains(float(c)) for b, c in zip(balls.tolist(), function(x).numpy(), strict=True))


@pytest.mark.parametrize("order", [0, 1, 2, 3])
def test_the_coefficients_of_spence_are_those_of_mpmath(order):
    for x in AROUND_1[1:].tolist():
        with mpmath.workdps(40), precision(200):
            true = mpmath.taylor(lambda v: mpmath.polylog(2, 1 - v), mpmath.mpf(x), order)[order]
            assert mpmath.almosteq(mpmath.mpf(spence(arb(x), order)[order].mid().str(40, radius=False)), true)


@pytest.mark.parametrize("x", ["1e-300", "1e-20", "0.499", "2.001", "1e20", "1e300"])
def test_the_slopes_of_spence_keep_their_digits_far_from_1(x):
    """Of 2F1, by which they are known near 1, 20 digits were lost at 1e-20, in 0.6 s."""
    with precision(128), mpmath.workdps(50):
        found = spence(arb(x), 2)
        assert all(ball.rel_accuracy_bits() > 110 for ball in found)
        at = mpmath.mpf(x)
        first = mpmath.log(at) / (1 - at)
        true = [first, (1 / at + first) / (1 - at) / 2]
        for ball, slope in zip(found[1:], true, strict=True):
            assert mpmath.almosteq(mpmath.mpf(ball.mid().str(45, radius=False)), slope, rel_eps=1e-30)


@pytest.mark.parametrize(("s", "q"), [(150.0, 0.5), (300.0, 0.01), (1e4, 2.0), (1e19, 3.0)])
def test_zeta_is_its_first_term_where_the_others_are_negligible(s, q):
    """Overlaps with Arb's sum, in value and slope along q and along s."""
    with precision(128):
        for along in range(3):
            flint.ctx.cap = along + 1
            moved = flint.arb_series([s, 1], along + 1)
            value, slope = moved.zeta(q)[along], (-moved * (moved + 1).zeta(q))[along]
            for ball, true in zip(
                hurwitz_zeta_mixed(arb(q), 1, arb(s), along=along), (value, slope), strict=True
            ):
                assert ball.overlaps(true)
                assert ball.rel_accuracy_bits() > 100


def test_zeta_of_a_huge_s_is_known_or_not_asked():
    """Arb took minutes at 4096 bits, and knew nothing."""
    with precision(4096):
        assert all(ball.rel_accuracy_bits() > 3000 for ball in hurwitz_zeta(arb("0.57"), 1, arb(2.0**512)))
        assert not any(ball.is_finite() for ball in hurwitz_zeta(arb("1e160"), 1, arb(2.0**512)))


@pytest.mark.parametrize(("name", "points"), [("ndtri", [0.3, 0.02, 0.999]), ("spence", [0.3, 0.75, 5.0])])
def test_what_jax_codes_as_an_approximation_is_the_function(name, points):
    """Cephes' rational approximations, which leave no name in a trace, are 1e-16 off the function."""
    true = {"spence": SLOPES["spence"], "ndtri": lambda p: 1 / mpmath.npdf(normal_quantile(p))}[name]
    function = getattr(jax.scipy.special, name)
    with jax.enable_x64(True), mpmath.workdps(40):
        ones = jax.numpy.ones(len(points))
        found = exact_gradient(function, (jax.numpy.asarray(points),), cotangent=ones).balls.tolist()
        for ball, x in zip(found, points, strict=True):
            assert mpmath.almosteq(
                mpmath.mpf(ball.mid().str(35, radius=False)), true(mpmath.mpf(x)), rel_eps=1e-30
            )
        result = check_gradient(function, (jax.numpy.asarray(points),))
    assert result.verdict is Verdict.ACCURATE
    assert jax._src.scipy.special._spence.__class__.__name__ == "function"  # as it was


def multiplied(function, factor):
    """The function, in whose gradient there is a factor too many."""

    @jax.custom_vjp
    def same(x):
        return x

    same.defvjp(lambda x: (x, None), lambda _, g: (g * factor,))
    return lambda x: same(function(x))


@long
def test_the_derivative_of_jax_s_code_of_a_function_is_right_where_rounding_hides_the_difference():
    ndtri = jax.scipy.special.ndtri
    with jax.enable_x64(True):
        p = jax.numpy.asarray([0.09634162])  # there the code is an ulp off
        result = check_gradient(ndtri, (p,), probes=False)
        assert result.verdict is Verdict.ACCURATE
        assert any("the formula differs from the derivative by a relative 9.5e-17" in n for n in result.notes)
        assert check_gradient(ndtri, (p,), probes=False, resolution="exact").verdict is Verdict.WRONG
        wrong = check_gradient(multiplied(ndtri, 1 + 2.0**-49), (p,), probes=False)
        assert wrong.verdict is Verdict.WRONG


def test_the_derivative_of_a_worse_approximation_is_wrong(monkeypatch):
    """The code may be off what it stands for by what its own rounding may be, and no more."""
    other = Definition(1, 1, lambda call, p: fn.ndtri(p) * (1.0 + 1e-12))
    monkeypatch.setitem(DEFINITIONS, "special._ndtri", other)
    with jax.enable_x64(True):
        result = check_gradient(jax.scipy.special.ndtri, (jax.numpy.asarray([0.3]),), probes=False)
    assert result.verdict is Verdict.WRONG


def normal_quantile(p):
    return -mpmath.sqrt(2) * mpmath.erfinv(1 - 2 * p)


@pytest.mark.parametrize(("x", "computed"), [(1.5, "not a number"), (1.0, "0")])
def test_jax_s_own_slope_of_spence_is_no_number_between_1_and_2(x, computed):
    """Its branches are chosen after log(1 - x) was differentiated; at 1 the constant 0 was."""
    with jax.enable_x64(True):
        result = check_gradient(jax.scipy.special.spence, (jax.numpy.asarray([x]),))
    assert not result.passed
    assert result.verdict in {Verdict.MISCOMPUTED, Verdict.WRONG}
    assert computed in str(result)


@pytest.mark.parametrize("order", [0, 1])
def test_the_order_of_polygamma_is_an_integer_in_its_derivatives_too(order):
    """JAX adds 1 to it for each, in the dtype of x: rounded, it was none, and nothing was proven."""
    result = check_gradient(
        lambda x: jax.scipy.special.polygamma(order, x), (jax.numpy.asarray([0.7, 2.3]),), probes=False
    )
    assert result.verdict is Verdict.ACCURATE


def test_only_sums_of_small_integers_are_exact():
    def radius(x, y):
        program = record_numpy(lambda a, b: a + b, (np.array([x]), np.array([y])), {}).program
        with without():  # the core, which knows no polygamma
            (balls,) = bound(program, [np.array([x]), np.array([y])], ROUNDING_MODELS["numpy"]).balls
        return float(balls[0].rad())

    assert radius(2.0, 1.0) == radius(-64.0, 64.0) == 0
    assert radius(2.5, 1.0) > 0
    assert radius(65.0, 1.0) > 0


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_between_poles_the_terms_of_polygamma_cancel(dtype):
    """psi_2 near -1.5 is a difference of terms of 16: what torch computes is as near as these allow."""
    x = torch.tensor([-1.4987845], dtype=getattr(torch, dtype), requires_grad=True)
    found = check_gradient(
        lambda x: torch.special.polygamma(1, x), (x,), cotangent=torch.ones_like(x), probes=False
    )
    assert found.verdict is Verdict.ACCURATE
    with mpmath.workdps(40):
        true = mpmath.psi(2, mpmath.mpf(x.item()))
    unit = np.finfo(dtype).eps / 2
    assert found.worst.error_ulp > 500  # of the small difference
    assert abs(found.worst.computed - float(true)) < 16 * unit


@pytest.mark.parametrize(
    ("a", "x"), [(700, 300), (127.5, 127.5), (5000, 4500), (5000, 5000.25), (1e6, 0.98e6)]
)
def test_incomplete_gamma_where_arb_subtracts_numbers_that_are_alike(a: float, x: float) -> None:
    """Arb's own finds none of its digits there, or takes half a second."""
    with precision(128):
        found = SCALARS["gamma_lower"].taylor(arb(x), 1, arb(a))
    assert all(one.rel_accuracy_bits() > 100 for one in found)
    with mpmath.workdps(60):
        value = mpmath.gammainc(a, 0, x, regularized=True)
        slope = mpmath.exp((a - 1) * mpmath.log(x) - x - mpmath.loggamma(a))
        for one, want in zip(found, (value, slope), strict=True):
            assert abs(mpmath.mpf(one.mid().str(50, radius=False)) / want - 1) < 1e-25


@pytest.mark.parametrize(("a", "x"), [(0.5, 1e-3), (1, 3), (2.5, 40), (40, 2.5), (300, 310)])
@pytest.mark.parametrize("along", [1, 2])
def test_incomplete_gamma_in_its_parameter(a: float, x: float, along: int) -> None:
    with mpmath.workdps(60):
        want = mpmath.taylor(lambda e: mpmath.gammainc(a + e, 0, x, regularized=True), 0, 2)[along]
        (near,) = SCALARS["gamma_lower"].taylor(arb(x), 0, arb(a), along=along)
        assert abs(mpmath.mpf(near.mid().str(40, radius=False)) - want) < 1e-18 * (abs(want) + 1e-6)
        far = series._gamma_lower_far(arb(x), arb(a), along)
        assert far.contains(near)


def test_incomplete_gamma_far_away_and_at_its_ends() -> None:
    (far,) = SCALARS["gamma_lower"].taylor(arb(2) ** 20, 0, arb(3), along=1)
    assert far.contains(0)
    assert abs(far) < arb(2) ** -2000
    assert SCALARS["gamma_lower"].taylor(arb(0), 0, arb(3), along=1)[0].is_zero()
    assert not SCALARS["gamma_lower"].taylor(arb(1), 0, arb(-3), along=1)[0].is_finite()


@pytest.mark.parametrize("static", [{}, {"along": 1}])
def test_incomplete_gamma_of_wide_balls_ends_and_encloses(static: dict[str, int]) -> None:
    """The sum of a wide ball may contain 0, and all the terms that are left out are still small beside it."""
    of = SCALARS["gamma_lower"]
    for x, a in [(arb(3, 1), arb(0.5)), (arb(60, 30), arb(200, 50)), (arb(100, 99), arb(50, 10))]:
        (wide,) = of.taylor(x, 0, a, **static)
        (point,) = of.taylor(x.lower(), 0, a.upper(), **static)
        assert wide.overlaps(point)


@pytest.mark.parametrize(("a", "x"), [(127.5, 0.5), (300, 1e-12), (5000, 0.99)])
def test_the_inverse_of_an_incomplete_gamma_function_of_a_large_parameter(a: float, x: float) -> None:
    with precision(128):
        y, slope = SCALARS["gamma_lower_inverse"].taylor(arb(x), 1, arb(a))
    assert min(y.rel_accuracy_bits(), slope.rel_accuracy_bits()) > 90
    with mpmath.workdps(60):
        at = mpmath.mpf(y.mid().str(40, radius=False))
        want = 1 / mpmath.exp((a - 1) * mpmath.log(at) - at - mpmath.loggamma(a))
        assert abs(mpmath.gammainc(a, 0, at, regularized=True) / x - 1) < 1e-25
        assert abs(mpmath.mpf(slope.mid().str(40, radius=False)) / want - 1) < 1e-25
