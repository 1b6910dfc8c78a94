"""Gradients by hand of losses through SciPy: the right one passes, one that forgets a term does not."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import linalg, ndimage, signal, stats
from scipy.spatial.distance import cdist, jensenshannon

from harness import check_gradient

X, Y = (np.random.default_rng(k).normal(size=(6, 3)) for k in range(2))
FILTER = signal.butter(2, 0.3)


def correlation(x, forgets):
    a, b = (v - v.mean() for v in (x, Y[:, 0].astype(x.dtype)))
    r = a @ b / np.sqrt((a @ a) * (b @ b))
    return b / np.sqrt((a @ a) * (b @ b)) - (0 if forgets else r * a / (a @ a))


def standardized(x, forgets):
    """Of the sum of scores times 0, 1, 2, ..."""
    z, c = (x - x.mean()) / x.std(), np.arange(6, dtype=x.dtype)
    return (c - c.mean() - (0 if forgets else z * np.mean(c * z))) / x.std()


def skewness(x, forgets):
    d, n = x - x.mean(), x.size
    m2, m3 = (d**2).mean(), (d**3).mean()
    return 3 * (d**2 - m2) / n / m2**1.5 - (0 if forgets else 3 * m3 / m2**2.5 * d / n)


def entropy(p, forgets):
    shares = p / p.sum()
    return -(np.log(shares) + (1 if forgets else -shares @ np.log(shares))) / p.sum()


def divergence(p, forgets):
    shares = p / p.sum()
    inner = np.log(2 * shares / (shares + p.dtype.type(1) / 6)) / 2
    return (inner - (0 if forgets else shares @ inner)) / p.sum()


def kernel(x, forgets):
    points = Y.astype(x.dtype)
    k = np.exp(-cdist(x, points, "sqeuclidean") / 2)
    return (-(1 if forgets else 2) / 2 * (k.sum(1)[:, None] * x - k @ points)).astype(x.dtype)


def back_and_forth(x, forgets):
    """The filter is not its own adjoint at the ends."""
    weights = np.arange(15, dtype=x.dtype)
    if forgets:
        return signal.filtfilt(*FILTER, weights).astype(x.dtype)
    return (signal.filtfilt(*FILTER, np.eye(15), axis=0).T @ weights).astype(x.dtype)


LINE = np.random.default_rng(2).normal(size=15)
CASES = {
    "pearsonr": (lambda x: stats.pearsonr(x, Y[:, 0].astype(x.dtype)).statistic, X[:, 0], correlation),
    "zscore": (lambda x: stats.zscore(x) @ np.arange(6, dtype=x.dtype), X[:, 0], standardized),
    "skew": (stats.skew, X[:, 0], skewness),
    "entropy": (stats.entropy, abs(X[:, 0]), entropy),
    "jensenshannon": (
        lambda p: jensenshannon(p, np.ones(6, p.dtype)) ** 2, abs(X[:, 0]), divergence,
    ),
    "cdist": (
        lambda x: np.exp(-cdist(x, Y.astype(x.dtype), "sqeuclidean") / 2).sum(), X, kernel,
    ),
    "filtfilt": (lambda x: signal.filtfilt(*FILTER, x) @ np.arange(15, dtype=x.dtype), LINE, back_and_forth),
    "detrend": (
        lambda x: (signal.detrend(x) ** 2).sum(), LINE,
        lambda x, forgets: 2 * signal.detrend(x, type="constant" if forgets else "linear"),
    ),
    "norm": (
        lambda x: x[0] / linalg.norm(x), X[:, 0],
        lambda x, forgets: (np.eye(6, dtype=x.dtype)[0] - (0 if forgets else x[0] * x / (x @ x)))
        / linalg.norm(x),
    ),
}  # fmt: skip


KERNELS = {
    "uniform_filter1d": lambda x: ndimage.uniform_filter1d(x, 3),
    "detrend": signal.detrend,
    "solve_toeplitz": lambda x: linalg.solve_toeplitz(np.array([9.0, *range(1, 15)]), x),
}


@pytest.mark.parametrize("name", KERNELS)
def test_the_numbers_of_a_kernel_that_nothing_bounds_are_those_that_ran(name):
    """Others would be taken for another path of the code, by a digit."""
    linear = KERNELS[name]
    matrix = np.stack([linear(e) for e in np.eye(15)], 1)
    for seed in range(6):
        x = np.random.default_rng(seed).normal(size=15)
        found = check_gradient(
            lambda x: (linear(x) ** 2).sum(), (x,), grad=lambda x: 2 * matrix.T @ linear(x)
        )
        assert found.verdict.name == "ACCURATE", found


@pytest.mark.parametrize("kind", ["float64", "float32"])
@pytest.mark.parametrize("name", CASES)
def test_a_gradient_that_forgets_a_term_is_wrong(name, kind):
    loss, x, gradient = CASES[name]
    for forgets, verdict in ((False, "ACCURATE"), (True, "WRONG")):
        found = check_gradient(loss, (x.astype(kind),), grad=lambda x, forgets=forgets: gradient(x, forgets))
        assert found.verdict.name == verdict, found
