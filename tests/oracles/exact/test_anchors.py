"""The shift of a logarithm of a sum of exponentials is an exact number: values and slopes stay the same."""

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
import torch

import harness
from oracles.exact.from_numpy import record
from oracles.exact.program.anchors import anchor_

X = np.random.default_rng(0).normal(size=(3, 4)) * 5


def anchors(function, *args):
    return sum(e.primitive is anchor_ for e in record(function, args).program.equations)


def plain(x):
    m = x.max(axis=1)
    return np.log(np.exp(x - m[:, None]).sum(axis=1)) + m


def kept(x):
    m = np.max(x, axis=1, keepdims=True)
    return (m + np.log(np.sum(np.exp(x - m), axis=1, keepdims=True)))[:, 0]


def by_columns(x):
    m = np.max(x.T, axis=0)
    return m + np.log(np.sum(np.exp(x.T - m), axis=0))


def of_all(x):
    m = x.max()
    return m + np.log(np.sum(np.exp(x - m)))


def shared(x):
    """What is shifted is read once more, and moves with the shift."""
    m = x.max(axis=1, keepdims=True)
    z = x - m
    return (np.log(np.exp(z).sum(axis=1, keepdims=True)) + m + z.min(axis=1, keepdims=True))[:, 0]


@pytest.mark.parametrize("function", [plain, kept, by_columns, of_all, shared])
def test_its_slopes_are_those_of_the_sum(function):
    assert anchors(lambda x: function(x).sum(), X)
    found = harness.exact_gradient(lambda x: function(x).sum(), (X,))
    with mpmath.workdps(50):
        rows = [X.ravel().tolist()] if function is of_all else X.tolist()
        shares = []
        for row in rows:
            e = [mpmath.exp(v) for v in row]
            shares.append([v / sum(e) for v in e])
        if function is shared:  # the least of x, less the largest
            for row, own in zip(X.tolist(), shares, strict=True):
                own[row.index(min(row))] += 1
                own[row.index(max(row))] -= 1
        expected = [v for row in shares for v in row]
        for ball, true in zip(found.balls.ravel(), expected, strict=True):
            assert abs(mpmath.mpf(str(ball.mid().str(40, radius=False))) - true) < mpmath.mpf(10) ** -25


def test_it_is_right_at_a_tie_and_where_all_is_masked_but_one():
    x = np.array([[1.0, 1.0, 0.0], [2.0, -np.inf, -np.inf], [0.5, 0.5, 0.5]])

    def masked(w):
        z = np.where(np.isinf(x), -np.inf, x * w)
        m = z.max(axis=1)
        return np.sum(np.log(np.exp(z - m[:, None]).sum(axis=1)) + m)

    def grad(w):
        rows = [np.array(row) for row in ([1.0, 1.0, 0.0], [2.0], [0.5, 0.5, 0.5])]
        return np.array(sum(np.sum(row * np.exp(row * w)) / np.sum(np.exp(row * w)) for row in rows))

    found = harness.check_gradient(masked, (np.array(1.5),), grad=grad)
    assert found.verdict == "accurate", str(found)


@pytest.mark.parametrize("function", [
    lambda x: np.log(np.exp(x - x.max(1)[[1, 2, 0]][:, None]).sum(1)) + x.max(1),  # another row's
    lambda x: np.log(np.exp(x - x.max(1)[:, None]).sum(0)) + x.max(1)[0],  # several rows' in one sum
    lambda x: np.log(np.exp(x - x.max(1)[:, None]).sum(1)) + x.min(1),
    lambda x: np.log(np.exp(x - x.max(1)[:, None]).sum(1)) - x.max(1),
    lambda x: np.log(np.exp(2 * (x - x.max(1)[:, None])).sum(1)) + x.max(1),
])  # fmt: skip
def test_a_shift_that_is_not_undone_moves_the_result(function):
    assert not anchors(lambda x: function(x).sum(), X)
    found = harness.exact_gradient(lambda x: function(x).sum(), (X,)).mid
    step = 1e-6 * np.eye(X.size).reshape(-1, *X.shape)
    slopes = [(function(X + d).sum() - function(X - d).sum()) / 2e-6 for d in step]
    assert np.allclose(found.ravel(), slopes, atol=1e-6)


def forward(a, e):
    def step(alpha, own):
        return jax.nn.logsumexp(alpha[:, None] + a, 0) + own, None

    return jax.nn.logsumexp(jax.lax.scan(step, jnp.zeros(3), e)[0])


def test_a_hundred_steps_keep_their_digits():
    """Each had cost a factor of 3; in PyTorch the kernel is one primitive."""
    rng = np.random.default_rng(1)
    a, e = rng.normal(size=(3, 3)), rng.normal(size=(100, 3))
    with jax.enable_x64(True):
        mine = harness.exact_gradient(forward, (jnp.asarray(a), jnp.asarray(e)))[0]

    def in_torch(a, e):
        alpha = torch.zeros(3, dtype=torch.float64)
        for own in e:
            alpha = torch.logsumexp(alpha[:, None] + a, 0) + own
        return torch.logsumexp(alpha, 0)

    theirs = harness.exact_gradient(in_torch, (torch.tensor(a), torch.tensor(e)))[0]
    assert np.allclose(mine.mid, theirs.mid, rtol=1e-14)
    assert (np.abs(mine.mid - theirs.mid) <= mine.radius + theirs.radius + 1e-16 * np.abs(mine.mid)).all()
