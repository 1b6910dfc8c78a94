"""Roots of sums of squares, and their slopes, where a length is 0 and where it may be."""

from __future__ import annotations

import operator
from functools import reduce

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from flint import arb

from harness import check_gradient
from harness.verdicts import Verdict
from oracles.exact.core import library
from oracles.exact.core.pairs import Pairs, of_balls
from oracles.exact.core.plan import Plan
from oracles.exact.core.rules import rule
from oracles.exact.enclose.evaluate import evaluate
from oracles.exact.program import functions as fn
from oracles.exact.program.balls import exact, precision
from oracles.exact.program.derive import jvp, vjp
from oracles.exact.program.primitives import convert, scalar, select
from oracles.exact.program.primitives.arrays import permute, reduce_sum, reshape
from oracles.exact.program.primitives.squares import are_squares
from oracles.exact.program.program import Builder
from oracles.exact.rounding.bound import ROUNDING_MODELS, bound
from tests.oracles.exact.core.operands import BITS, balls, missed, numbers, points
from tests.oracles.exact.programs import X, Y, build

ACCURATE, WRONG, CONVENTION = Verdict.ACCURATE, Verdict.WRONG, Verdict.CONVENTION
SEVEN = np.random.default_rng(0).normal(size=7)
PERIODIC = np.array([1.0, 2.0, 3.0, 1.0, 2.0, 3.0])

# -- the rule --------------------------------------------------------------------------------------------


def units(x, y):
    """x / |(x, y)|, of inputs of this shape."""
    return build(lambda a, b: a.builder.elementwise("unit", a, fn.hypot(a, b)), (x, y))


@pytest.mark.parametrize("seed", range(6))
def test_a_unit_contains_the_quotient_at_every_point_of_its_balls(seed):
    rng = np.random.default_rng(seed)
    x, y = (balls(rng, numbers(rng, 400)) for _ in range(2))
    with precision(BITS):
        true = [_share(*each) for each in zip(points(rng, x), points(rng, y), strict=True)]
        told = [t.is_finite() for t in true]
    program = units(x.h, y.h)
    found = [of_balls(evaluate(program, [x.balls, y.balls], bits)[0]) for bits in (53, 128)]
    quick = Plan(program, rule).run([x, y]) if library.loaded() else None
    found += quick or []
    for pairs in found:
        assert not any(told[k] for k in missed(pairs, true))
    assert sum(np.isfinite(found[0].r)) > 200


def _share(p, q):
    """p / |(p, q)|, where there is such."""
    return p / (p * p + q * q).sqrt()


def test_a_length_that_may_be_0_has_slopes_between_all_that_are_legal():
    around = Pairs(np.zeros(2), np.zeros(2), np.array([0.0, 1e-30]))
    (found,) = evaluate(units(around.h, around.h), [around.balls, around.balls], 128)
    assert all(u.contains(1) and u.contains(-1) and abs(u) < 1.001 for u in found)


@pytest.mark.parametrize("scale", [5e-324, 1e-310, 1e-170, 1e-158, 1.0, 1e170])
@pytest.mark.parametrize("keep", [False, True])
def test_a_bound_holds_what_is_divided_where_squares_underflow(scale, keep):
    rng = np.random.default_rng(0)
    x, y = (rng.integers(-9, 10, 200) * scale for _ in range(2))
    (found,) = bound(units(x, y), [x, y], ROUNDING_MODELS["numpy"], keep=keep).balls
    with np.errstate(all="ignore"):
        computed = x / np.sqrt(x * x + y * y)
    assert all(not b.is_finite() or v in b for b, v in zip(found, computed.tolist(), strict=True))


WRITTEN = {
    "a product": lambda a, b: a * a + b * b,
    "a power": lambda a, b: fn.square(a) + fn.square(b),
    "a conjugate": lambda a, b: a * a - b * -b,
    "another one": lambda a, b: b * b - -a * a,
    "rows": lambda a, b: reduce_sum(a * a, (1,)),
    "rows of two": lambda a, b: reduce_sum(a * a - -b * b, (1,)),
    "rows and columns": lambda a, b: reduce_sum(a * a, (1,)) + b[:, 0] * b[:, 0],
    "rows that stay": lambda a, b: reduce_sum(a * a, (1,), keepdims=True) + fn.square(b[:, :1]),
    "another shape": lambda a, b: reshape(a * a, (4, 3)) + reshape(b * b, (4, 3)),
    "other axes": lambda a, b: (
        permute(a * a, (1, 0)) + permute(reduce_sum(reshape(b * b, (3, 4, 1)), (2,)), (1, 0))
    ),
    "a cast": lambda a, b: convert(fn.square(convert(a, "float32")), "float64") + b * b,
    "one twice": lambda a, b: a * a + a * a,
    "a loop": lambda a, b: reduce(
        operator.add, [v * v for v in (a, b, a, b)], a.builder.constant(np.zeros(a.shape))
    ),
}
OTHERS = {
    "a difference": lambda a, b: a * a - b * b,
    "its opposite": lambda a, b: a * -a,
    "a product of two": lambda a, b: a * b + b * b,
    "a cube": lambda a, b: scalar("power", a, 3) + b * b,
    "a constant": lambda a, b: a * a + 1.0,
    "a choice": lambda a, b: select(a.builder.constant(np.ones(a.shape, bool)), a * a, b * b),
    "very many": lambda a, b: reduce(operator.add, [a * a for _ in range(2000)]),
}


@pytest.mark.parametrize("name", WRITTEN)
def test_slopes_by_what_is_squared_are_those_of_the_chain_rule(name):
    """To the second derivative, in both modes: a power of 1/2 has the chain rule."""

    def root(a, b):
        total = WRITTEN[name](a, b)
        assert are_squares(total)
        return scalar("sqrt", total)

    def power(a, b):
        return scalar("real_power", WRITTEN[name](a, b), 0.5)

    rng = np.random.default_rng(0)
    one, other = (build(function, (X, Y)) for function in (root, power))
    assert "length" in [e.params.get("function") for e in one.equations]
    given, cotangent = [X, Y], rng.normal(size=one.outputs[0].shape)
    along = [rng.normal(size=X.shape), rng.normal(size=Y.shape)]
    for derive, extra in (
        (lambda p: vjp(p, [0, 1]), [cotangent]),
        (lambda p: jvp(p, [0, 1]), along),
        (lambda p: jvp(vjp(p, [0, 1]), [0, 1]), [cotangent, *along]),
    ):
        found, wanted = (evaluate(derive(p), [*given, *extra], 256) for p in (one, other))
        for x, y in zip(found, wanted, strict=True):
            pairs = list(zip(x.ravel(), y.ravel(), strict=True))
            assert all(p.overlaps(q) and p.rel_accuracy_bits() > 200 for p, q in pairs if not p.contains(0))
            assert all(p.overlaps(q) for p, q in pairs)


@pytest.mark.parametrize("name", OTHERS)
def test_what_is_no_sum_of_squares_is_none(name):
    builder = Builder()
    assert not are_squares(OTHERS[name](*(builder.input(v.shape, "float64") for v in (X, Y))))


def test_a_difference_of_squares_has_no_root_below_0():
    a, b = np.array([1.0]), np.array([1.0 + 2.0**-40])
    program = build(lambda a, b: scalar("sqrt", a * a - b * b), (a, b))
    assert not evaluate(program, [exact(a) + arb(0, 1), b], 64)[0].item().is_finite()


# -- gradients of users ----------------------------------------------------------------------------------


def power(x):
    return np.abs(np.fft.rfft(x - x.mean())) ** 2


SPECTRA = {
    "abs": (power, lambda x: torch.fft.rfft(x - x.mean()).abs() ** 2, lambda x: jnp.abs(centred(x)) ** 2),
    "hypot": (
        lambda x: parts(np, np.fft.rfft(x - x.mean()), np.hypot) ** 2,
        lambda x: parts(torch, torch.fft.rfft(x - x.mean()), torch.hypot) ** 2,
        lambda x: parts(jnp, centred(x), jnp.hypot) ** 2,
    ),
    "norm": (
        lambda x: np.linalg.norm(pairs(np, np.fft.rfft(x - x.mean())), axis=0) ** 2,
        lambda x: torch.linalg.vector_norm(pairs(torch, torch.fft.rfft(x - x.mean())), dim=0) ** 2,
        lambda x: jnp.linalg.norm(pairs(jnp, centred(x)), axis=0) ** 2,
    ),
    "root": (
        lambda x: parts(np, np.fft.rfft(x - x.mean()), root) ** 2,
        lambda x: parts(torch, torch.fft.rfft(x - x.mean()), root) ** 2,
        lambda x: parts(jnp, centred(x), root) ** 2,
    ),
}


def centred(x):
    return jnp.fft.rfft(x - x.mean())


def parts(library, z, function):
    return function(z.real, z.imag)


def pairs(library, z):
    return library.stack([z.real, z.imag])


def root(a, b):
    return jnp.sqrt(a * a + b * b) if isinstance(a, jax.Array) else (a * a + b * b) ** 0.5


def backward(g, x, slope):
    """What the slope by each bin of the spectrum is by each number of a signal of which the mean is taken."""
    back = np.zeros(len(x), complex)
    back[: len(g)] = np.conj(slope)
    found = np.fft.fft(back).real
    return found - found.mean()


def rule_of(slope, mean=True):
    def rule(g, x):
        z = np.fft.rfft(x - x.mean() if mean else x)
        return backward(g, x, slope(g, z))

    return rule


RIGHT = rule_of(lambda g, z: 2 * g * z)
FAULTS = {
    "half": rule_of(lambda g, z: g * z),
    "sign": rule_of(lambda g, z: -2 * g * z),
    "conjugate": rule_of(lambda g, z: 2 * g * np.conj(z)),
    "a little": rule_of(lambda g, z: 2 * g * z * 1.00000001),
    "amplitude": rule_of(lambda g, z: 2 * g * np.abs(z)),
    "one bin": rule_of(lambda g, z: 2 * g * z * np.array([1, 1, 1, 1.5])),
    "mean": lambda g, x: RIGHT(g, x) + np.mean(g),
}


@pytest.mark.parametrize("name", SPECTRA)
@pytest.mark.parametrize("which", range(3))
def test_the_power_of_what_vanishes_but_for_rounding_has_a_slope(name, which):
    given = SEVEN, torch.tensor(SEVEN), jnp.asarray(SEVEN)
    rule = {"vjp": RIGHT} if which == 0 else {}
    assert check_gradient(SPECTRA[name][which], (given[which],), **rule).verdict is ACCURATE


@pytest.mark.parametrize("fault", FAULTS)
def test_a_wrong_slope_beside_it_is_wrong(fault):
    assert check_gradient(power, (SEVEN,), vjp=FAULTS[fault]).verdict is WRONG


@pytest.mark.parametrize("x", [PERIODIC, np.ones(7)])
def test_bins_that_are_0_at_a_signal_alone(x):
    """Their irrational terms cancel here and not beside it: an amplitude has a corner, its square none."""
    for f, given in (
        (lambda x: torch.fft.rfft(x).abs(), torch.tensor(x)),
        (lambda x: jnp.abs(jnp.fft.rfft(x)), jnp.asarray(x)),
    ):
        assert check_gradient(f, (given,)).verdict is CONVENTION
        assert check_gradient(lambda x, f=f: f(x) ** 2, (given,)).verdict is ACCURATE


def test_the_amplitude_of_what_is_always_0_stays_it():
    for f, given in (
        (lambda x: torch.fft.rfft(x - x.mean()).abs(), torch.tensor(SEVEN)),
        (lambda x: jnp.abs(centred(x)), jnp.asarray(SEVEN)),
    ):
        assert check_gradient(f, (given,)).verdict is ACCURATE


class Amplitude(torch.autograd.Function):
    """|z| of pairs, whose slope at 0 is any that is given."""

    @staticmethod
    def forward(ctx, x, at_zero):
        ctx.save_for_backward(x)
        ctx.at_zero = at_zero
        return torch.hypot(x[:, 0], x[:, 1])

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        size = torch.hypot(x[:, 0], x[:, 1])[:, None]
        return g[:, None] * torch.where(size > 0, x / torch.where(size > 0, size, 1.0), ctx.at_zero), None


@pytest.mark.parametrize(("at_zero", "verdict"), [(0.0, CONVENTION), (0.7, CONVENTION), (0.75, WRONG)])
def test_at_0_an_amplitude_has_the_slopes_around(at_zero, verdict):
    x = torch.tensor([[0.0, 0.0], [0.3, -0.2]], dtype=torch.float64)
    assert check_gradient(lambda x: Amplitude.apply(x, at_zero), (x,)).verdict is verdict


@pytest.mark.parametrize("size", [0.0, 1e-40])
def test_forward_a_length_moves_by_no_more_than_what_is_squared(size):
    """Along (3, 4) by 5 at the most, and not by the 7 that both slopes may be together."""
    program = jvp(build(fn.hypot, (np.ones(1), np.ones(1))), [0, 1])
    around = Pairs(np.zeros(1), np.zeros(1), np.full(1, size)).balls
    (found,) = evaluate(program, [around, around, np.array([3.0]), np.array([4.0])], 128)[0]
    assert all(found.contains(k) for k in (-5, 0, 5))
    assert abs(found) < 5.001
    far = evaluate(program, [np.array([6.0]), np.array([8.0]), np.array([3.0]), np.array([4.0])], 128)[0]
    assert far.item().contains(5)
    assert far.item().rel_accuracy_bits() > 100
