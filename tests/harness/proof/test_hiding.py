"""What hides a mistake at the given point alone: 0 and 1, and numbers that come from elsewhere."""

import numpy as np
import pytest
import torch

from gradproof import check_gradient, check_layer

rng = np.random.default_rng(1)
X, Y = rng.normal(size=(6, 3)), rng.normal(size=6)
W = rng.normal(size=3)


def loss(v):
    return np.sum(np.tanh(X @ v - Y) ** 2)


def slope(v):
    return 2 * np.tanh(X @ v - Y) * (1 - np.tanh(X @ v - Y) ** 2)


COPY, KEPT = W.copy(), X.T @ slope(W)
ELSEWHERE = {
    "all of it": lambda v: X.T @ slope(W),
    "one factor": lambda v: X.T @ (2 * np.tanh(X @ v - Y) * (1 - np.tanh(X @ W - Y) ** 2)),
    "a default": lambda v, w=COPY: X.T @ slope(w),
}


@pytest.mark.parametrize("name", ELSEWHERE)
def test_a_gradient_that_reads_the_numbers_elsewhere_is_wrong(name):
    found = check_gradient(loss, (W,), grad=ELSEWHERE[name])
    assert found.verdict == "wrong"
    assert "the gradient has the numbers of v from elsewhere" in str(found)
    assert check_gradient(loss, (W,), grad=ELSEWHERE[name], probes=False).passed


def test_of_numbers_that_are_given_for_a_gradient_it_is_said():
    found = check_gradient(loss, (W,), grad=lambda v: KEPT)
    assert found.passed
    assert "the gradient does not read v, with which the derivative moves" in str(found)
    assert "does not read" not in str(check_gradient(loss, (W,), grad=lambda v: X.T @ slope(v)))


def test_a_variable_that_both_write_is_no_number_of_the_rules():
    last = None

    def wave(x):
        nonlocal last
        last = np.sin(x)
        return (last * last).sum()

    def gradient(x):
        wave(x)
        return 2 * last * np.cos(x)

    assert check_gradient(wave, (W,), grad=gradient).verdict == "accurate"


def test_what_a_gradient_chooses_by_it_reads():
    """Of a maximum the backward knows the place alone, and looks for it at each point."""

    def largest(x):
        return x[np.argmax(x, axis=0), np.arange(3)]

    def backward(g, x):
        dx = np.zeros_like(x)
        dx[np.argmax(x, axis=0), np.arange(3)] = g
        return dx

    found = check_gradient(largest, (np.sin(np.arange(12.0).reshape(4, 3)),), vjp=backward)
    assert found.passed
    assert "does not read" not in str(found)


class Clipped(torch.autograd.Function):
    """Its forward leaves the tensors, so that nobody can look into it."""

    @staticmethod
    def forward(ctx, x, high):
        ctx.save_for_backward(x, high)
        return torch.sin(x).clamp(max=high.item())

    @staticmethod
    def backward(ctx, g):
        x, high = ctx.saved_tensors
        below = torch.sin(x) < high
        return g * below * torch.cos(x), (g * ~below).sum()


def test_of_a_gradient_that_nobody_can_look_into_nothing_is_said_of_what_it_reads():
    x, high = torch.tensor([0.3, 1.2, 2.0, 0.7]).double(), torch.tensor(0.8).double()
    found = check_gradient(Clipped.apply, (x, high), spec=lambda x, high: torch.minimum(torch.sin(x), high))
    assert found.passed
    assert "the formula was not examined" in str(found)
    assert "does not read" not in str(found)


def test_a_global_of_the_same_numbers_accuses_nobody():
    assert check_gradient(loss, (W,), grad=lambda v: X.T @ slope(v)).passed
    assert check_gradient(lambda x: np.sum(x * (x - X)), (X,), grad=lambda x: 2 * x - X).passed


def test_a_number_from_elsewhere_is_found():
    rate = 0.3
    assert not check_gradient(lambda r: np.exp(2 * r), (0.3,), grad=lambda r: 2 * np.exp(2 * rate)).passed
    assert check_gradient(lambda r: 0.3 * r * r, (0.3,), grad=lambda r: 0.6 * r).passed


def test_a_layer_that_reads_a_global_is_found():
    class Tanh:
        def forward(self, x):
            self.x = x
            return np.tanh(x)

        def backward(self, d):
            return d * (1 - np.tanh(self.x) ** 2)

    class OfX(Tanh):
        def backward(self, d):
            return d * (1 - np.tanh(X) ** 2)

    assert check_layer(Tanh(), X).passed
    assert check_layer(OfX(), X).verdict == "wrong"


def test_a_backward_of_torch_that_reads_a_global_is_found():
    given = torch.tensor(W)

    class Exp(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x.exp()

        @staticmethod
        def backward(ctx, g):
            return g * given.exp()

    assert check_gradient(lambda x: Exp.apply(x), (given,)).verdict == "wrong"


def weighted(w, x, weights):
    return np.sum(weights * (x @ w - Y) ** 2)


ONES = {
    "weights": np.ones(6),
    "a mask": np.ones(6, bool),
    "a mask of integers": np.ones(6, int),
    "float32": np.ones(6, np.float32),
}


@pytest.mark.parametrize("name", ONES)
def test_weights_that_the_gradient_forgets_show_beside_ones(name):
    def forgets(w, x, weights):
        return x.T @ (2 * (x @ w - Y))

    def right(w, x, weights):
        return x.T @ (2 * weights * (x @ w - Y))

    found = check_gradient(weighted, (W, X, ONES[name]), grad=forgets, argnums=0)
    assert found.verdict == "wrong"
    assert "weights is all 1" in str(found)
    assert check_gradient(weighted, (W, X, ONES[name]), grad=right, argnums=0).passed


def test_integers_that_are_no_mask_stay():
    seen = []

    def power(w, n):
        seen.append(n.copy())
        return np.sum(w[:, None] ** n)

    n = np.ones(4, int)
    assert check_gradient(
        power, (W, n), grad=lambda w, n: (n * w[:, None] ** (n - 1)).sum(1), argnums=0
    ).passed
    assert all((one == 1).all() for one in seen)


P = np.array([0.2, 0.5, 0.3])
KINDS = np.eye(3)[[0, 2, 1]]


def entropy(z, t):
    return np.sum(np.log(np.exp(z).sum(-1))) - np.sum(t * z)


def by_classes(z, t):
    e = np.exp(z)
    return e / e.sum(-1, keepdims=True) - np.eye(3)[np.argmax(t, -1)], -z


KEPT_BY_NAME = {
    "probabilities": (
        lambda p: -np.log(np.clip(p, 1e-9, 1)).sum(),
        (P,),
        lambda p, q=P: -1 / np.clip(p, 1e-9, 1) + 0 * q,
    ),
    "a target of ones and zeros": (entropy, (np.ones((3, 3)) * [1.0, 2.0, 4.0], KINDS), by_classes),
    "a direction": (lambda u: W @ u / (u @ u), (P / np.sqrt(P @ P),), lambda u, v=P: W - 2 * u * (W @ u)),
}


@pytest.mark.parametrize("name", KEPT_BY_NAME)
def test_arguments_that_must_be_something_stay_that(name):
    function, args, grad = KEPT_BY_NAME[name]
    assert check_gradient(function, args, grad=grad).passed


def test_what_only_a_log_holds_is_not_named():
    history = []

    def function(p):
        history.append(p.copy())
        return -np.log(np.clip(p, 1e-9, 1)).sum()

    for _ in range(2):
        assert check_gradient(function, (P,), grad=lambda p: -1 / np.clip(p, 1e-9, 1)).passed


ONES_THAT_ARE_RIGHT = {
    "a square mask": (lambda x, m: np.sum((m * x) ** 2), np.ones((3, 3)), lambda x, m: 2 * m * x),
    "a mask by where": (
        lambda x, m: np.sum((m * x) ** 2), np.ones((3, 3)), lambda x, m: np.where(m > 0, 2 * x, 0),
    ),
    "a scale": (
        lambda x, s: np.sum(x / np.maximum(s, 1e-3)), np.ones((3, 3)), lambda x, s: 1 / s + 0 * x,
    ),
    "labels": (lambda x, y: np.sum((1 - y * x) ** 2), np.ones((3, 3)), lambda x, y: 2 * (x - y)),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore:divide by zero")
@pytest.mark.parametrize("name", ONES_THAT_ARE_RIGHT)
def test_ones_that_must_be_something_accuse_nobody(name):
    function, ones, grad = ONES_THAT_ARE_RIGHT[name]
    assert check_gradient(function, (X[:3], ones), grad=grad, argnums=0).passed


NEUTRAL = {
    "a temperature of 1": (
        lambda x, t: np.exp(x / t),
        lambda g, x, t: g * np.exp(x / t),
        lambda t: 1 / t,
        1.0,
    ),
    "a factor of 1": (lambda x, t: t * x * x, lambda g, x, t: 2 * g * x, lambda t: t, 1.0),
    "a shift of 0": (lambda x, t: np.sin(x + t), lambda g, x, t: g * np.cos(x), None, 0.0),
}


@pytest.mark.parametrize("name", NEUTRAL)
@pytest.mark.parametrize("of", [np.float64, np.array])
def test_a_number_without_effect_hides_that_it_is_forgotten(name, of):
    function, forgets, factor, number = NEUTRAL[name]
    x = np.array([0.5, -1.0, 2.0])
    found = check_gradient(function, (x, of(number)), vjp=forgets, argnums=0)
    assert found.verdict == "wrong"
    assert f"is all {number:g}" in " ".join(found.notes)

    def right(g, x, t):
        return forgets(g, x, t) * factor(t) if factor else g * np.cos(x + t)

    assert check_gradient(function, (x, of(number)), vjp=right, argnums=0).verdict == "accurate"


@pytest.mark.parametrize(
    "function",
    [
        lambda x, flag: np.sum(x * x) if flag else np.sum(x),
        lambda x, flag: np.sum(x * x) if flag in (0, 1) else 1 / 0,
        lambda x, eps: np.sum(x * x / np.where(eps > 0, 1, np.ones(3))),
    ],
)
@pytest.mark.parametrize("number", [1.0, 0.0])
def test_a_flag_is_no_factor(function, number):
    x = np.array([0.5, -1.0, 2.0])

    def right(x, flag):
        return 2 * x if function(x, flag) == np.sum(x * x) else np.ones(3)

    assert check_gradient(function, (x, np.float64(number)), grad=right, argnums=0).passed


LABELS = {
    "a label": (
        lambda x, y: np.log(1 + np.exp(-x.sum())) if y == 1 else np.log(1 + np.exp(x.sum())),
        lambda x, y: (1 / (1 + np.exp(-x.sum())) - y) * np.ones(3),
        (0.0, 1.0),
    ),
    "a sign": (lambda x, s: np.sum((s * x - 1) ** 2), lambda x, s: 2 * (x - s), (1.0,)),
    "a flag": (
        lambda x, done: (1 - done) * np.sum(x * x),
        lambda x, done: 0 * x if done else 2 * x,
        (0.0, 1.0),
    ),
}


@pytest.mark.parametrize("name", LABELS)
@pytest.mark.parametrize("of", [np.float64, np.array, lambda n: np.array([n])])
def test_a_gradient_that_is_right_for_all_labels_is_right(name, of):
    function, slope, numbers = LABELS[name]
    for number in numbers:
        given = of(number)
        found = check_gradient(
            lambda x, y: np.sum(function(x, y)), (np.array([0.5, -1.0, 2.0]), given), grad=slope, argnums=0
        )
        assert found.passed, found


def normed(x, w):
    centred = x - x.mean(-1, keepdims=True)
    return centred / np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-5) * w


def normed_vjp(third):
    def vjp(g, x, w):
        centred = x - x.mean(-1, keepdims=True)
        rate = 1 / np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-5)
        unit, d = centred * rate, g * w
        moved = d - d.mean(-1, keepdims=True) - third * unit * (d * unit).mean(-1, keepdims=True)
        return rate * moved, (g * unit).sum(0)

    return vjp


@pytest.mark.parametrize("number", [0.0, 0.5, 0.7, 1.0, -1.0, 2.0])
@pytest.mark.parametrize(("third", "verdict"), [(1, "accurate"), (0, "wrong")])
def test_rows_of_equal_numbers_do_not_hide_a_term(number, third, verdict):
    """The derivative of the weights is 0 there."""
    at = np.full((3, 5), number), np.linspace(-1, 2, 5)
    assert check_gradient(normed, at, vjp=normed_vjp(third)).verdict == verdict


@pytest.mark.parametrize("number", [0.25, 0.9, 2.0, 680.0])
def test_equal_numbers_that_must_be_something_accuse_nobody(number):
    """Clipped where they may not be, and meant for what is sorted."""
    x = np.full(4, number)
    sums = check_gradient(lambda x: np.sort(x) @ np.arange(4.0), (x,), grad=lambda x: np.arange(4.0))
    clipped = check_gradient(lambda p: np.log(np.minimum(p, number * 1.01)).sum(), (x,), grad=lambda p: 1 / p)
    assert sums.passed
    assert clipped.passed
