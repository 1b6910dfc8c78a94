"""What a difference between two formulas must be to be `wrong`: one that matters (design, L2)."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.special
import torch
import torch.nn.functional as F
from flint import arb
from hypothesis import given, settings
from hypothesis import strategies as st

import harness
from harness.proof.nearness import within
from harness.verdicts import Verdict
from oracles.exact.core import library
from oracles.exact.enclose.enclosure import Enclosure
from oracles.exact.enclose.literals import BITS, mover, written
from oracles.exact.program.balls import precision
from tests.harness.proof.torch_functions import pulled
from tests.sampling import sample

DTYPES = ("float64", "float32", "float16", "bfloat16")
RIGHT = (Verdict.ACCURATE, Verdict.IMPRECISE)


def numbers(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def in_torch(array, dtype):
    return torch.tensor(array).to(getattr(torch, dtype))


def in_jax(array, dtype):
    return jnp.asarray(array, dtype)


# -- R1: half an ulp of the true value, in float32's ulps where the dtype is coarser -------------------------


def scaled(k):
    """A torch Function, whose gradient is off by a factor of 1 + 2^-k."""
    return pulled(torch.sin, lambda g, x: (g.double() * x.double().cos() * (1 + 2.0**-k)).to(x.dtype))


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_factor_that_the_format_resolves_is_wrong(dtype):
    finest = 50 if dtype == "float64" else 23
    result = harness.check_gradient(scaled(finest), (in_torch(numbers(4, 8), dtype),))
    assert result.verdict is Verdict.WRONG


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_a_factor_below_float32_is_none(dtype):
    x = in_torch(numbers(4, 8), dtype)
    result = harness.check_gradient(scaled(27), (x,))
    assert result.verdict is Verdict.ACCURATE
    assert any(
        "the formula differs from the derivative by a relative 7.5e-09" in note for note in result.notes
    )
    assert any("below what float32 resolves" in note for note in result.notes)
    assert harness.check_gradient(scaled(27), (x,), resolution="exact").verdict is Verdict.WRONG


def first_of_the_tied(k):
    """A sort, whose gradient is an end of what is legal at a tie, off by a factor of 1 + 2^-k."""

    def backward(g, x):
        order = x.argsort(stable=True)
        return torch.zeros_like(x).scatter(0, order, (g.double() * (1 + 2.0**-k)).to(x.dtype))

    return pulled(lambda x: x.sort(stable=True).values, backward)


@pytest.mark.parametrize("low", [-2.9, 0.1])
def test_the_ends_of_what_is_legal_are_resolved_as_they_are_and_not_as_their_middle(low):
    x, along = torch.tensor([1.0, 2.0, 1.0, 3.0]), torch.tensor([low, 3.0, 0.5, 0.25])
    verdicts = [harness.check_gradient(first_of_the_tied(k), (x,), cotangent=along).verdict for k in (25, 22)]
    assert verdicts == [Verdict.CONVENTION, Verdict.WRONG]


CORRECTLY_ROUNDED = {
    "softplus' = 1 above 40": (
        lambda x: np.log1p(np.exp(-np.abs(x))) + np.maximum(x, 0),
        lambda g, x: g * np.where(x > 40, 1.0, 1 / (1 + np.exp(-x))),
        [50.0, 1.0],
    ),
    "tanh' = 0 above 400": (
        np.tanh,
        lambda g, x: g * np.where(np.abs(x) > 400, 0.0, 1 - np.tanh(x) ** 2),
        [401.0, 0.5],
    ),
    "a guarded quotient": (np.log, lambda g, x: g / (x + 1e-30), [0.5, 3.0]),
    "three terms of expm1(x)/x": (
        lambda x: np.expm1(x) / x,
        lambda g, x: g * (0.5 + x / 3 + x * x / 8),
        [1e-8, -3e-9],
    ),
}


@pytest.mark.parametrize("name", CORRECTLY_ROUNDED)
def test_a_shortcut_whose_value_is_correctly_rounded_is_right(name):
    function, backward, x = CORRECTLY_ROUNDED[name]
    with library.without():  # whose hundred bits may not tell them apart
        result = harness.check_gradient(function, (np.array(x),), vjp=backward)
    assert "below what float64 resolves" in str(result) or "changes no bit" in str(result)
    for found in (result, harness.check_gradient(function, (np.array(x),), vjp=backward)):
        assert found.verdict is Verdict.ACCURATE, found


def test_a_clipped_tail_of_another_size_is_wrong():
    """Clipped at 700, sigmoid' at -800 is 1e-304, and the truth 5e-348: C is 43 decades off."""

    def backward(g, x):
        s = 1 / (1 + np.exp(-np.clip(x, -700, 700)))
        return g * s * (1 - s)

    with np.errstate(over="ignore"):
        result = harness.check_gradient(lambda x: 1 / (1 + np.exp(-x)), (np.array([-800.0]),), vjp=backward)
    assert result.verdict is Verdict.WRONG


# -- R2: written digits --------------------------------------------------------------------------------------


def literal(text, dtype="float64"):
    with precision(BITS):
        return written(arb(float(text)), dtype)


@settings(derandomize=True)
@given(st.integers(1_000_000, 99_999_999), st.integers(-9, -1))
def test_a_literal_is_what_rounds_to_it_in_its_last_digit(digits, exponent):
    if digits % 10 in {0, 9}:  # one of the two has fewer digits
        return
    with precision(BITS):
        value, step = arb(digits) * arb(10) ** exponent, arb(10) ** (exponent - 1)
        ball = literal(f"{digits}e{exponent}")
        if ball.is_exact():  # a short binary number, such as 1000000.5
            return
        assert ball.contains(value + arb("4.999") * step)
        assert not ball.contains(value + arb("5.001") * step)
        assert not ball.overlaps(literal(f"{digits + 1}e{exponent}")), "two last digits are two numbers"


@pytest.mark.parametrize("text", ["0.5", "3.0", "1000.0", "0.1", "3.1416", "0.707107", "1e10"])
def test_a_literal_of_fewer_digits_is_meant_as_it_is(text):
    assert float(literal(text).rad()) <= 4 * np.spacing(float(text))


def test_a_number_of_a_narrow_dtype_also_stands_for_its_shortest_decimal():
    with precision(BITS):
        tenth = arb(1) / 10
    assert literal(float(torch.tensor(0.1).bfloat16()), "bfloat16").contains(tenth)
    assert not literal(float(torch.tensor(0.1).bfloat16()), "bfloat16").contains(arb("0.101"))
    assert literal(float(np.float32(0.1)), "float32").contains(tenth)
    assert literal(0.75, "bfloat16").is_exact(), "a number of few bits is no rounded one"


def flash(base):
    def softmax(x):
        p = torch.exp2((x - x.max(-1, keepdim=True).values) * base)
        return p / p.sum(-1, keepdim=True)

    return softmax


def gelu_in_torch(c):
    return lambda x: 0.5 * x * (1 + torch.tanh(c * (x + 0.044715 * x**3)))


def gelu_in_jax(c):
    return lambda x: 0.5 * x * (1 + jnp.tanh(c * (x + 0.044715 * x**3)))


def tanh_gelu(x):
    return jax.nn.gelu(x, approximate=True)


SHORT_CONSTANTS = {
    "flash": (in_torch, flash(1.44269504), lambda x: torch.softmax(x, -1)),
    "Megatron": (in_torch, gelu_in_torch(0.79788456), lambda x: F.gelu(x, approximate="tanh")),
    "erf": (in_torch, lambda x: 0.5 * x * (1 + torch.erf(x * 0.70710678)), F.gelu),
    "jax": (in_jax, gelu_in_jax(0.79788456), tanh_gelu),
}


@pytest.mark.parametrize(
    ("name", "dtype"),  # JAX's in each dtype is compiled anew
    [(n, d) for n in SHORT_CONSTANTS for d in (sample(DTYPES, 2) if n == "jax" else DTYPES)],
)
def test_a_copied_constant_of_eight_digits_is_the_number_it_was_copied_from(name, dtype):
    convert, function, spec = SHORT_CONSTANTS[name]
    with jax.enable_x64(True):
        result = harness.check_gradient(function, (convert(numbers(4, 8), dtype),), spec=spec)
    assert result.verdict in RIGHT, result
    assert "wrong" not in str(result)


TYPOS = {
    "0.044716": lambda x: 0.5 * x * (1 + torch.tanh(0.7978845608028654 * (x + 0.044716 * x**3))),
    "another digit": gelu_in_torch(0.79788465),
    "two digits exchanged": gelu_in_torch(0.7978845608082654 - 1e-6),
    "3.1416": lambda x: 0.5 * x * (1 + torch.tanh((2 / 3.1416) ** 0.5 * (x + 0.044715 * x**3))),
    "six digits": gelu_in_torch(0.797885),
}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", TYPOS)
def test_a_mistyped_constant_is_wrong(name, dtype):
    x = in_torch(numbers(4, 8), dtype)
    result = harness.check_gradient(TYPOS[name], (x,), spec=lambda x: F.gelu(x, approximate="tanh"))
    assert result.verdict is Verdict.WRONG, result


def test_the_note_names_the_number_and_says_by_how_much():
    x = (in_torch(numbers(4, 8), "float64"),)
    result = harness.check_gradient(flash(1.44269504), x, spec=lambda x: torch.softmax(x, -1))
    (note,) = (n for n in result.notes if "last digits" in n)
    assert note.startswith("the formula differs from the derivative by ")
    assert " by a relative " in note
    assert note.endswith(": the last digits of 1.44269504 explain that")


# -- R3: data ------------------------------------------------------------------------------------------------


@settings(derandomize=True)
@given(st.integers(1, 50))
def test_equal_numbers_move_alike_and_short_ones_stay(seed):
    data = np.array([0.1, 0.5, 0.1, 1.0, 0.3])
    out = [float(b - arb(v)) for b, v in zip(mover(data, "float64")(seed), data, strict=True)]
    assert out[0] == out[2] != 0
    assert out[1] == out[3] == 0
    assert all(abs(d) == np.spacing(v) / 2 for d, v in zip(out, data, strict=True) if d)


def test_a_mask_with_infinite_numbers_stays():
    mask = np.array([0.1, -np.inf])
    assert mover(mask, "float64")(1) is mask


def smoothed(p, x):
    """Cross entropy with smoothed labels, of rows that sum to 1 but for rounding."""
    return -(p * torch.log_softmax(x, -1)).sum()


def by_hand(p):
    class Smoothed(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return smoothed(p, x)

        @staticmethod
        def backward(ctx, g):
            (x,) = ctx.saved_tensors
            return g * (torch.softmax(x, -1) - p)  # as if each row summed to 1

    return Smoothed.apply


@pytest.mark.parametrize("dtype", ["float64", "float32", "bfloat16"])
@pytest.mark.parametrize("classes", [7, 10])
def test_labels_that_sum_to_one_but_for_rounding_are_right(classes, dtype):
    rows = np.full((3, classes), 0.1 / classes)
    rows[np.arange(3), np.arange(3)] += 0.9
    p, x = in_torch(rows, dtype), in_torch(numbers(3, classes), dtype)
    result = harness.check_gradient(by_hand(p), (x,))
    assert result.verdict in RIGHT, result
    off = harness.check_gradient(by_hand(p), (x,), resolution="exact")
    assert off.verdict is Verdict.WRONG


@pytest.mark.parametrize("factor", [1.001, 1.01])
@pytest.mark.parametrize("dtype", ["float64", "float32", "float16"])
def test_a_closed_over_matrix_hides_no_factor(dtype, factor):
    w = in_torch(numbers(8, 5, seed=1), dtype)

    class Linear(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x @ w

        @staticmethod
        def backward(ctx, g):
            return (g @ w.T) * factor

    result = harness.check_gradient(Linear.apply, (in_torch(numbers(4, 8), dtype),))
    assert result.verdict is Verdict.WRONG


WEIGHTS, BIAS, LABELS = numbers(4, 4, seed=2), numbers(4, seed=3), np.abs(numbers(3, 4, seed=4))


def wrong_with_data(dtype):
    w, b, p = (in_torch(a, dtype) for a in (WEIGHTS, BIAS, LABELS))
    off = torch.where(torch.arange(4) == 2, b * 1.02, b)
    return {
        "transposed": pulled(lambda x: x @ w, lambda g, x: g @ w),
        "stale": pulled(lambda x: x @ w, lambda g, x: g @ (w * 1.02).T),
        "dropped": pulled(lambda x: (x * b).exp(), lambda g, x: g * (x * b).exp()),
        "one element": pulled(lambda x: (x * b).sin(), lambda g, x: g * (x * b).cos() * off),
        "labels swapped": pulled(
            lambda x: -(p * torch.log_softmax(x, -1)).sum(),
            lambda g, x: g * (torch.softmax(x, -1) * p.sum(-1, keepdim=True) - p[:, [1, 0, 2, 3]]),
        ),
    }


@pytest.mark.parametrize("dtype", ["float64", "float32", "bfloat16"])
@pytest.mark.parametrize("name", wrong_with_data("float64"))
def test_data_that_are_used_wrongly_are_wrong(name, dtype):
    result = harness.check_gradient(wrong_with_data(dtype)[name], (in_torch(numbers(3, 4), dtype),))
    assert result.verdict is Verdict.WRONG


@pytest.mark.parametrize(("off_kink", "at_kink"), [(1.01, 0.0), (1.0, 1.2), (1.0, -0.1)])
def test_where_data_make_a_kink_nothing_wrong_is_excused(off_kink, at_kink):
    data = numbers(6, seed=5)
    x = data + np.repeat([0.0, 1.0], 3)

    def backward(g, x):
        return g * np.where(x > data, off_kink, np.where(x == data, at_kink, 0.0))

    found = harness.check_gradient(lambda x: np.maximum(x - data, 0), (x,), vjp=backward)
    assert found.verdict is Verdict.WRONG


def test_data_that_are_nearly_singular_excuse_no_factor():
    near = np.array([1 + 2.0**-50])
    found = harness.check_gradient(
        lambda x: x / (near - 1), (np.array([2.0, 3.0]),), vjp=lambda g, x: 1.05 * g / (near - 1)
    )
    assert found.verdict is Verdict.WRONG


def test_a_held_argument_is_data_and_named():
    rows = np.full((3, 7), 0.1 / 7)
    rows[np.arange(3), np.arange(3)] += 0.9

    def loss(x, labels):
        return -np.sum(labels * (x - np.log(np.sum(np.exp(x), -1, keepdims=True))))

    def backward(g, x, labels):
        e = np.exp(x)
        return g * (e / e.sum(-1, keepdims=True) - labels)

    result = harness.check_gradient(loss, (numbers(3, 7), rows), vjp=backward, argnums=0)
    assert result.verdict is Verdict.ACCURATE, result
    assert "the rounding of labels explains that" in str(result)


N = 8
ANGLES = np.outer(np.arange(N), np.arange(N)) / N


def cosines(x):
    return np.cos(2 * np.pi * ANGLES) @ x


def backward_of_cosines(factor=1.0, off=0.0):
    def backward(g, x):
        matrix = np.cos(2 * np.pi * ANGLES)
        matrix[1, 2] += off
        return factor * (matrix.T @ g)

    return backward


def test_a_matrix_that_the_code_computed_is_known_as_well_as_that():
    """Against NumPy's own transform, which has proven roots of unity."""
    found = harness.check_gradient(
        cosines, (numbers(N),), vjp=backward_of_cosines(), spec=lambda x: np.fft.fft(x).real
    )
    assert found.verdict is Verdict.ACCURATE, found
    assert "how the arrays in the code were computed explains that" in str(found)


@pytest.mark.parametrize("broken", [{"factor": 1 + 2.0**-30}, {"off": 1e-9}])
def test_what_is_further_off_is_another_formula(broken):
    found = harness.check_gradient(
        cosines, (numbers(N),), vjp=backward_of_cosines(**broken), spec=lambda x: np.fft.fft(x).real
    )
    assert found.verdict is Verdict.WRONG


@pytest.mark.parametrize("framework", ["torch", "jax"])
def test_a_matrix_that_numpy_computed_is_so_in_every_framework(framework):
    matrix = np.cos(2 * np.pi * ANGLES)
    if framework == "torch":
        own, x = torch.from_numpy(matrix), torch.from_numpy(numbers(N))
        found = harness.check_gradient(lambda x: own @ x, (x,), spec=lambda x: torch.fft.fft(x).real)
    else:
        with jax.enable_x64(True):
            x = jnp.asarray(numbers(N))
            found = harness.check_gradient(lambda x: matrix @ x, (x,), spec=lambda x: jnp.fft.fft(x).real)
    assert found.verdict is Verdict.ACCURATE, found


def normal_equations(large, forgets):
    """The gradient of ridge regression by products that were made before; a feature is as large as that."""
    rng = np.random.default_rng(0)
    x, y = np.c_[np.ones(50), rng.normal(size=50), large * rng.lognormal(size=50)], rng.normal(size=50)
    squares, mixed = x.T @ x + (0 if forgets else np.eye(3)), x.T @ y

    def loss(w):
        return 0.5 * ((x @ w - y) ** 2).sum() + 0.5 * (w * w).sum()

    return loss, lambda w: squares @ w - mixed, x, y


@pytest.mark.parametrize("large", [1.0, 1e6, 1.7e9])
@pytest.mark.parametrize("converged", [False, True])
def test_a_large_feature_excuses_no_term_that_is_forgotten(large, converged):
    for forgets, verdict in ((True, Verdict.WRONG), (False, Verdict.ACCURATE)):
        loss, grad, x, y = normal_equations(large, forgets)
        w = np.linalg.lstsq(x, y)[0] if converged and forgets else numbers(3)
        assert harness.check_gradient(loss, (w,), grad=grad).verdict is verdict


@pytest.mark.parametrize(("off", "passes"), [(0.0, True), (1e-5, False)])
@pytest.mark.parametrize("framework", ["numpy", "torch", "jax"])
def test_products_that_were_added_up_in_float32_are_known_to_some_ulps(framework, off, passes):
    x, y = numbers(200, 5).astype(np.float32), numbers(200, seed=1).astype(np.float32)
    squares, mixed = x.T @ x * np.float32(1 + off), x.T @ y
    w = numbers(5, seed=2).astype(np.float32)
    if framework == "torch":
        x, y, squares, mixed, w = map(torch.from_numpy, (x, y, squares, mixed, w))
    elif framework == "jax":
        w = jnp.asarray(w)
    found = harness.check_gradient(
        lambda w: ((x @ w - y) ** 2).sum() / 2, (w,), grad=lambda w: squares @ w - mixed
    )
    assert found.passed is passes, found


def springs(n, penalty, doubled):
    stiffness = np.linspace(1, 2, n - 1)
    matrix = np.zeros((n, n))
    for k, each in enumerate(stiffness):
        matrix[k : k + 2, k : k + 2] += (1 + (k == doubled)) * each * np.array([[1, -1], [-1, 1]])
    matrix[0, 0] += penalty

    def energy(u):
        return 0.5 * (stiffness * np.diff(u) ** 2).sum() + 0.5 * penalty * u[0] ** 2

    return energy, lambda u: matrix @ u


@pytest.mark.parametrize("penalty", [1.0, 1e14, 1e20])
def test_a_penalty_excuses_no_other_element(penalty):
    for doubled, verdict in ((3, Verdict.WRONG), (None, Verdict.ACCURATE)):
        energy, grad = springs(8, penalty, doubled)
        assert harness.check_gradient(energy, (numbers(8),), grad=grad).verdict is verdict


@pytest.mark.parametrize("factor", [1.0, 1 + 1e-7])
def test_one_large_number_of_a_long_vector_excuses_no_other(factor):
    weights = np.random.default_rng(0).random(40) + 1
    weights[0] = 1e14
    others = weights.copy()
    others[1:] *= factor
    others[2] += np.spacing(others[2])
    found = harness.check_gradient(
        lambda x: 0.5 * (weights * x * x).sum(), (numbers(40),), grad=lambda x: others * x
    )
    assert found.passed is (factor == 1.0), found


def test_noise_where_a_zero_is_meant_is_one():
    """The row of sin(pi k) is nothing but noise, and no other numbers tell by how much."""
    angles = np.pi * np.outer(np.arange(4), np.arange(4)) / 2
    sines = np.sin(angles)
    found = harness.check_gradient(
        lambda x: np.fft.fft(x).imag, (numbers(4),), vjp=lambda g, x: -(sines.T @ g)
    )
    assert found.verdict is Verdict.ACCURATE, found


@pytest.mark.parametrize(("dtype", "masked"), [(np.float32, -1e9), (np.float64, -1e30)])
def test_beside_what_masks_an_ordinary_number_is_no_noise(dtype, masked):
    rng = np.random.default_rng(1)
    bias, mask = rng.normal(size=(4, 4)).astype(dtype), np.triu(np.full((4, 4), masked, dtype), 1)

    def softmax(s):
        e = np.exp(s - s.max(-1, keepdims=True))
        return e / e.sum(-1, keepdims=True)

    def backward_of(factor):
        own = np.where(mask < 0, mask, bias * dtype(factor))

        def backward(g, s):
            p = softmax(s + own)
            return p * (g - (g * p).sum(-1, keepdims=True))

        return backward

    x, given = rng.normal(size=(4, 4)).astype(dtype), np.where(mask < 0, mask, bias)
    for factor, passes in ((1.0, True), (1.0005, False), (0.0, False)):
        found = harness.check_gradient(lambda s: softmax(s + given), (x,), vjp=backward_of(factor))
        assert found.passed is passes, (factor, found)


def test_a_matrix_that_both_programs_have_excuses_no_factor():
    weights = numbers(N, N, seed=3)
    found = harness.check_gradient(
        lambda x: weights @ x, (numbers(N),), vjp=lambda g, x: (1 + 2.0**-45) * (weights.T @ g)
    )
    assert found.verdict is Verdict.WRONG


def log_binomials(n):
    """As three log-gammas give them, which are off by ulps of the largest of them."""
    k = np.arange(n + 1)
    row = np.log(scipy.special.comb(n, k))
    return row + 8 * np.spacing(row) * (-1.0) ** (k + n)


@pytest.mark.parametrize(("off", "verdict"), [(0.0, "accurate"), (1e-13, "wrong"), (1e-6, "wrong")])
def test_a_short_row_that_was_computed_is_known_to_some_ulps(off, verdict):
    """The derivative of Bernstein's polynomials is one of lower ones, whose binomials are other numbers."""

    def bernstein(x, n):
        k = np.arange(n + 1)
        return np.exp(log_binomials(n) + k * np.log(x[..., None]) + (n - k) * np.log1p(-x[..., None]))

    def pulled_back(g, x):
        lower, none = bernstein(x, 3) * (1 + off), np.zeros((3, 1))
        return (g * 4 * (np.concatenate([none, lower], 1) - np.concatenate([lower, none], 1))).sum(1)

    x = np.array([0.05, 0.3, 0.7])
    found = harness.check_gradient(lambda x: bernstein(x, 4), (x,), vjp=pulled_back, probes=False)
    assert found.verdict.value == verdict, found


# -- the value of a custom rule ------------------------------------------------------------------------------


@pytest.mark.parametrize(("factor", "verdict"), [(1 + 2.0**-27, "accurate"), (1 + 2.0**-20, "wrong")])
def test_a_primal_below_what_float32_resolves_is_the_function(factor, verdict):
    @jax.custom_vjp
    def f(x):
        return jnp.sin(x)

    def forward(x):
        with jax.enable_x64(True):
            return (jnp.sin(x.astype("float64")) * factor).astype("float32"), x

    f.defvjp(forward, lambda x, g: (g * jnp.cos(x),))
    result = harness.check_gradient(f, (in_jax(numbers(5), "float32"),))
    assert result.verdict.value == verdict, result


# -- comparisons of what is written --------------------------------------------------------------------------


HALF = 0.7071067811865476  # its last digit explains what another one rounds to


def at_a_seam(x):
    """The same function on both sides of |x| = 1, where the two sides of the comparison are one number."""
    scaled = x * HALF
    return np.where(np.abs(scaled) < HALF, x * scaled, scaled * x)


@pytest.mark.parametrize(("factor", "verdict"), [(1.0, Verdict.ACCURATE), (1.001, Verdict.UNDECIDED)])
def test_a_comparison_of_written_numbers_is_decided_as_they_stand_to_pass_and_never_to_accuse(
    factor, verdict
):
    def vjp(g, x):
        slope = factor * 0.7071067811865475
        return g * 2 * x * np.where(np.abs(x * HALF) < HALF, slope, slope)

    found = harness.check_gradient(at_a_seam, (np.array([1.0, -1.0, 0.5]),), vjp=vjp, probes=False)
    assert found.verdict is verdict, found


# -- the choice ----------------------------------------------------------------------------------------------


def test_what_may_be_chosen_is_said():
    with pytest.raises(ValueError, match="resolution must be 'format' or 'exact', got 'fine'"):
        harness.check_gradient(np.sin, (numbers(3),), vjp=lambda g, x: g * np.cos(x), resolution="fine")


@pytest.mark.parametrize("x", [1e40, 1e140])
def test_where_a_rounded_constant_cancels_all_digits_are_lost_and_the_formula_is_right(x):
    """2 x erfcx(x) - 2 / sqrt(pi), of which nothing is left but what the constant's last digit stands for."""
    leaf = torch.tensor([x], dtype=torch.float64, requires_grad=True)
    found = harness.check_gradient(torch.special.erfcx, (leaf,), probes=False, upstream="fail")
    assert found.verdict is Verdict.IMPRECISE
    assert found.worst.bits_lost == 53


def test_the_formula_is_right_where_its_constant_stands_beside_a_truth_below_all_numbers():
    """At 1e200 it is -2^-1330, and exp(x^2) erfc(x) has no value in a thousand bits."""
    leaf = torch.tensor([1e200], dtype=torch.float64, requires_grad=True)
    assert harness.check_gradient(torch.special.erfcx, (leaf,), probes=False).verdict is Verdict.ACCURATE


def test_a_formula_that_needs_a_thousand_bits_is_compared_with_them():
    """exp(x^2) erfc(x) has no value in 128 bits at 1e40, and overflows when it runs."""

    def slope(g, x):
        return g * (2 * x * np.exp(x * x) * scipy.special.erfc(x) - 2 / np.sqrt(np.pi))

    with np.errstate(all="ignore"):
        found = harness.check_gradient(scipy.special.erfcx, (np.array([1e40]),), vjp=slope, probes=False)
    assert found.verdict is Verdict.MISCOMPUTED


# -- what is absorbed: a written number that changes no bit of what ran --------------------------------------


def softmax_with(eps, array):
    """Softmax of rows with a number in its sum, by the functions of `array`."""

    def softmax(x):
        e = array.exp(x - x.max(-1).values[..., None] if array is torch else x - x.max(-1)[..., None])
        return e / (e.sum(-1)[..., None] + eps)

    return softmax


def pulled_back(eps, array):
    def vjp(g, x):
        y = softmax_with(eps, array)(x)
        return y * (g - (g * y).sum(-1)[..., None])

    return vjp


@pytest.mark.parametrize(
    ("dtype", "eps", "verdict"),
    [
        ("float32", 1e-10, Verdict.ACCURATE),
        ("float32", 1e-7, Verdict.WRONG),  # half an ulp of 1 and more
        ("float64", 1e-10, Verdict.WRONG),  # 1 + 1e-10 is another number
        ("float64", 1e-16, Verdict.ACCURATE),  # below half an ulp of 1
        ("float64", 1.2e-16, Verdict.WRONG),  # above it
        ("bfloat16", 1e-10, Verdict.ACCURATE),
        ("bfloat16", 1e-4, Verdict.WRONG),  # it is absorbed, and a coarser dtype is judged as float32
    ],
)
def test_a_number_that_changes_no_bit_where_it_is_added_is_as_good_as_0(dtype, eps, verdict):
    """In a row of one the derivative is 0, and beside that nothing is below what a format resolves."""
    x = in_torch(numbers(3, 1), dtype)
    backward = pulled(softmax_with(0.0, torch), pulled_back(eps, torch))
    found = harness.check_gradient(backward, (x,))
    assert found.verdict is verdict
    assert ("changes no bit" in str(found)) == (verdict is Verdict.ACCURATE)


def test_a_number_that_is_absorbed_may_have_come_through_a_maximum_and_in_any_framework():
    def clamped(x):
        e = torch.exp(x - x.amax(-1, keepdim=True))
        masked = torch.where(e < 0, e, 0 * e).sum(-1, keepdim=True).clamp(min=1e-10)
        return e / (e.sum(-1, keepdim=True) + masked)

    x = numbers(3, 1).astype(np.float32)
    function = pulled(clamped, pulled_back(0.0, torch))
    assert harness.check_gradient(function, (torch.from_numpy(x),)).verdict is Verdict.ACCURATE
    exact = softmax_with(0.0, np)
    assert harness.check_gradient(exact, (x,), vjp=pulled_back(np.float32(1e-10), np)).passed
    assert not harness.check_gradient(exact, (x,), vjp=pulled_back(np.float32(1e-6), np)).passed


def attention_in_blocks(factor):
    """As flash attention of one key, then of a block that is masked: its sum is the 1e-10 alone, times 0."""

    def forward(q, k, v):
        s = q * k
        m = jnp.maximum(s, -1e10)
        total = jnp.exp(s - m) + 1e-10 + jnp.exp(-1e10 - m) * 1e-10
        return jnp.exp(s - m) * v / total, (q, k, v, total, m)

    def backward(saved, g):
        q, k, v, total, m = saved
        p = jnp.exp(q * k - m) / total
        slope = p * (g * v - factor * g * (p * v))
        return slope * k, slope * q, p * g

    attention = jax.custom_vjp(lambda q, k, v: forward(q, k, v)[0])
    attention.defvjp(forward, backward)
    return attention


@pytest.mark.parametrize(("factor", "verdict"), [(1.0, Verdict.ACCURATE), (1 + 1e-6, Verdict.WRONG)])
def test_a_number_that_is_absorbed_may_be_scaled_before(factor, verdict):
    found = harness.check_gradient(attention_in_blocks(factor), tuple(map(jnp.float32, (0.7, 1.3, -0.4))))
    assert found.verdict is verdict
    assert ("changes no bit" in str(found)) == (verdict is Verdict.ACCURATE)


@pytest.mark.parametrize(
    ("x", "rule"),
    [
        ([1.0, 2.0, 0.0], lambda g, x: g * 2 * x + 1e-10),  # not at each element
        ([1.0, 2.0, 3.0], lambda g, x: g * 2 * x * (1 + 0 * x + 1e-6)),  # it is seen
        ([1.0, 2.0, 3.0], lambda g, x: g * 2 * x + 1e-10 * x * 1e6),  # it is multiplied
        (
            [1.0, 2.0, 3.0],
            lambda g, x: g * 2 * x * (1 + ((x + 1e-10) - x) * 1e9),
        ),  # what it explains is large
    ],
)
def test_a_number_that_is_not_absorbed_everywhere_explains_nothing(x, rule):
    function = pulled(lambda x: x * x, rule)
    assert harness.check_gradient(function, (torch.tensor(x),)).verdict is Verdict.WRONG


ALPHA = 1.6732632423543772


def centred(x, scale):
    return scale * (x - x.mean())


@pytest.mark.parametrize("x", [np.ones(7), np.arange(7.0)], ids=["ones", "numbers"])
@pytest.mark.parametrize(("dtype", "seventh"), [("float32", np.float32(1 / 7)), ("float64", 0.142857143)])
@pytest.mark.parametrize("twice", [False, True])
def test_written_digits_explain_what_cancels_and_do_beside_what_is_zero(x, dtype, seventh, twice):
    """The derivative of the scale is 0 here. That says nothing of x, and a sum of digits comes to no 0."""

    def rule(factor):
        def pullback(g, x, scale):
            mean = x.sum() * seventh if twice else x.mean()
            return scale * (g - g.sum() * seventh) * factor, (g * (x - mean)).sum() * factor

        return pullback

    arrays = x.astype(dtype), np.array(0.7, dtype)
    right = harness.check_gradient(centred, arrays, vjp=rule(1))
    assert right.passed, str(right)
    assert "the last digits of 0.1428571" in str(right)
    assert harness.check_gradient(centred, arrays, vjp=rule(1.001)).verdict == "wrong"


def elu(x):
    y = x.copy()
    low = y <= 0
    y[low] = ALPHA * np.expm1(y[low])
    return y


@pytest.mark.parametrize("x", [[-3.0, 0.0], [-3.0, 1.0], [-3.0, 0.0, 0.0, -1.0]], ids=str)
@pytest.mark.parametrize(("alpha", "passes"), [(ALPHA, True), (1.6732, False), (0.0, False)])
def test_written_digits_explain_where_a_mask_is_at_its_edge(x, alpha, passes):
    found = harness.check_gradient(
        elu,
        (np.array(x, "float32"),),
        vjp=lambda g, x: g * np.where(x > 0, np.float32(1), elu(x) + np.float32(alpha)),
    )
    assert found.passed == passes, str(found)
    assert found.verdict == (("convention" if 0 in x else "accurate") if passes else "wrong")


@pytest.mark.parametrize(("gap", "expected"), [(2.0**-6, True), (2.0**-6 * 1.5, False)])
@pytest.mark.parametrize("terms", [0.0, 0.9])
def test_smaller_terms_take_no_room(gap, expected, terms):
    """An element may be as far off as it may be beside itself, however small what it is the sum of."""
    own, true = (Enclosure(np.array([arb(x)], object), 106) for x in (1 + gap, 1.0))
    assert within(own, true, 2.0**-6, np.array([terms])).tolist() == [expected]
    assert within(own, true, 2.0**-6, np.array([2.0])).tolist() == [True]


@pytest.mark.parametrize("rows", [[[0, 0, 0], [1, 0, 0]], [[0, 0, 0], [1, 1, 0]]])
def test_a_number_may_be_absorbed_in_some_rows_alone(rows):
    """A masked row has nothing that could absorb it; attention with padding on the left has one."""
    mask, s = torch.tensor(rows, dtype=torch.bool), torch.tensor([[0.3, -0.5, 1.2], [0.7, 0.1, -0.4]])

    def checked(factor, eps=1e-10):
        class Masked(torch.autograd.Function):
            @staticmethod
            def forward(ctx, s):
                most = torch.where(mask, s, -1e9).amax(1, keepdim=True)
                p = torch.where(mask, torch.exp(s - most), 0.0)
                y = p / (p.sum(1, keepdim=True) + eps)
                ctx.save_for_backward(y)
                return y

            @staticmethod
            def backward(ctx, g):
                (y,) = ctx.saved_tensors
                return y * (g - factor * (g * y).sum(1, keepdim=True))

        return harness.check_gradient(Masked.apply, (s,)).verdict

    assert checked(1.0) is Verdict.ACCURATE
    assert checked(1.0 + 1e-6) is Verdict.WRONG
    assert checked(1.0, 1e-6) is Verdict.WRONG  # which no row absorbs
