"""Balls grow along many steps: other numbers are told as narrowly as the truth, or they explain nothing."""

import numpy as np
import pytest

import harness

COSTS = np.abs(np.random.default_rng(0).normal(size=(2, 3)))
ROWS, COLUMNS = np.array([0.3, 0.7]), np.array([0.2, 0.5, 0.3])  # sum to 1 but for their rounding


def plain(x, axis):
    return np.log(np.sum(np.exp(x), axis=axis))


def stable(x, axis):
    top = x.max(axis, keepdims=True)
    return np.squeeze(top, axis) + np.log(np.sum(np.exp(x - top), axis=axis))


def transport(log_sum, costs, rows, columns, steps):
    """The cost of optimal transport by Sinkhorn's steps, and the plan, which is its gradient."""
    f, g = np.zeros(len(rows)), np.zeros(len(columns))
    for _ in range(steps):
        g = (np.log(columns) - log_sum((f[:, None] - costs) / 0.5, 0)) * 0.5
        f = (np.log(rows) - log_sum((g[None] - costs) / 0.5, 1)) * 0.5
    return np.sum(f * rows) + np.sum(g * columns), np.exp((f[:, None] + g[None] - costs) / 0.5)


def checked(log_sum, own, change, steps=20):
    return harness.check_gradient(
        lambda *given: transport(log_sum, *given, steps)[0],
        (COSTS, ROWS, COLUMNS),
        grad=lambda *given: change(transport(own, *given, steps)[1]),
        argnums=0,
        probes=False,
    )


@pytest.mark.parametrize("log_sum", [plain, stable])
def test_rounded_marginals_explain_what_they_change_however_the_steps_are_written(log_sum):
    found = checked(log_sum, log_sum, lambda plan: plan)
    assert found.verdict == "accurate"
    assert "the rounding of argument 1, argument 2 explains that" in str(found)


@pytest.mark.parametrize("factor", [2.0, 1.01, 1 + 1e-9, 1 + 1e-12, 1 + 1e-14])
def test_a_wrong_factor_stays_wrong(factor):
    assert checked(stable, stable, lambda plan: factor * plan).verdict == "wrong"


@pytest.mark.parametrize("factor", [1.00000000001, 1.000000000001])
def test_a_program_that_few_bits_leave_wide_meets_nothing_by_its_literals(factor):
    assert checked(plain, stable, lambda plan: factor * plan).verdict == "wrong"


def test_a_truth_that_few_bits_leave_wide_meets_nothing_by_its_literals():
    assert checked(stable, stable, lambda plan: 1.000000000001 * plan, steps=50).verdict == "wrong"
