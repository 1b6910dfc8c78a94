"""What is said of a gradient that is wrong: no digits of a 0, no cotangent that is used after all."""

import warnings

import numpy as np
import torch

from gradproof import check_gradient

X = torch.tensor([0.5, -1.25, 2.0, 0.75])
MASK = torch.tensor([1.0, 0.0, 1.0, 0.0])


def masked(short_way, forgets):
    """sum of m x^2; a short way is for a cotangent of 1."""

    class Masked(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x, m):
            ctx.save_for_backward(x, m)
            return (x * x * m).sum()

        @staticmethod
        def backward(ctx, g):
            x, m = ctx.saved_tensors
            gradient = 2 * x * (1 if forgets else m)
            if not (short_way and torch.equal(g, torch.ones_like(g))):
                gradient = gradient * g
            return gradient, None

    return Masked.apply


def test_where_the_truth_is_0_no_digits_of_it_are_counted():
    text = str(check_gradient(masked(False, True), (X, MASK), argnums=0))
    assert "worst element [1]: computed -2.5, true 0\n    the truth is 0: no digit is right\n" in text
    assert text.endswith("next [3]: computed 1.5, true 0")
    assert "bits lost" not in text


def test_a_backward_with_a_short_way_for_1_uses_its_cotangent():
    assert check_gradient(masked(True, False), (X, MASK), argnums=0).verdict == "accurate"
    found = str(check_gradient(masked(True, True), (X, MASK), argnums=0))
    assert "wrong" in found
    assert "does not use its cotangent" not in found
    plain = check_gradient(lambda x: (x * x).sum(), (X.numpy(),), vjp=lambda g, x: 3 * x)
    assert "the backward does not use its cotangent" in str(plain)


def test_none_for_an_argument_alone_is_wrong_as_it_is_beside_others():
    class Product(torch.autograd.Function):
        @staticmethod
        def forward(ctx, a, b):
            ctx.save_for_backward(a, b)
            return a * b

        @staticmethod
        def backward(ctx, g):
            a, b = ctx.saved_tensors
            return g * b, (g * a if ctx.needs_input_grad[0] else None)

    found = check_gradient(Product.apply, (X, MASK + 1))
    assert found.verdict == "wrong"
    assert "no gradient (None)" in str(found)


def test_labels_of_a_single_class_are_ones():
    logits, t = np.array([[0.3], [0.7]]), np.ones((2, 1))

    def softmax(x):
        e = np.exp(x - x.max(-1, keepdims=True))
        return e / e.sum(-1, keepdims=True)

    def loss(x, t):
        return -np.sum(t * np.log(softmax(x)))

    found = check_gradient(loss, (logits, t), vjp=lambda g, x, t: g * (softmax(x) - t), argnums=0)
    assert found.verdict == "accurate"


def test_what_runs_nearby_warns_of_nothing():
    """It branches within a step, so it is run elsewhere: there the last number, which divides, is 0."""

    def function(v):
        return np.sum(v[:2] / v[2]) if v[0] < 1e-6 else np.sum(v[:2])

    def gradient(v):
        return np.array([1 / v[2], 1 / v[2], -(v[0] + v[1]) / v[2] ** 2])

    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        found = check_gradient(function, (np.array([0.0, 0.0, 1.0]),), grad=gradient, probes=False)
    assert found.verdict == "accurate"
    assert not told
