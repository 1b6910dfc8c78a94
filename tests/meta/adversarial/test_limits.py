"""Limits count work and not seconds: a slow machine gives the same verdict, and what never ends stops."""

import time

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

import harness
from oracles.exact.core import plans
from oracles.exact.core.plan import Plan
from oracles.exact.enclose import evaluate
from oracles.exact.program import recording
from oracles.exact.program.errors import Undecided


class SlowClock:
    """The clock of a machine that is so many times slower."""

    def __init__(self, factor):
        self.factor, self.start, self.now = factor, time.monotonic(), time.monotonic

    def __call__(self):
        return self.start + self.factor * (self.now() - self.start)


def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def of_softmax(g, x):
    y = softmax(x)
    return (y * (g - (g * y).sum(-1, keepdims=True)),)


def cancelling(x):
    """Asks for more bits than there are."""
    return (1 + x) - 1


def iterated(x):
    for _ in range(60):
        x = np.sin(x) + 0.1
    return x


def stairs(x):
    """The second witness is asked."""
    return np.round(x * 64) / 64


ZEROS = {"boundary": ["zeros"]}
CHECKS = {
    "right": (softmax, of_softmax, [[0.5, 1.0, -2.0]], {}),
    "wrong": (softmax, lambda g, x: (1.01 * of_softmax(g, x)[0],), [[0.5, 1.0, -2.0]], {}),
    "out of bits": (lambda x: cancelling(x) * 0 + x, lambda g, x: (g,), [1e-300], {}),
    "out of work": (iterated, lambda g, x: (g,), np.full(100, 0.5), {"seconds": 1e-4}),
    "kinks": (lambda x: np.maximum(x, 0) + abs(x), lambda g, x: (g * (x > 0),), [0.0, 1.0], {}),
    "staircase": (stairs, lambda g, x: (g,), [0.3, 0.7], {}),
    "boundary": (lambda x: x * np.exp(-x), lambda g, x: (g * (1 - x) * np.exp(-x),), [0.5], ZEROS),
}


@pytest.mark.parametrize("factor", [5, 1000])
@pytest.mark.parametrize("name", CHECKS)
def test_a_slower_machine_gives_the_same_verdict(name, factor, monkeypatch):
    function, rule, at, options = CHECKS[name]
    x = np.array(at)
    quick = str(harness.check_gradient(function, (x,), vjp=rule, **options))
    monkeypatch.setattr(evaluate.time, "monotonic", SlowClock(factor))
    assert str(harness.check_gradient(function, (x,), vjp=rule, **options)) == quick


def test_exact_gradient_comes_as_far_on_a_slower_machine(monkeypatch):
    x = np.full(50, 0.5)
    quick = harness.exact_gradient(iterated, (x,), seconds=1)
    monkeypatch.setattr(evaluate.time, "monotonic", SlowClock(30))
    slow = harness.exact_gradient(iterated, (x,), seconds=1)
    assert slow.bits == quick.bits
    np.testing.assert_array_equal(slow.mid, quick.mid)


def test_the_work_that_is_asked_for_is_what_decides():
    x = np.full(100, 0.5)
    with pytest.raises(Undecided, match=r"out of work at equation \d+ of \d+ .*; raise seconds="):
        harness.exact_gradient(iterated, (x,), seconds=1e-4)
    assert harness.exact_gradient(iterated, (x,), seconds=10).shape == (100,)


def test_a_plan_counts_as_work_whether_it_is_written_or_kept(monkeypatch):
    def chain(x):
        for _ in range(40):
            x = np.sin(x)
        return x

    def checked(seconds):
        return harness.check_gradient(chain, (np.array([0.4]),), vjp=vjp, seconds=seconds)

    def vjp(g, x):
        for _ in range(40):
            g, x = g * np.cos(x), np.sin(x)
        return g

    written = []
    monkeypatch.setattr(plans, "Plan", lambda *of: written.append(of) or Plan(*of))
    few = str(checked(0.01))
    assert not written, "a plan of more work than the limit was written"
    checked(10)
    assert written
    assert str(checked(0.01)) == few


def test_what_hangs_is_ended_by_the_clock(monkeypatch):
    monkeypatch.setattr(evaluate.time, "monotonic", SlowClock(1e9))
    with pytest.raises(Undecided, match=r"hanging at equation \d+ of \d+"):
        harness.exact_gradient(iterated, (np.array(0.5),))


# -- loops that end by rounding or underflow where they run -----------------------------------------------


def halved(x):
    y = x
    while np.max(y) > 0:
        y = y / 2
    return x * x + y


def halved_once(x):
    y = abs(x[0])
    while y != 0:
        y = y * 0.5
    return x * x


def halved_by_jax(x):
    rest = jax.lax.while_loop(lambda y: jnp.max(y) > 0, lambda y: y / 2, x)
    return x * x + rest


def halved_by_torch(x):
    y = x
    while y.max() > 0:
        y = y / 2
    return x * x + y


NEVER = "decides more than 200 branches: a loop that ends by rounding or underflow"


@pytest.mark.parametrize(
    ("function", "make"),
    [
        (halved, np.array),
        (halved_once, np.array),
        (halved_by_jax, jnp.array),
        (halved_by_torch, lambda x: torch.tensor(x, dtype=torch.float64)),
    ],
)
def test_a_loop_that_never_ends_exactly_stops_with_the_reason(function, make, monkeypatch):
    monkeypatch.setattr(recording, "MOST_DECISIONS", 200)
    with pytest.raises(Undecided, match=NEVER):
        harness.exact_gradient(function, (make([1.0, 2.0]),))


def test_a_check_of_such_a_loop_is_undecided(monkeypatch):
    monkeypatch.setattr(recording, "MOST_DECISIONS", 200)
    result = harness.check_gradient(halved, (np.array([1.0]),), vjp=lambda g, x: (2 * g * x,))
    assert str(result.verdict) == "undecided"
    assert NEVER in str(result)


def test_a_backward_that_never_ends_exactly_is_undecided(monkeypatch):
    monkeypatch.setattr(recording, "MOST_DECISIONS", 200)
    rule = lambda g, x: (2 * halved(x) * g - 2 * x * x * g + 2 * x * g,)  # noqa: E731
    result = harness.check_gradient(lambda x: x * x, (np.array([1.0]),), vjp=rule)
    assert str(result.verdict) == "undecided"
    assert NEVER in str(result)


def test_a_long_loop_that_ends_is_decided():
    def counted(x):
        y = x
        while np.max(y) < 100.5:
            y = y + 1
        return y * y

    found = harness.exact_gradient(counted, (np.array([1.0]),), cotangent=np.ones(1))
    assert found.contains([202.0]).all()


def halving(x):
    """y with y^3 + y = x, by forty halvings, with `if`: of constants, so that its own derivative is 0."""
    low, high = -2.0, 2.0
    for _ in range(40):
        middle = (low + high) / 2
        if middle**3 + middle < x:
            low = middle
        else:
            high = middle
    return middle + 0 * x


@pytest.mark.parametrize(("factor", "verdict"), [(1.0, "undecided"), (2.0, "wrong"), (-1.0, "wrong")])
def test_an_implicit_rule_of_a_bisection_with_if_is_not_accused_and_a_wrong_one_is(factor, verdict):
    found = harness.check_gradient(halving, (0.37,), grad=lambda x: factor / (3 * halving(x) ** 2 + 1))
    assert found.verdict == verdict
    assert "pass the function that is meant as spec=" in str(found)


def bent(x):
    return np.sum(np.sin(x) * x) if x.sum() > 0 else np.sum(x * x)


@pytest.mark.parametrize("rule", [
    lambda x: 1.01 * (np.cos(x) * x + np.sin(x)), lambda x: 2 * (np.cos(x) * x + np.sin(x)),
    lambda x: -(np.cos(x) * x + np.sin(x)), lambda x: np.cos(x) * x, lambda x: 2 * x,
])  # fmt: skip
def test_a_wrong_rule_beside_an_innocent_if_is_wrong(rule):
    x = np.array([0.9, -0.7, 0.4, 0.1])
    assert harness.check_gradient(bent, (x,), grad=rule).verdict == "wrong"


def conjugate_gradients(a, b):
    """Ends by its residual, which in exact arithmetic is 0 after as many steps as there are unknowns."""
    x, r = np.zeros_like(b), b
    p, s = r, r @ r
    for _ in range(50):
        if np.sqrt(s) < 1e-12:
            break
        ap = a @ p
        step = s / (p @ ap)
        x, r = x + step * p, r - step * ap
        p, s = r + (r @ r) / s * p, r @ r
    return x


@pytest.mark.parametrize(("sign", "verdicts"), [(-1.0, {"accurate"}), (1.0, {"wrong", "miscomputed"})])
def test_an_iteration_that_ends_by_its_residual_is_judged_by_its_numbers_where_spec_says_what_is_meant(
    sign, verdicts
):
    def pullback(g, a, b):
        along_b = conjugate_gradients(a.T, g)
        return sign * np.outer(along_b, conjugate_gradients(a, b)), along_b

    draws = np.random.default_rng(0)
    half, b = draws.normal(size=(4, 4)), draws.normal(size=4)
    a = half @ half.T + 4 * np.eye(4)
    found = harness.check_gradient(conjugate_gradients, (a, b), vjp=pullback, spec=np.linalg.solve)
    assert str(found.verdict) in verdicts
    alone = harness.check_gradient(conjugate_gradients, (a, b), vjp=pullback)
    assert str(alone.verdict) == "undecided"
