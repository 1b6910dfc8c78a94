"""Gradient programs that divide by an amplitude which vanishes but for rounding."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

from harness import check_gradient
from harness.verdicts import Verdict
from oracles.exact.program import functions as fn
from oracles.exact.program.primitives import compare, scalar, select
from oracles.exact.program.primitives.arrays import reduce_sum
from oracles.exact.program.units import bounded
from tests.oracles.exact.programs import X, Y, build

SEVEN = np.random.default_rng(0).normal(size=7)
PERIODIC = np.array([1.0, 2.0, 3.0, 1.0, 2.0, 3.0])


def either(a, b, name="or"):
    return a.builder.elementwise(name, a, b, dtype="bool")


def guarded(name, other=1.0, zero=0.0):
    """a / |(a, b)|, where a comparison of that with 0 holds."""

    def function(a, b):
        r = fn.hypot(a, b)
        chosen = compare(name, r, 0.0)
        sides = (r, other) if name in ("gt", "ne") else (other, r)
        quotient = a / select(chosen, *sides)
        return select(chosen, *((quotient, zero) if name in ("gt", "ne") else (zero, quotient)))

    return function


def guarded_by_more(a, b):
    r = fn.hypot(a, b)
    chosen = either(compare("gt", r, 0.0), compare("gt", a, 0.5), "and")
    return select(chosen, a / r, 0.0) + b / select(chosen, r, 1.0)


BOUNDED = {
    "a length": lambda a, b: a / fn.hypot(a, b),
    "of the other": lambda a, b: b / fn.hypot(a, b),
    "the opposite": lambda a, b: -a / fn.hypot(a, b),
    "a row's": lambda a, b: a / scalar("sqrt", reduce_sum(a * a, (1,), keepdims=True)),
    **{name: guarded(name) for name in ("gt", "ne", "eq", "le")},
}
OTHERS = {
    "another row's": lambda a, b: a[::-1] / scalar("sqrt", reduce_sum(a * a, (1,), keepdims=True)),
    "of others": lambda a, b: a / fn.hypot(b, b + 1.0),
    "no length": lambda a, b: a / scalar("sqrt", a * a + b),
    "a difference's": lambda a, b: a / scalar("sqrt", a * a - b * b),
    "a sum of what is squared": lambda a, b: (a + b) / fn.hypot(a, b),
}


@pytest.mark.parametrize("name", BOUNDED)
def test_what_is_divided_by_its_own_length_has_bounds(name):
    found = bounded(build(BOUNDED[name], (X, Y)))
    assert found is not None
    names = [e.primitive.name for e in found.equations]
    assert "unit" in names
    assert not {"div", "select", "gt", "eq"} & set(names)


@pytest.mark.parametrize("name", OTHERS)
def test_what_is_divided_by_anything_else_has_none(name):
    assert bounded(build(OTHERS[name], (X, Y))) is None


def test_a_choice_by_more_than_the_length_stays_one():
    """Where both have to hold, and one does not, the length may be any."""
    found = bounded(build(guarded_by_more, (X, Y)))
    names = [e.primitive.name for e in found.equations]
    assert (names.count("unit"), names.count("select"), names.count("div")) == (1, 2, 1)


@pytest.mark.parametrize(
    ("name", "other", "zero"),
    [
        ("gt", 0.0, 0.0),
        ("gt", 1.0, 2.0),
        ("ge", 1.0, 0.0),
        ("lt", 1.0, 0.0),
    ],
)
def test_a_choice_of_other_numbers_stays_one(name, other, zero):
    found = bounded(build(guarded(name, other, zero), (X, Y)))
    assert found is None or "select" in [e.primitive.name for e in found.equations]


# -- verdicts --------------------------------------------------------------------------------------------

WAYS = {
    "unit": lambda np, z, r: z / r,
    "sign": lambda np, z, r: np.sgn(z) if np is torch else np.sign(z),
    "guarded": lambda np, z, r: np.where(r > 0, z / np.where(r > 0, r, 1.0), 0.0),
}
FACTORS = [1.0, 0.5, -1.0, 1 + 1e-9]


def back(np, x, slope, power):
    bins = np.concatenate([np.conj(slope), np.zeros(len(x) - len(slope), dtype=slope.dtype)])
    found = np.fft.fft(bins).real
    return found - found.mean() if power else found


def spectrum(np, x, power):
    z = np.fft.rfft(x - x.mean() if power else x)
    return np.abs(z) ** 2 if power else np.abs(z)


def rule(np, x, g, way, factor, power):
    z = np.fft.rfft(x - x.mean() if power else x)
    r = np.abs(z)
    return back(np, x, factor * g * (2 * r if power else 1.0) * WAYS[way](np, z, r), power)


class Spectrum(torch.autograd.Function):
    """As the others."""

    @staticmethod
    def forward(ctx, x, *how):
        ctx.save_for_backward(x)
        ctx.how = how
        return spectrum(torch, x, how[-1])

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return rule(torch, x, g, *ctx.how), None, None, None


def in_jax(way, factor, power):
    @jax.custom_vjp
    def function(x):
        return spectrum(jnp, x, power)

    function.defvjp(
        lambda x: (spectrum(jnp, x, power), x), lambda x, g: (rule(jnp, x, g, way, factor, power),)
    )
    return function


def asked(system, x, *how):
    if system == "numpy":
        return check_gradient(lambda x: spectrum(np, x, how[-1]), (x,), vjp=lambda g, x: rule(np, x, g, *how))
    if system == "jax":
        return check_gradient(in_jax(*how), (jnp.asarray(x),))
    return check_gradient(lambda x: Spectrum.apply(x, *how), (torch.tensor(x),))


@pytest.mark.parametrize("system", ["numpy", "torch", "jax"])
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("factor", FACTORS)
def test_a_factor_is_seen_where_the_gradient_divides_by_what_vanishes(system, way, factor):
    if np.float32(factor) == 1.0 and factor != 1.0 and system == "jax":
        factor = 1 + 1e-5  # of float32
    found = asked(system, SEVEN, way, factor, True)
    assert found.verdict is (Verdict.ACCURATE if factor == 1.0 else Verdict.WRONG)
    assert not any("not examined" in note for note in found.notes)


@pytest.mark.parametrize("way", ["sign", "guarded"])
@pytest.mark.parametrize("factor", [1.0, 0.5, 2.0, -1.0])
def test_at_a_corner_of_the_amplitude_no_factor_passes(way, factor):
    """The slopes of each bin are a hull there; along directions they are not."""
    found = asked("torch", PERIODIC, way, factor, False)
    assert found.passed is (factor == 1.0)
    assert factor != 1.0 or found.verdict is Verdict.CONVENTION
