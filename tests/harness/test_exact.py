"""The door: one function for NumPy, JAX and PyTorch code, and a clear error for what it cannot answer."""

from __future__ import annotations

import array
import time

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
import torch

import harness
from harness.exact import exact_gradient, exact_value
from oracles.exact.core import library

X = np.array([[0.3, -1.2, 2.0], [0.7, 0.1, -0.4]])
C = np.array([[1.0, -0.5, 0.25], [0.5, 2.0, -1.0]])


def np_softmax(x):
    e = np.exp(x - np.max(x, axis=-1, keepdims=True))
    return e / np.sum(e, axis=-1, keepdims=True)


def true_softmax_gradient() -> list[list[mpmath.mpf]]:
    rows = []
    with mpmath.workdps(60):
        for x, g in zip(X, C, strict=True):
            e = [mpmath.exp(mpmath.mpf(v)) for v in x]
            y = [v / sum(e) for v in e]
            along = sum(mpmath.mpf(a) * b for a, b in zip(g, y, strict=True))
            rows.append([a * (mpmath.mpf(b) - along) for a, b in zip(y, g, strict=True)])
    return rows


FUNCTIONS = {
    "numpy": (np_softmax, np.array),
    "jax": (lambda x: jax.nn.softmax(x, axis=-1), np.array),
    "torch": (lambda x: torch.softmax(x, dim=-1), torch.tensor),
}


@pytest.mark.parametrize("framework", FUNCTIONS)
def test_the_three_front_ends_give_the_closed_form(framework):
    function, array = FUNCTIONS[framework]
    found = exact_gradient(function, (array(X),), cotangent=C, framework=framework)
    for index, true in np.ndenumerate(np.array(true_softmax_gradient(), object)):
        with mpmath.workdps(60):
            assert abs(mpmath.mpf(found.digits(index, 30)) - true) < abs(true) * mpmath.mpf("1e-28")


@pytest.mark.parametrize("x64", [False, True])
def test_the_tail_of_sigmoid_whatever_the_users_x64_setting(x64):
    with jax.enable_x64(x64):
        found = exact_gradient(jax.nn.sigmoid, (np.float64(40.7),), framework="jax")
        assert jax.config.jax_enable_x64 is x64
    assert found.digits((), 20) == "2.1096702884774950491e-18"


@pytest.mark.parametrize(
    ("function", "point"),
    [
        (jax.scipy.special.digamma, np.float64(-9.3)),
        (torch.special.digamma, torch.tensor(-9.3, dtype=torch.float64)),
    ],
)
def test_digamma_at_minus_9_3_whatever_the_framework_returns(function, point):
    found = exact_gradient(function, (point,), framework="jax" if isinstance(point, float) else None)
    with mpmath.workdps(50):
        true = mpmath.polygamma(1, mpmath.mpf(-9.3))
        assert abs(mpmath.mpf(found.digits((), 30)) - true) < mpmath.mpf(10) ** -27
    assert found.proven_digits[()] >= 30


def test_sinc_close_to_its_removable_singularity():
    found = exact_gradient(jnp.sinc, (np.float64(1e-9),), framework="jax")
    assert found.digits((), 9) == "-3.28986813e-9"


def test_expi_is_its_definition_and_not_its_approximation():
    found = exact_gradient(jax.scipy.special.expi, (np.float64(3.0),), framework="jax")
    with mpmath.workdps(40):
        assert found.digits((), 30) == mpmath.nstr(mpmath.exp(3) / 3, 30)


def test_a_torch_model_goes_through_unchanged():
    torch.manual_seed(0)
    model = torch.nn.Sequential(
        torch.nn.Linear(4, 8), torch.nn.LayerNorm(8), torch.nn.GELU(), torch.nn.Linear(8, 3)
    ).double()
    x = torch.randn(5, 4, dtype=torch.float64, requires_grad=True)
    target = torch.tensor([0, 2, 1, 1, 0])

    def loss(x):
        return torch.nn.functional.cross_entropy(model(x), target)

    (expected,) = torch.autograd.grad(loss(x), x)
    found = exact_gradient(loss, (x.detach(),))
    assert np.allclose(found.mid, expected.numpy(), rtol=1e-12, atol=1e-15)
    assert found.proven_digits.min() > 25


def test_the_value_is_enclosed_too():
    assert np.allclose(exact_value(np_softmax, (X,)).mid, np_softmax(X), rtol=1e-15)


def test_forward_mode_has_no_slope_of_0_where_the_tangent_of_x_squared_is_lost():
    """|x| as sqrt(x^2): the tangent 2 x is 0, and the slope of sqrt is infinite."""
    forward = exact_gradient(lambda x: np.sqrt(x * x), (np.zeros(1),), mode="forward", tangents=np.ones(1))
    assert forward.contains([0.999])
    assert forward.contains([-0.999])
    assert not forward.contains([1.001])


def test_forward_mode_gives_the_derivative_along_the_tangents():
    forward = exact_gradient(np_softmax, (X,), mode="forward", tangents=[C])
    reverse = exact_gradient(np_softmax, (X,), cotangent=C)
    # The Jacobian of softmax is symmetric.
    assert all(a.overlaps(b) for a, b in zip(forward.balls.ravel(), reverse.balls.ravel(), strict=True))


@pytest.mark.parametrize(("order", "true"), [(1, "e^0.5"), (2, "e^0.5 d"), (3, "e^0.5 d e")])
def test_higher_orders_are_gradients_of_gradients(order, true):
    directions = [np.ones(()), [np.array(2.0)], [np.array(-3.0)]][:order]
    cotangent = directions[0] if order == 1 else directions
    found = exact_gradient(np.exp, (np.array(0.5),), cotangent=cotangent, order=order)
    scale = {1: 1.0, 2: 2.0, 3: -6.0}[order]
    with mpmath.workdps(40):
        assert abs(mpmath.mpf(found.digits((), 30)) - scale * mpmath.exp(0.5)) < 1e-25


def test_a_scalar_output_needs_no_cotangent_and_others_get_a_seeded_one():
    first = exact_gradient(np_softmax, (X,), seed=1)
    again = exact_gradient(np_softmax, (X,), seed=1)
    other = exact_gradient(np_softmax, (X,), seed=2)
    assert np.array_equal(first.mid, again.mid)
    assert not np.array_equal(first.mid, other.mid)


def test_argnums_choose_the_arguments():
    def product(x, y):
        return np.sum(x * y)

    both = exact_gradient(product, (X, C))
    assert isinstance(both, tuple)
    assert np.array_equal(both[0].mid, C)
    assert np.array_equal(exact_gradient(product, (X, C), argnums=1).mid, X)
    with pytest.raises(ValueError, match="got 2, and the function has 2 arguments"):
        exact_gradient(product, (X, C), argnums=2)


def test_float32_inputs_are_exactly_the_numbers_they_are():
    point = np.float32(0.1)
    found = exact_value(lambda x: x + 0.0, (point,))
    assert found.contains(np.float64(point))
    assert not found.contains(0.1)


def test_literals_are_taken_as_written():
    assert exact_value(lambda x: x * 0.1, (np.float64(1.0),)).contains(0.1)


def test_a_kink_is_said_and_holds_every_legal_slope():
    found = exact_gradient(lambda x: np.maximum(x, 0.0), (np.array([0.0, 1.0]),), cotangent=np.ones(2))
    assert found.kinks
    assert found.contains([0.5, 1.0]).all()


def test_a_smooth_function_written_in_two_halves_has_one_slope_where_they_meet():
    import reference

    found = exact_gradient(reference.sigmoid, (np.zeros(3),), cotangent=np.ones(3))
    assert not found.kinks
    assert found.contains(np.full(3, 0.25)).all()
    assert found.proven_digits.min() > 30


@pytest.mark.parametrize(
    ("problem", "call"),
    [
        ("mode must be .* got 'sideways'", lambda: exact_gradient(np.exp, (X,), mode="sideways")),
        ("order must be .* got 4", lambda: exact_gradient(np.exp, (X,), order=4)),
        (
            "bits, the starting precision, must be an integer >= 32, got 8",
            lambda: exact_gradient(np.exp, (X,), bits=8),
        ),
        ("framework must be .* got 'theano'", lambda: exact_gradient(np.exp, (X,), framework="theano")),
        ("args must be a tuple of arguments, got an ndarray", lambda: exact_gradient(np.exp, X)),
        (
            r"cotangent must have shape \(2, 3\), got \(3,\)",
            lambda: exact_gradient(np.exp, (X,), cotangent=np.ones(3)),
        ),
        (
            "an argument must be an array of .*, got int64",
            lambda: exact_gradient(np.exp, (np.array([1, 2]),)),
        ),
    ],
)
def test_a_wrong_argument_is_named_with_what_is_allowed(problem, call):
    with pytest.raises(ValueError, match=problem):
        call()


@pytest.mark.parametrize(
    ("problem", "function", "point"),
    [
        ("nan", np.exp, np.array([1.0, np.nan])),
        ("inf", np.exp, np.array([np.inf])),
        ("has no gradient", np.argmax, X),
        ("random", lambda x: x * np.random.default_rng().normal(), X),
        ("object", np.exp, np.array([object()])),
    ],
)
def test_what_has_no_exact_gradient_is_said(problem, function, point):
    with pytest.raises((harness.ExactError, ValueError), match=problem):
        exact_gradient(function, (point,))


def test_a_value_that_leaves_the_balls_is_an_error_that_says_where():
    def leaks(x):
        return x * array.array("d", x[0, :1])[0]

    with pytest.raises(harness.Unsupported, match=r"float.*test_exact\.py"):
        exact_gradient(leaks, (X,))


def test_compiled_library_code_is_named():
    from scipy.special import itj0y0

    with pytest.raises(harness.Unsupported, match="itj0y0"):
        exact_gradient(itj0y0, (X,))


def test_a_function_that_overwrites_its_input_is_an_error():
    def overwrites(x):
        x[0] = 0.0
        return x

    with pytest.raises(harness.ExactError, match="writes into argument 0"):
        exact_gradient(overwrites, (X.copy(),))


@pytest.mark.parametrize("framework", FUNCTIONS)
@pytest.mark.parametrize(("digits", "quick"), [(1, True), (18, True), (19, False), (60, False)])
def test_so_many_digits_are_proven(framework, digits, quick):
    function, array = FUNCTIONS[framework]
    found = exact_gradient(function, (array(X),), cotangent=C, framework=framework, digits=digits)
    assert bool(found.pairs) is (quick and not library.problem())
    assert (found.proven_digits >= digits).all()
    value = exact_value(function, (array(X),), framework=framework, digits=digits)
    assert (value.proven_digits >= digits).all()


def test_where_a_hundred_bits_do_not_prove_the_digits_more_are_taken():
    found = exact_gradient(lambda x: np.sin(x) - np.sin(x + 1e-16) + 0 * x, (np.array([1e-3]),), digits=18)
    assert (found.proven_digits >= 18).all()


@pytest.mark.parametrize("digits", [0, -3, 1.5, "many"])
def test_digits_that_are_no_number_of_digits(digits):
    with pytest.raises(ValueError, match=r"digits must be an integer >= 1, got "):
        exact_gradient(np.sin, (X,), digits=digits)


@pytest.mark.parametrize("asked", [{"digits": 10**6}, {"digits": 10**7}, {"bits": 10**8}], ids=str)
@pytest.mark.parametrize("door", [exact_gradient, exact_value])
def test_digits_that_are_more_work_than_the_seconds_are_not_begun(door, asked):
    begun = time.monotonic()
    with pytest.raises(harness.Undecided, match=r"out of work at equation 0 of .*; raise seconds=\)"):
        door(np.sin, (X,), seconds=0.5, **asked)
    assert time.monotonic() - begun < 5


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"digits": 10**400}, r"digits must be an integer <= 100000000, got 10\^400"),
        ({"bits": 10**400}, r"bits, the starting precision, must be an integer <= 1073741824, got 10\^400"),
    ],
)
def test_digits_that_no_memory_holds_are_refused(asked, said):
    with pytest.raises(ValueError, match=said):
        exact_gradient(np.sin, (X,), **asked)
