"""A loop that ends at the given number and nowhere else: what is asked beside it is given up."""

import numpy as np
import pytest

from harness import answers, check_gradient

X = np.array([0.3, 0.7])


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(answers, "PATIENCE_S", 0.2)


def steps(x, dt, is_over):
    """How many steps of x' = -x^2 / 10 it takes, and with which x each begins."""
    t, xs = 0.0, []
    while not is_over(t):
        xs.append(x)
        x, t = x - dt * 0.1 * x**2, t + dt
    return x, xs


def slope(xs, dt):
    g = np.ones_like(xs[0])
    for x in xs:
        g = g * (1 - 0.2 * dt * x)
    return g


@pytest.mark.parametrize("is_over", [lambda t: abs(t - 3.0) < 1e-9, lambda t: t == 3.0])
def test_a_right_gradient_is_not_accused_and_the_check_ends(is_over):
    found = check_gradient(
        lambda x, dt: np.sum(steps(x, dt, is_over)[0]), (X, 1.0),
        grad=lambda x, dt: slope(steps(x, dt, is_over)[1], dt), argnums=0,
    )  # fmt: skip
    assert found.verdict == "accurate", str(found)


def cooled(x, a):
    temperature, energy = 1.0, 0.0
    while temperature > 0.05:
        energy, temperature = energy + np.sum(x**2) / temperature * (1 - a), temperature * a
    return energy


@pytest.mark.parametrize("factor", [lambda a: 1 - a, lambda a: a])
def test_it_is_judged_by_the_numbers_at_which_it_ends(factor):
    def grad(x, a):
        temperature, found = 1.0, 0 * x
        while temperature > 0.05:
            found, temperature = found + 2 * x / temperature * factor(a), temperature * a
        return found

    found = check_gradient(cooled, (X, 0.5), grad=grad, argnums=0)
    assert found.verdict == ("accurate" if factor(0.3) == 0.7 else "wrong"), str(found)


def test_a_solver_that_needs_a_symmetric_matrix_ends():
    matrix = np.array([[4.0, 1.0, 0.5], [1.0, 3.0, 0.2], [0.5, 0.2, 2.0]])

    def solved(a, b):
        x, r = np.zeros_like(b), b.copy()
        p, square = r.copy(), r @ r
        while np.sqrt(square) > 1e-10:
            step = square / (p @ (a @ p))
            x, r = x + step * p, r - step * (a @ p)
            p, square = r + (r @ r) / square * p, r @ r
        return x

    found = check_gradient(
        lambda b, a: np.linalg.solve(a, b), (np.array([1.0, -2.0, 0.5]), matrix),
        vjp=lambda g, b, a: solved(a, g), argnums=0,
    )  # fmt: skip
    assert found.verdict in ("accurate", "undecided", "imprecise"), str(found)


def test_the_step_of_a_loop_is_no_tolerance():
    def is_over(t):
        return t >= 1

    found = check_gradient(
        lambda x, dt: np.sum(steps(x, dt, is_over)[0]), (X, 1.0),
        grad=lambda x, dt: slope(steps(x, dt, is_over)[1], 1.0), argnums=0,
    )  # fmt: skip
    assert found.verdict == "wrong", str(found)
