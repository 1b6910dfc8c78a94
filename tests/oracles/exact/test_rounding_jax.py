"""B holds whatever healthy JAX programs compute, eager and compiled, and what they would exactly."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flint import arb

from oracles.exact.enclose.evaluate import evaluate
from oracles.exact.from_jaxpr import record
from oracles.exact.program.maxima import Maxima
from oracles.exact.rounding.bound import ROUNDING_MODELS, bound
from oracles.frameworks.in_jax import Pullback
from tests.oracles.exact.jax_programs import PROGRAMS, arguments
from tests.sampling import WHOLE, draws, sample

DTYPES = ["float64", "float32", "bfloat16", "float16"]
BITS = 256
SMALL = {"float64": 1e-310, "float32": 1e-40, "bfloat16": 1e-40, "float16": 1e-7}
LARGE = {"float64": 1e200, "float32": 1e30, "bfloat16": 1e30, "float16": 1e4}
INPUTS = {
    "ordinary": lambda x, dtype: x,
    "20": lambda x, dtype: np.sign(x) * 20 * (1 + 0.01 * np.abs(x)),
    "88": lambda x, dtype: np.sign(x) * np.clip(88 + x, 80, 90),
    "ties": lambda x, dtype: np.round(x),
    "tiny": lambda x, dtype: x * SMALL[dtype],
    "least normal": lambda x, dtype: x * 8 * float(jnp.finfo(dtype).tiny),
    "huge": lambda x, dtype: x * LARGE[dtype],
}


def computed(function, compiled, args, wide, eager=True):
    """Eager, if that is asked for, and compiled, as float64."""
    with jax.enable_x64(wide):
        loaded = [jnp.asarray(a) for a in args]
        for run in (*([function] if eager else []), compiled):
            yield [np.asarray(out).astype(np.float64) for out in jax.tree.leaves(run(*loaded))]


def inside(ball, number):
    """A number that is not finite needs a ball that is unbounded."""
    return number in ball or ball.is_nan() if math.isfinite(number) else not ball.is_finite()


def check(function, args, dtype, compiled=None, eager=True):
    """Every computed element, and every exact one, lies in its ball; the balls."""
    recording = record(function, args, {}, differentiate=False, paired=True)
    found = bound(recording.program, recording.values, ROUNDING_MODELS["jax"])
    assert found.problem == ""
    for results in computed(function, compiled or jax.jit(function), args, dtype == "float64", eager):
        for balls, numbers in zip(found.balls, results, strict=True):
            flat = zip(balls.ravel().tolist(), numbers.ravel().tolist(), strict=True)
            outside = [(i, b, v) for i, (b, v) in enumerate(flat) if not inside(b, v)]
            assert outside == []
    formula = evaluate(recording.program, recording.values, BITS)
    for balls, exact in zip(found.balls, formula, strict=True):
        assert all(b.overlaps(e) for b, e in zip(balls.ravel(), exact.ravel(), strict=True))
    return found.balls


def gradient(name, shape, dtype, inputs="ordinary", seed=0):
    """The pullback of a program, and its arguments: a signed cotangent and the program's own."""
    change = INPUTS[inputs]
    function, args, argnums = arguments(name, shape, dtype, seed, lambda x: change(x, dtype))
    rng = np.random.default_rng(seed)
    with jax.enable_x64(dtype == "float64"):
        out = jax.eval_shape(function, *args)
    cotangent = rng.choice([-1.0, 1.0], out.shape) * rng.uniform(0.5, 2.0, out.shape)
    return Pullback(function, tuple(argnums)), (cotangent.astype(out.dtype), *args)


# Compiling is what takes time: each program in one dtype, by turns, at all inputs; half of them also eagerly.
CELLS = [(name, DTYPES[(i + step) % 4]) for step in range(draws(1, 4)) for i, name in enumerate(PROGRAMS)]
EAGER = {cell for i, cell in enumerate(CELLS) if WHOLE or i // 4 % 2 == 0}


@pytest.mark.parametrize(("name", "dtype"), sample(CELLS, 2))
def test_gradients_are_inside(name, dtype):
    compiled = jax.jit(gradient(name, (3, 5), dtype)[0])  # once: the program is the same at all inputs
    for inputs in INPUTS:
        function, args = gradient(name, (3, 5), dtype, inputs)
        balls = check(function, args, dtype, compiled, (name, dtype) in EAGER)
        if inputs == "ordinary":  # and the bound is of use
            assert all(b.is_finite() for array in balls for b in array.ravel())


def test_longer_rows():
    function, args = gradient("layernorm", (32, 64), "float32")
    check(function, args, "float32")


# -- what a compiler does, one by one ---------------------------------------------------------------------


def one(function, *numbers, dtype="float32"):
    """Checked at one point; the only ball."""
    args = tuple(np.array([v]).astype(jnp.dtype(dtype)) for v in numbers)
    return check(function, args, dtype)[0].item()


def test_constants_are_multiplied_first_so_that_an_overflow_is_not_certain():
    def f(x):
        return (x * 1e30) * 1e-30

    x = np.array([1e10], np.float32)
    eager, compiled = (results[0].item() for results in computed(f, jax.jit(f), (x,), False))
    assert math.isinf(eager)
    assert compiled == pytest.approx(1e10)
    assert not one(f, 1e10).is_finite()


def test_halves_are_kept_wider():
    assert not one(lambda x: jnp.exp(x) * jnp.exp(3 - x), 20.0, dtype="float16").is_finite()


def test_an_infinity_that_is_written_stays_one():
    assert one(lambda x: jnp.exp(jnp.where(x > 0, -jnp.inf, x) - x), 1.0) == 0


@pytest.mark.parametrize("dtype", ["float64", "float32", "bfloat16"])
def test_numbers_below_the_normal_ones_are_flushed_in_products_and_sums(dtype):
    tiny = float(jnp.finfo(dtype).tiny)
    row = np.array([1.5, -1.25, 0.75, 0.5]) * tiny

    def f(x, y):
        return x @ y, jnp.sum(x * y), jnp.cumsum(x * y)

    check(f, (row.astype(jnp.dtype(dtype)), np.full(4, 0.5).astype(jnp.dtype(dtype))), dtype)


def test_float16_is_not_flushed():
    ball = one(lambda x: x * 0.5, 2.0**-15, dtype="float16")
    assert ball.rad() < 2.0**-20


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_a_sigmoid_of_halves_is_composed_in_the_half_format(dtype):
    """In float16 it is 0 where e^-x overflows, at -11.1, though 1.5e-5 is a number of the format."""
    x = np.linspace(-12, 12, 481).astype(jnp.dtype(dtype))
    check(jax.nn.sigmoid, (x,), dtype)


def test_products_of_float16_are_not_summed_in_float32():
    rng = np.random.default_rng(0)
    x, w = (rng.normal(size=s).astype(np.float16) for s in ((32, 64), (64, 32)))
    check(lambda x, w: 20 * x @ w, (x, w), "float16")


@pytest.mark.parametrize("size", [20.0, 300.0, 3000.0])
def test_scores_that_are_computed_twice_exceed_their_own_maximum(size):
    """Compiled, `s` is one number for the maximum and another to subtract it from: e^(s - max) is over 1."""
    x = (np.random.default_rng(0).normal(size=(8, 8)) * size).astype(np.float32)

    def f(x):
        s = x @ x.T / jnp.sqrt(8.0).astype(x.dtype)
        e = jnp.exp(s - jax.lax.stop_gradient(jnp.max(s, -1, keepdims=True)))
        return e, e / e.sum(-1, keepdims=True)

    eager, compiled = (results[0].max() for results in computed(f, jax.jit(f), (x,), False))
    assert eager == 1
    assert compiled > 1
    check(f, (x,), "float32")


def test_of_inputs_the_largest_is_known_exactly():
    x = np.array([[300.0, 1.0, -2.0]], np.float32)
    e, total = check(lambda x: [e := jnp.exp(x - x.max(-1, keepdims=True)), e.sum(-1)], (x,), "float32")
    assert all(b <= 1 for b in e.ravel())
    assert total.item().lower() >= 1 - 2.0**-50  # a ball of Arb's has a radius of 30 bits


def test_a_sigmoid_of_anything_is_between_0_and_1():
    for number in (-1e30, 1e30):
        ball = one(jax.nn.sigmoid, number)
        assert ball.is_finite()
        assert arb(0 if number < 0 else 1) in ball


def test_a_machine_that_fuses_nothing_keeps_its_facts():
    assert not ROUNDING_MODELS["numpy"].fuses
    assert Maxima(fused=False).fused is False
