"""A number of 0.5 is its own 1 - p, and an integer of 1 may be a factor: asked, and what accuses nobody."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

from gradproof import check_gradient

rng = np.random.default_rng(3)
X, x, y, w = rng.normal(size=(6, 3)), rng.normal(size=6), rng.normal(size=6), rng.normal(size=6)
OF = [float, np.float64, np.array, lambda number: np.array([number])]


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def pinball(q, t):
    return np.mean(np.maximum(t * (y - q), (t - 1) * (y - q)))


EXCHANGED = {
    "a quantile": (pinball, lambda q, t: np.where(y > q, -t, 1 - t) / 6),
    "a mixture": (
        lambda a, t: np.sum(np.sin(t * a + (1 - t) * y)), lambda a, t: t * np.cos(t * a + (1 - t) * y),
    ),
    "an elastic net": (
        lambda v, t: t * np.sum(abs(v)) + (1 - t) / 2 * np.sum(v**2),
        lambda v, t: t * np.sign(v) + (1 - t) * v,
    ),
    "a focus": (
        lambda z, t: -np.sum(t * np.log(sigmoid(z)) + (1 - t) * np.log(1 - sigmoid(z))),
        lambda z, t: (1 - t) * sigmoid(z) - t * (1 - sigmoid(z)),
    ),
}  # fmt: skip


@pytest.mark.parametrize("of", OF)
@pytest.mark.parametrize("name", EXCHANGED)
def test_p_in_place_of_1_less_p_is_found(name, of):
    function, right = EXCHANGED[name]

    def exchanged(v, t):
        s = right(v, 1 - t)
        return s if name != "a mixture" else (1 - t) * np.cos(t * v + (1 - t) * y)

    def number(v, t):
        return np.sum(function(v, t))

    found = check_gradient(number, (x, of(0.5)), grad=exchanged, argnums=0)
    assert found.verdict == "wrong"
    assert "0.5, where a missing term or factor, or p in place of 1 - p, may not show" in str(found)
    assert check_gradient(number, (x, of(0.5)), grad=right, argnums=0).passed


def test_a_factor_that_is_0_at_an_end_excuses_nothing():
    found = check_gradient(
        lambda v, p: np.sum(p * (1 - p) * v**2), (x, 0.5), grad=lambda v, p: 2 * p * p * v, argnums=0
    )
    assert found.verdict == "wrong"


class Dropout(torch.autograd.Function):
    @staticmethod
    def forward(ctx, given, p):
        ctx.mask, ctx.p = (torch.rand_like(given) > p).to(given), p
        return given * ctx.mask / (1 - p)

    @staticmethod
    def backward(ctx, g):
        return g * ctx.mask / (1 - ctx.p), None


class DropoutByP(Dropout):
    @staticmethod
    def backward(ctx, g):
        return g * ctx.mask / ctx.p, None


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
@pytest.mark.parametrize("p", [0.5, torch.tensor(0.5), torch.tensor([0.5])])
def test_dropout_by_a_half(dtype, p):
    args = torch.tensor(X).to(dtype), p
    assert check_gradient(Dropout.apply, args, argnums=0).passed
    assert check_gradient(DropoutByP.apply, args, argnums=0).verdict == "wrong"


def mixed(rule):
    def value(a, b, t):
        return t * a + (1 - t) * b

    function = jax.custom_vjp(value)
    function.defvjp(lambda a, b, t: (value(a, b, t), t), rule)
    return function


@pytest.mark.parametrize("t", [0.5, np.float32(0.5), jnp.array(0.5), jnp.array([0.5])])
def test_a_mixture_by_halves_in_jax(t):
    args = jnp.asarray(x), jnp.asarray(y), t
    right = mixed(lambda t, g: (t * g, (1 - t) * g, jnp.zeros_like(t)))
    exchanged = mixed(lambda t, g: ((1 - t) * g, t * g, jnp.zeros_like(t)))
    assert check_gradient(right, args, argnums=(0, 1)).passed
    assert check_gradient(exchanged, args, argnums=(0, 1)).verdict == "wrong"


def norm_of(v, p):
    return 0.5 * np.sign(v) / np.sqrt(abs(v)) if p == 0.5 else np.sign(v)


def descended(a, rate):
    z = np.zeros_like(a)
    for _ in range(8):
        z = z - rate * 2 * (z - a)
    return np.sum(z**2)


def descended_slope(a, rate):
    z = np.zeros_like(a)
    for _ in range(8):
        z = z - rate * 2 * (z - a)
    return 2 * z


MEANT = {
    "x of x^2 / 2": (lambda v, a: a * np.sum(v**2), lambda v, a: v),
    "a square root": (lambda v, p: np.sum(np.exp(v) ** p), lambda v, p: 0.5 * np.sqrt(np.exp(v))),
    "an exponent of two": (lambda v, p: np.sum(np.abs(v) ** p), norm_of),
    "a threshold": (lambda v, t: np.sum(np.where(v > t, v * v, 0)), lambda v, t: np.where(v > 0.5, 2 * v, 0)),
    "a flag": (
        lambda v, f: np.sum(v**2) if f == 0.5 else np.sum(v),
        lambda v, f: 2 * v if f == 0.5 else np.ones_like(v),
    ),
    "a draw": (
        lambda v, r: np.sum(
            {1.0: np.logaddexp(0, -v), 0.0: np.logaddexp(0, v)}.get(
                r, (np.logaddexp(0, -v) + np.logaddexp(0, v)) / 2
            )
        ),
        lambda v, r: sigmoid(v) - r,
    ),
    "a spin": (lambda v, s: np.sum((s * v - 0.25) ** 2), lambda v, s: 0.5 * (v - s)),
    "a step that ends": (descended, descended_slope),
    "momentum": (lambda v, m: np.sum((m * v + (1 - m) * y) ** 2), lambda v, m: 2 * m * (m * v + (1 - m) * y)),
    "a bend": (
        lambda v, d: np.sum(np.where(abs(v) < d, v * v / 2, d * (abs(v) - d / 2))),
        lambda v, d: np.clip(v, -d, d),
    ),
}


@pytest.mark.parametrize("name", MEANT)
def test_what_a_half_may_be_accuses_nobody(name):
    function, grad = MEANT[name]
    found = check_gradient(function, (x, 0.5), grad=grad, argnums=0)
    assert found.passed, found


def test_halves_that_sum_to_1_stay():
    def mean(p):
        return p @ w[:2] / np.sum(p)

    assert check_gradient(mean, (np.full(2, 0.5),), grad=lambda p: w[:2] - p @ w[:2]).passed


FORGOTTEN = {
    "a temperature": (lambda v, t: np.sum(np.tanh(v / t)), lambda v, t: 1 - np.tanh(v / t) ** 2),
    "a factor": (lambda v, t: np.sum(np.sin(v * t)), lambda v, t: np.cos(v * t)),
    "a penalty": (lambda v, t: np.sum(v**3) + t * np.sum(v**2), lambda v, t: 3 * v**2 + 2 * v),
}


@pytest.mark.parametrize("name", FORGOTTEN)
def test_an_integer_of_1_that_is_a_factor_is_asked(name):
    function, forgets = FORGOTTEN[name]
    found = check_gradient(function, (x, 1), grad=forgets, argnums=0)
    assert found.verdict == "wrong"
    assert "t is 1, where" in str(found)
    assert check_gradient(function, (x,), kwargs={"t": 1}, grad=forgets).verdict == "wrong"


class Softmax(torch.autograd.Function):
    @staticmethod
    def forward(ctx, z, t, dim):
        s = torch.softmax(z / t, dim)
        ctx.save_for_backward(s)
        ctx.t, ctx.dim = t, dim
        return s

    @classmethod
    def backward(cls, ctx, g):
        (s,) = ctx.saved_tensors
        return s * (g - (g * s).sum(ctx.dim, keepdim=True)) / cls.of(ctx.t), None, None

    @staticmethod
    def of(t):
        return t


class ForgetsTemperature(Softmax):
    @staticmethod
    def of(t):
        return 1


def test_a_temperature_of_1_beside_an_axis_of_1_in_torch():
    args = torch.tensor(X), 1, 1
    assert check_gradient(Softmax.apply, args).passed
    assert check_gradient(ForgetsTemperature.apply, args).verdict == "wrong"


@pytest.mark.parametrize("divides", [True, False])
def test_a_temperature_of_1_in_jax(divides):
    def value(z, t):
        return jax.nn.softmax(z / t)

    def pullback(kept, g):
        s, t = kept
        return s * (g - (g * s).sum()) / (t if divides else 1), None

    function = jax.custom_vjp(value)
    function.defvjp(lambda z, t: (value(z, t), (value(z, t), t)), pullback)
    assert check_gradient(function, (jnp.asarray(x), 1), argnums=0).passed == divides


def counted(v, n):
    total, k = 0.0, 0
    while k != n:  # which never ends at a half
        total, k = total + np.sum(v**2), k + 1
    return total


NO_FACTORS = {
    "an axis": (lambda v, k: np.sum(np.sum(X * v[:, None] ** 2, axis=k)), lambda v, k: 2 * v * X.sum(1)),
    "an order": (lambda v, p: np.linalg.norm(v, p), lambda v, p: np.sign(v)),
    "an exponent": (lambda v, n: np.sum(v**n), lambda v, n: np.ones_like(v)),
    "degrees of freedom": (lambda v, d: np.var(v, ddof=d), lambda v, d: 2 * (v - v.mean()) / 5),
    "a count": (counted, lambda v, n: 2 * v),
    "an index": (lambda v, k: v[k] ** 2, lambda v, k: 2 * v * np.eye(6)[1]),
    "a shift": (lambda v, k: np.sum(np.roll(v, k) * y), lambda v, k: np.roll(y, -1)),
    "a margin": (lambda v, m: np.sum(np.maximum(0, m - v)), lambda v, m: np.where(v < 1, -1.0, 0.0)),
    "a mode": (lambda v, m: np.sum(v**2) if m == 1 else np.sum(v), lambda v, m: 2 * v),
    "a sign": (lambda v, s: np.sum((1 - s * v) ** 2), lambda v, s: 2 * (v - s)),
    "a class": (
        lambda v, c: np.sum(np.logaddexp(0, -v) if c == 1 else np.logaddexp(0, v)),
        lambda v, c: sigmoid(v) - c,
    ),
    "a length": (lambda v, n: np.sum(v[: int(n)] ** 2), lambda v, n: 2 * v * (np.arange(6) < 1)),
}


@pytest.mark.parametrize("name", NO_FACTORS)
def test_what_an_integer_of_1_may_be_accuses_nobody(name):
    function, grad = NO_FACTORS[name]
    found = check_gradient(function, (x, 1), grad=grad, argnums=0)
    assert found.passed, found
