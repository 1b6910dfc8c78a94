"""Constants of a layer that are all 0 or 1, as running statistics begin, hide what a backward forgets."""

import numpy as np
import pytest

from gradproof import check_layer

X = np.random.default_rng(0).normal(size=(5, 4))


class Normed:
    """Batch normalisation with the running statistics, in evaluation mode."""

    def __init__(self, forgets=""):
        self.gamma, self.beta = np.ones(4), np.zeros(4)
        self.mean, self.var, self.forgets = np.zeros(4), np.ones(4), forgets

    def forward(self, x):
        self.x, self.normed = x, (x - self.mean) / np.sqrt(self.var)
        return self.gamma * self.normed + self.beta

    def backward(self, dout):
        mean = 0 if self.forgets == "mean" else self.mean
        self.dgamma = (dout * (self.x - mean) / np.sqrt(self.var)).sum(0)
        self.dbeta = dout.sum(0)
        return dout * self.gamma / (1 if self.forgets == "var" else np.sqrt(self.var))


@pytest.mark.parametrize("forgets", ["mean", "var"])
def test_what_a_backward_forgets_of_them_is_found(forgets):
    layer = Normed(forgets)
    found = check_layer(layer, X, constants=["mean", "var"])
    assert found.verdict == "wrong"
    assert f"there {forgets} is all {0 if forgets == 'mean' else 1}" in str(found)
    assert (layer.mean == 0).all()
    assert (layer.var == 1).all()
    assert check_layer(layer, X, constants=["mean", "var"], probes=False).passed


def test_a_right_layer_stays_right_and_so_does_one_that_moves_them():
    assert check_layer(Normed(), X, constants=["mean", "var"]).verdict == "accurate"

    class Moving(Normed):
        def forward(self, x):
            self.mean = 0.9 * self.mean + 0.1 * x.mean(0)
            self.var *= 0.9
            self.x = x
            return self.gamma * x + self.beta

        def backward(self, dout):
            self.dgamma, self.dbeta = (dout * self.x).sum(0), dout.sum(0)
            return dout * self.gamma

    assert check_layer(Moving(), X, constants=["mean", "var"]).verdict == "accurate"


def test_a_specification_is_given_no_constants():
    def spec(x, gamma, beta):
        return gamma * x + beta

    assert check_layer(Normed(), X, constants=["mean", "var"], spec=spec, probes=False).passed


class Loss:
    """Squares with weights, which are constants, beside a target of zeros."""

    def __init__(self, forgets=False):
        self.weights, self.forgets = np.ones(4), forgets

    def forward(self, x, t):
        self.difference = x - t
        return (self.weights * self.difference**2).sum()

    def backward(self, dout=1.0):
        return 2 * dout * self.difference * (1 if self.forgets else self.weights)


def test_beside_a_target_they_are_asked_too():
    t = np.zeros_like(X)
    assert check_layer(Loss(), X, t=t, constants=["weights"]).verdict == "accurate"
    assert check_layer(Loss(True), X, t=t, constants=["weights"]).verdict == "wrong"
