"""A backward that writes into what its forward saved: the message names the line. Of a layer it is a note."""

import numpy as np
import pytest

from gradproof import check_gradient, check_layer

X = np.array([[0.5, -1.25, 0.75], [1.5, 0.25, -0.5]])
SAID = "twice on one graph: {} at test_backward_writes.py:{} writes into what the forward computed"


class Exp:
    def __init__(self):
        self.W, self.dW = np.array([[0.5, 1.0], [-0.25, 0.75], [1.25, -0.5]]), np.zeros((3, 2))

    def forward(self, x):
        self.x = x
        self.y = np.exp(x @ self.W)
        return self.y.copy()

    def back(self, dz):
        self.dW[...] = self.x.T @ dz  # writes into what was there, and harms nobody
        return dz @ self.W.T

    def line(self):
        """What is wrong."""
        return type(self).backward.__code__.co_firstlineno + 3


class InPlace(Exp):
    def backward(self, dout):
        dz = self.y  # no copy
        found = self.back(dout * dz)
        dz *= dout
        return found


class InAHelper(Exp):
    def backward(self, dout):
        def spoil():
            z = self.y
            z[0, 0] -= 1

        found = self.back(dout * self.y)
        spoil()
        return found


class AsOut(Exp):
    def backward(self, dout):
        found = self.back(dout * self.y)

        np.multiply(dout, self.y, out=self.y)
        return found


class Right(Exp):
    def backward(self, dout):
        return self.back(dout * self.y)


PLACES = [(InPlace, "backward"), (InAHelper, "spoil"), (AsOut, "backward")]


@pytest.mark.parametrize(("layer", "name"), PLACES)
def test_the_line_is_named(layer, name):
    found = check_layer(layer(), X)
    assert found.passed  # each caller of the book's runs it forward before
    assert SAID.format(name, layer().line()) in str(found)


def test_a_gradient_that_is_written_in_place_is_none_of_that():
    assert check_layer(Right(), X).passed


def test_so_it_is_with_residuals():
    def forward(x):
        y = np.exp(x)
        return y, [y.copy()]

    def backward(kept, g):
        kept[0] *= g
        return kept[0].copy()

    found = check_gradient(forward, (X,), residual_vjp=backward)
    assert found.verdict == "miscomputed"
    assert SAID.format("backward", backward.__code__.co_firstlineno + 1) in str(found)


class Stepping:
    """The step of gradient descent in its backward."""

    def __init__(self):
        self.weights = np.array([[0.5, -1.0], [2.0, 0.25]])

    def forward(self, x):
        self.x = x
        return self.weights @ x

    def backward(self, dout, learning_rate=0.1):
        dx = self.weights.T @ dout
        self.weights -= learning_rate * np.outer(dout, self.x)
        return dx


class Still(Stepping):
    def backward(self, dout, learning_rate=0.0):
        return super().backward(dout, learning_rate)


def test_of_a_step_of_training_in_it_is_said_how_it_is_checked():
    x = np.array([0.3, -0.7])
    found = check_layer(Stepping(), x)
    assert not found.passed
    assert "backward writes into weights, which moves the result: that is a step of training" in str(found)
    assert "if that is the step of training, check it with learning_rate=0 by default" in str(found)
    assert check_layer(Stepping(), x, constants=["weights"]).passed
    assert check_layer(Still(), x).verdict == "accurate"
