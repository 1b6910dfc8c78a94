"""JAX reads and writes outside an array without an error: what it does there is what is recorded."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

import harness
from harness.verdicts import Verdict
from oracles.exact.enclose.evaluate import evaluate
from oracles.exact.from_jaxpr import record

X = jnp.arange(5.0) + 0.5
AT = jnp.array([0, 7, -1, -9, 3])
M = jnp.arange(12.0).reshape(3, 4) + 0.5
ALONG = jnp.array([[0, 5, -1], [3, -7, 1]])
ROWS, POINTS = lax.GatherDimensionNumbers((1,), (), (0,)), lax.GatherDimensionNumbers((), (0,), (0,))
OUTSIDE = jnp.array([[-1], [3], [1]])


def rows(x):
    return M * x[:3, None]


def written(how, mode="promise_in_bounds"):
    return lambda x: getattr(x.at[AT], how)(x**2, mode=mode)


def add_windows(x):
    numbers = lax.ScatterDimensionNumbers((1,), (), (0,))
    return lax.scatter_add(x, OUTSIDE, jnp.outer(x[:3], x[:3]), numbers, mode="promise_in_bounds")


VALUES = {
    "an index": lambda x: x[jnp.array([0, 7])],
    "a negative index": lambda x: x[jnp.array([-9, 1])],
    "two indices": lambda x: rows(x)[jnp.array([0, 5]), jnp.array([1, 9])],
    "rows": lambda x: rows(x)[jnp.array([0, 5])],
    "get": lambda x: x.at[AT].get(),
    "get promised": lambda x: x.at[AT].get(mode="promise_in_bounds"),
    "gather": lambda x: lax.gather(x, jnp.array([[-1], [6]]), POINTS, (1,)),
    "gather windows": lambda x: lax.gather(x, OUTSIDE, ROWS, (3,)),
    **{how: written(how) for how in ("set", "add", "subtract", "min", "max", "multiply")},
    "add windows": add_windows,
}


@pytest.mark.parametrize("name", VALUES)
def test_the_value_is_what_jax_gives(name):
    f = VALUES[name]
    recording = record(f, (X,), {}, exactly=True)
    (found,) = evaluate(recording.program, recording.values, 128)
    assert np.allclose(found.astype(float), np.asarray(f(X)), rtol=1e-6)


# JAX moves a read inside and drops a write, and has the one as the gradient of the other.
CONSISTENT = {"set", "min", "max"}


@pytest.mark.parametrize("name", [n for n in VALUES if n != "multiply"])
def test_the_gradient_is_judged_by_the_value(name):
    expected = Verdict.ACCURATE if name in CONSISTENT else Verdict.WRONG
    assert harness.check_gradient(VALUES[name], (X,)).verdict is expected


def test_a_gradient_that_jax_refuses_is_unsupported():
    found = harness.check_gradient(VALUES["multiply"], (X,))
    assert found.verdict is Verdict.UNSUPPORTED
    assert "no two indices are equal" in str(found)


NOWHERE = {
    "take": lambda x: jnp.take(x, AT),
    "a sum": lambda x: jnp.sum(jnp.take(x, AT)),
    "get": lambda x: x.at[AT].get(mode="fill"),
    "along": lambda x: jnp.take_along_axis(rows(x)[:2], ALONG, 1),
    "written": lambda x: x + jnp.nan,
}


@pytest.mark.parametrize("f", NOWHERE.values(), ids=NOWHERE)
def test_a_value_that_is_nan_has_no_derivative(f):
    found = harness.check_gradient(f, (X,))
    assert found.verdict is Verdict.UNDECIDED
    assert "its value is NaN" in str(found)


def test_a_wrong_gradient_that_is_nan_is_no_such_point():
    f = jax.custom_vjp(lambda x: x * 2)
    f.defvjp(lambda x: (x * 2, None), lambda _, g: (g * jnp.nan,))
    assert harness.check_gradient(f, (X,)).verdict in {Verdict.WRONG, Verdict.MISCOMPUTED}
