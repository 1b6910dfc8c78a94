"""A gradient that is wrong takes no more plans than one that is right, but for one of each side."""

from __future__ import annotations

import numpy as np
import pytest

import gradproof
from harness.proof import formula
from harness.proof import program as examined
from oracles.exact.core import library, plans
from oracles.exact.core.plan import Plan

pytestmark = pytest.mark.skipif(library.loaded() is None, reason="the core is not built here")
ROWS = np.random.default_rng(0).normal(size=(3, 2))
P = np.array([0.5, -0.3])


def steps(p):
    u = np.array([0.99, 0.01, 0.3])
    for _ in range(5):
        u = u + 0.1 * np.tanh(ROWS @ p - 0.7 * u)
    return u.sum()


def slopes(p, factor=1.0):
    u, s = np.array([0.99, 0.01, 0.3]), np.zeros((3, 2))
    for _ in range(5):
        t = np.tanh(ROWS @ p - 0.7 * u)
        u, s = u + 0.1 * t, s + 0.1 * (1 - t * t)[:, None] * (ROWS - 0.7 * s)
    return factor * s.sum(0)


@pytest.fixture
def made(monkeypatch):
    """The programs for which plans are made."""
    found = []

    class Counted(Plan):
        def __init__(self, program, rule):
            found.append(program)
            super().__init__(program, rule)

    monkeypatch.setattr(plans, "Plan", Counted)
    plans._made.clear()
    return found


@pytest.mark.parametrize("factor", [1 + 1e-3, 1 + 1e-11])
def test_numbers_that_move_need_no_new_plans(made, factor):
    assert gradproof.check_gradient(steps, (P,), grad=slopes).passed
    right = len(made)
    plans._made.clear()
    made.clear()
    found = gradproof.check_gradient(steps, (P,), grad=lambda p: slopes(p, factor))
    assert found.verdict == "wrong"
    assert len(made) <= right + 2


@pytest.fixture
def compared(monkeypatch):
    """The gradient programs that are compared with the truth."""
    found, compare = [], examined.compare

    def counted(truth, recording, question):
        found.append(recording.program)
        return compare(truth, recording, question)

    monkeypatch.setattr(examined, "compare", counted)
    return found


def test_a_program_that_is_the_same_after_the_function_is_compared_once(compared):
    assert gradproof.check_gradient(steps, (P,), grad=lambda p: slopes(p, 1.001)).verdict == "wrong"
    assert len(compared) == 1


def test_one_that_the_function_leaves_something_for_is_compared_with_that(compared):
    class Layer:
        def forward(self, x):
            self.y = np.tanh(0.7 * x)
            return self.y

        def backward(self, cotangent):
            return 1.001 * 0.7 * (1 - self.y**2) * cotangent

    layer = Layer()
    found = gradproof.check_gradient(layer.forward, (P,), vjp=lambda cotangent, x: layer.backward(cotangent))
    assert found.verdict == "wrong"
    assert len(compared) == 4  # it keeps something, so it is asked after a run elsewhere, too


def test_a_wrong_gradient_of_a_function_with_branches_is_looked_at_from_a_distance_once(monkeypatch):
    """It has the same numbers when it is recorded after its forward, so nothing else is found there."""

    def path(x):
        whole = 0.0
        for row in x:
            whole = abs(row[0] - row[1]) + min(whole, whole + row[1], row[0] * row[1])
        return whole

    asked, looked = formula.sides_with_rule, []

    def counted(*args, **more):
        looked.append(args)
        return asked(*args, **more)

    monkeypatch.setattr(formula, "sides_with_rule", counted)
    x = np.random.default_rng(0).normal(size=(3, 2))
    assert gradproof.check_gradient(path, (x,), grad=np.zeros_like).verdict == "wrong"
    assert len(looked) == 1
