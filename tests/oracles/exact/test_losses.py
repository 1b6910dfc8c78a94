"""B holds what healthy kernels of exponents, complements and series compute, and not a mistake in them."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.special
import torch
from flint import arb
from jax import lax
from jax.scipy import special

from harness import check_gradient
from harness.verdicts import Verdict
from oracles.exact.from_aten import record as record_aten
from oracles.exact.from_jaxpr import record as record_jax
from oracles.exact.from_numpy import record as record_numpy
from oracles.exact.program import losses
from oracles.exact.program.derive import vjp
from oracles.exact.program.formats import ROUNDING_MODELS
from oracles.exact.program.scalars import SCALARS
from oracles.exact.rounding.bound import bound

COUNT = 120
# Where the most was seen: for a derivative in a, a small share that is 1 minus a large one, a long series.
HARD = {
    "igamma_grad_a": [(1.432, 3.0), (1.465, 1.969), (0.99, 1.005)],
    "betainc": [(4.258, 0.0217, 0.8473), (4.5182, 0.0214, 0.8501)],
    "hyp1f1": [(39.0849, 8.9481, 94.6089), (40.7026, 4.2145, 88.2158)],
}
NORMAL = {"float64": 1e-290, "float32": 1e-34}


def _spread(rng, low, high):
    return 2.0 ** rng.uniform(low, high, COUNT)


def _gammas(rng, most=9):
    """(a, x), half of them where P rises."""
    a = _spread(rng, -6, most)
    near = a * np.exp(rng.normal(0, 1, COUNT) * np.minimum(1, 2 / np.sqrt(a)))
    return a, np.where(rng.random(COUNT) < 0.5, near, _spread(rng, -6, most))


def _shares(rng):
    return _spread(rng, -6, 8), _spread(rng, -6, 8), np.clip(rng.beta(0.7, 0.7, COUNT), 1e-4, 1 - 1e-4)


def _confluent(rng):
    return rng.uniform(-20, 20, COUNT), _spread(rng, -4, 4), rng.uniform(-40, 40, COUNT)


def _orders(rng):
    return rng.integers(0, 30, COUNT).astype(float), _spread(rng, -4, 3)


JAX = {
    "igamma": (lax.igamma, _gammas),
    "igammac": (lax.igammac, _gammas),
    "igamma_grad_a": (lax.igamma_grad_a, lambda rng: _gammas(rng, 5)),
    "betainc": (special.betainc, _shares),
    "hyp1f1": (special.hyp1f1, _confluent),
    "expn": (lambda n, x: special.expn(n.astype(int), x), _orders),
    "polygamma": (lax.polygamma, lambda rng: (np.floor(_orders(rng)[0] / 3) + 1, _spread(rng, -4, 5))),
}
TORCH = {
    "gammainc": (torch.special.gammainc, lambda rng: _gammas(rng, 4)),
    "gammaincc": (torch.special.gammaincc, lambda rng: _gammas(rng, 4)),
    **{f"polygamma of {n}": (lambda x, n=n: torch.special.polygamma(n, x), lambda rng: (_spread(rng, -4, 5),))
       for n in (3, 10, 20)},
}  # fmt: skip
SCIPY = {
    "gammainc": (scipy.special.gammainc, _gammas),
    "gammaincc": (scipy.special.gammaincc, _gammas),
    "betainc": (scipy.special.betainc, _shares),
    "betaincc": (scipy.special.betaincc, _shares),
    "chdtr": (scipy.special.chdtr, _gammas),
}


def outside(recording, library, numbers, dtype, least=0.0):
    """Where a kernel's numbers, none of them near the end of the dtype, are not in their balls."""
    (balls,) = bound(recording.program, recording.values, ROUNDING_MODELS[library]).balls
    kept = np.abs(numbers.astype(float)) > max(NORMAL[dtype], least)
    return [i for i, b in enumerate(balls) if kept[i] and float(numbers[i]) not in b]


def drawn(how, seed, dtype, hard=()):
    args = how(np.random.default_rng(seed))
    whole = zip(args, *hard, strict=True)  # each point's own number beside the argument that it belongs to
    return [np.append(arg, points).astype(dtype) for arg, *points in whole]


@pytest.mark.parametrize("dtype", NORMAL)
@pytest.mark.parametrize("name", JAX)
def test_jax_s_kernels_are_inside(name, dtype):
    function, how = JAX[name]
    args = drawn(how, 1, dtype, HARD.get(name, ()))
    with jax.enable_x64(dtype == "float64"):
        recording = record_jax(function, tuple(map(jnp.asarray, args)), {}, differentiate=False, paired=True)
        numbers = np.asarray(function(*map(jnp.asarray, args)))
    assert outside(recording, "jax", numbers, dtype) == []


@pytest.mark.parametrize("dtype", NORMAL)
@pytest.mark.parametrize("name", TORCH)
def test_torch_s_kernels_are_inside(name, dtype):
    function, how = TORCH[name]
    args = tuple(map(torch.tensor, drawn(how, 2, dtype)))
    recording = record_aten(function, args, {}, differentiate=False)
    assert outside(recording, "torch", function(*args).numpy(), dtype) == []


@pytest.mark.parametrize("dtype", NORMAL)
@pytest.mark.parametrize("name", SCIPY)
def test_scipy_s_functions_are_inside(name, dtype):
    function, how = SCIPY[name]
    args = drawn(how, 3, dtype)
    recording = record_numpy(function, tuple(args), {})
    underflows = 1e-15 if name.startswith("beta") and dtype == "float32" else 0.0  # Boost's, inside
    assert outside(recording, "numpy", function(*args), dtype, underflows) == []


def test_a_mistake_is_outside_though_the_exponent_is_large():
    """At a = x = 100 the exponent's logarithms add up to 900: 6,400 unit roundoffs, 1e-12 of P."""
    a, x = np.array([100.0, 2.0]), np.array([100.0, 2.0])
    recording = record_numpy(scipy.special.gammainc, (a, x), {})
    (balls,) = bound(recording.program, recording.values, ROUNDING_MODELS["numpy"]).balls
    assert all(1e-14 < float(b.rad() / b) < 2e-12 for b in balls)
    found = scipy.special.gammainc(a, x) * np.array([1 + 3e-12, 1 + 3e-14])
    assert [float(v) in b for v, b in zip(found, balls, strict=True)] == [False, False]


def test_torch_s_incomplete_gamma_function_above_20_is_a_defect():
    """Its series for a large parameter has ten digits."""
    x = torch.tensor([16.187870216598814], dtype=torch.float64, requires_grad=True)
    a = torch.tensor([22.06121250546962], dtype=torch.float64)
    found = check_gradient(lambda x: torch.special.gammainc(a, x) ** 2, (x,))
    assert found.verdict is Verdict.MISCOMPUTED


def test_a_slope_by_an_exponent_is_not_accused():
    """x^(a-1) e^-x / Gamma(a) as it is usually written: it loses 10 of 53 bits at a = 400."""
    a, x = 400.0, np.linspace(380.0, 420.0, 99)
    recording = record_numpy(lambda x: scipy.special.gammainc(a, x), (x,), {})
    (balls,) = bound(vjp(recording.program, [0]), [x, np.ones(99)], ROUNDING_MODELS["numpy"]).balls
    slopes = np.exp((a - 1) * np.log(x) - x - scipy.special.gammaln(a))
    pairs = list(zip(slopes.tolist(), balls, strict=True))
    assert all(s in b for s, b in pairs)
    assert max(abs(float((s - b.mid()) / b.mid())) for s, b in pairs) > 100 * 2.0**-53


def test_half_precision_is_computed_in_float32():
    """An exponent of 900 loses 1e-4 there, and not all of a bfloat16's eight bits."""
    entry, point = SCALARS["gamma_lower"], (arb(100), arb(100))
    assert 6000 < float(losses.GAMMA_LOWER.further(*point)) < 7000
    with jax.enable_x64(False):
        args = (jnp.asarray([100.0], "bfloat16"), jnp.asarray([100.0], "bfloat16"))
        recording = record_jax(lax.igamma, args, {}, differentiate=False, paired=True)
    ((ball,),) = bound(recording.program, recording.values, ROUNDING_MODELS["jax"]).balls
    assert 2.0**-9 < float(ball.rad() / ball) < 2.0**-6
    assert entry.loss is losses.GAMMA_LOWER


def test_what_underflows_inside_of_a_kernel_is_not_accused():
    """SciPy's Q(5.6e-309, 1.43) is 0, and 6.2e-310 would be right."""
    a, x = np.array([5.562684646268003e-309]), np.array([1.43])
    recording = record_numpy(scipy.special.gammaincc, (a, x), {})
    ((ball,),) = bound(recording.program, recording.values, ROUNDING_MODELS["numpy"]).balls
    assert float(scipy.special.gammaincc(a, x)[0]) in ball
    assert 1e-307 not in ball


def test_nothing_bounds_a_series_whose_terms_have_small_divisors():
    """1F1(a; b; x) for b < 0: terms of any size."""
    assert float(losses.SERIES_1F1.whole(arb(1), 0, arb(-2), arb(0.5), arb(-1.5))) == np.inf
    assert float(losses.SERIES_1F1.whole(arb(1), 0, arb(-2), arb(0.5), arb(1.5))) < 3


def test_the_share_beyond_the_mean_has_its_digits():
    """I_x(a, b) for b = 506, x = 0.747, where Arb's own finds none at 106 bits."""
    (found,) = SCALARS["beta_lower"].taylor(arb(0.746841), 0, arb(0.018525), arb(506))
    assert found.rel_accuracy_bits() > 50
    assert abs(float(found) - 1) < 1e-15
