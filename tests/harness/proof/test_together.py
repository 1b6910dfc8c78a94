"""What two arguments hide together: zeros, or a mask that leaves nothing, and a factor of 1."""

import numpy as np
import pytest
import torch

from harness import check_gradient

RNG = np.random.default_rng(0)
X, W, R = RNG.normal(size=3), RNG.normal(size=3), RNG.normal(size=5)
ZEROS = np.zeros(3)


class Lora(torch.autograd.Function):
    """A pair of matrices of low rank, as it begins: the second is 0; the first one lacks the scale."""

    @staticmethod
    def forward(ctx, x, a, b, scale, forgets):
        ctx.save_for_backward(x, a, b)
        ctx.scale, ctx.forgets = scale, forgets
        return scale * (x @ a.T) @ b.T

    @staticmethod
    def backward(ctx, g):
        x, a, b = ctx.saved_tensors
        scale = 1.0 if ctx.forgets else ctx.scale
        return ctx.scale * (g @ b) @ a, scale * (g @ b).T @ x, ctx.scale * g.T @ (x @ a.T), None, None


@pytest.mark.parametrize("forgets", [False, True])
def test_a_scale_of_1_beside_a_matrix_of_zeros(forgets):
    torch.manual_seed(0)
    x, a = torch.randn(5, 4, dtype=torch.float64), torch.randn(2, 4, dtype=torch.float64)
    args = (x, a, torch.zeros(3, 2, dtype=torch.float64), 1.0, forgets)
    found = check_gradient(Lora.apply, args)
    assert found.verdict == ("wrong" if forgets else "accurate"), str(found)
    if forgets:
        assert "there b is all 0 and scale is 1" in str(found)


def masked(x, w, m):
    return m * (x * w)


def film(x, gamma, tau):
    return x * (1 + gamma / tau)


def returns(r, d, discount):
    return r[:-1] + discount * (1 - d) * r[1:]


def of_returns(g, factor):
    onto = np.zeros(5)
    onto[:-1] += g
    onto[1:] += g * factor
    return onto


CASES = {
    "a mask": (masked, (ZEROS, W, np.ones(3)), (0, 1), lambda g, x, w, m: (g * m * w, g * x * m),
               lambda g, x, w, m: (g * m * w, g * x)),
    "a temperature": (film, (X, ZEROS, 1.0), (0, 1), lambda g, x, y, t: (g * (1 + y / t), g * x / t),
                      lambda g, x, y, t: (g * (1 + y), g * x / t)),
    "a mask that leaves nothing": (
        returns, (R, np.ones(4), 1.0), 0, lambda g, r, d, c: of_returns(g, c * (1 - d)),
        lambda g, r, d, c: of_returns(g, 1 - d),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_each_is_asked_where_the_other_moves(name):
    function, args, argnums, right, wrong = CASES[name]
    assert check_gradient(function, args, vjp=right, argnums=argnums).passed
    found = check_gradient(function, args, vjp=wrong, argnums=argnums)
    assert found.verdict == "wrong", str(found)
    assert "this was found beside the given point" in str(found)


@pytest.mark.parametrize("temperature", [1.0, 2.0])
def test_labels_of_1_and_weights_of_0_accuse_nobody(temperature):
    """The rule holds for labels of 1 and -1 alone."""
    data = RNG.normal(size=(5, 3))

    def loss(w, y, t):
        return np.sum((1 - y * (data @ w) / t) ** 2)

    found = check_gradient(
        loss, (ZEROS, np.ones(5), temperature),
        grad=lambda w, y, t: 2 * data.T @ (data @ w / t - y) / t, argnums=0,
    )  # fmt: skip
    assert found.passed, str(found)


def clipped(new, old):
    """The loss of proximal policy optimisation, of logarithms of probabilities."""
    ratio = np.exp(new - old)
    return -np.sum(np.minimum(ratio * GAINS, np.clip(ratio, 0.8, 1.2) * GAINS))


def of_clipped(new, old):
    ratio = np.exp(new - old)
    return np.where(ratio * GAINS <= np.clip(ratio, 0.8, 1.2) * GAINS, -ratio * GAINS, 0)


GAINS, LOGS = RNG.normal(size=4), np.log([0.1, 0.4, 0.3, 0.2])
TWINS = {
    "a policy as it begins": (clipped, LOGS, of_clipped, lambda new, old: -GAINS, 0),
    "exchanged": (
        lambda a, b: np.sum(a * b), GAINS, lambda a, b: (b, a), lambda a, b: (a, b), (0, 1)
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", TWINS)
def test_what_two_equal_arguments_hide_is_asked_where_they_differ(name):
    function, numbers, right, wrong, argnums = TWINS[name]
    args = (numbers, numbers.copy())
    assert check_gradient(function, args, grad=right, argnums=argnums).passed
    found = check_gradient(function, args, grad=wrong, argnums=argnums)
    assert found.verdict == "wrong", str(found)
