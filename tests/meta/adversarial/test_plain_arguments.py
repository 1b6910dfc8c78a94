"""An argument that is not differentiated may be used as no rule knows: with it alone NumPy computes."""

import numpy as np
import pytest
from scipy import interpolate, sparse, spatial, stats

import harness

RNG = np.random.default_rng(0)
X, W = RNG.normal(size=(6, 2)), np.array([0.3, -0.2])
TIMES, EVENTS = np.array([3.0, 1, 4, 1.5, 5, 2]), np.array([1.0, 1, 0, 1, 0, 1])


def cox(w, times, events):
    """The partial likelihood of a proportional hazards model."""
    order = np.lexsort((-events, -times))
    eta = X[order] @ w
    return -np.sum(events[order] * (eta - np.logaddexp.accumulate(eta)))


def of_cox(w, times, events):
    order = np.lexsort((-events, -times))
    at, e = X[order], events[order]
    risk = np.exp(at @ w)
    return -at.T @ (e - risk * np.cumsum((e / np.cumsum(risk))[::-1])[::-1])


@pytest.mark.parametrize(("factor", "verdict"), [(1.0, "accurate"), (1.1, "wrong")])
def test_an_order_of_what_is_given(factor, verdict):
    found = harness.check_gradient(
        cox, (W, TIMES, EVENTS), grad=lambda *args: factor * of_cox(*args), argnums=0
    )
    assert found.verdict == verdict, str(found)
    assert "was not examined" not in str(found)


def test_it_is_in_doubt_where_that_is_differentiated():
    found = harness.check_gradient(cox, (W, TIMES, EVENTS), grad=of_cox, argnums=(0, 1))
    assert found.verdict == "unsupported"


TAKES = {
    "ranks": stats.rankdata,
    "a spline": lambda c: interpolate.CubicSpline(np.arange(6.0), c)(2.5),
    "a sparse matrix": lambda c: sparse.diags(c) @ np.ones(6),
    "neighbours": lambda c: spatial.cKDTree(c[:, None]).query(c[:, None], k=2)[0][:, 1],
}


@pytest.mark.parametrize("name", TAKES)
def test_what_has_no_rule_is_a_constant(name):
    total = TAKES[name]
    found = harness.check_gradient(
        lambda w, c: np.sum(total(c)) * np.sum(w**2), (W, TIMES),
        grad=lambda w, c: 2 * np.sum(total(c)) * w, argnums=0,
    )  # fmt: skip
    assert found.passed, str(found)
    found = harness.check_gradient(
        lambda w, c: np.sum(total(c)) * np.sum(w**2), (W, TIMES), grad=lambda w, c: 2 * w, argnums=0
    )
    assert found.verdict == "wrong", str(found)
