"""What courses and books call the gradient of a parameter."""

import numpy as np
import pytest

from gradproof import check_layer

X = np.random.default_rng(0).normal(size=(4, 3))
# The names of a weight and a bias, and of their gradients.
NAMES = [
    ("W", "b", "dLdW", "dLdb"),
    ("BW", "Bb", "dLdBW", "dLdBb"),
    ("W", "b", "dL_dW", "dL_db"),
    ("w", "b", "dl_dw", "dl_db"),
    ("W1", "b1", "dJdW1", "dJdb1"),
    ("weight", "bias", "dloss_dweight", "dloss_dbias"),
    ("_W", "_b", "_dE_d_W", "_dE_d_b"),
    ("W", "b", "gW", "gb"),
    ("w", "b", "nabla_w", "nabla_b"),
    ("W", "b", "Wgrad", "bgrad"),
]


class Linear:
    def __init__(self, names, factor=1):
        self.names, self.factor = names, factor
        setattr(self, names[0], np.linspace(-1, 1, 6).reshape(3, 2))
        setattr(self, names[1], np.array([0.5, -0.25]))

    def forward(self, a):
        self.A = a
        return a @ getattr(self, self.names[0]) + getattr(self, self.names[1])

    def backward(self, g):
        setattr(self, self.names[2], self.A.T @ g)
        setattr(self, self.names[3], g.sum(0) * self.factor)
        self.dLdA = g @ getattr(self, self.names[0]).T  # of no parameter
        return self.dLdA


@pytest.mark.parametrize("names", NAMES)
def test_it_is_found(names):
    found = check_layer(Linear(names), X)
    assert found.passed, str(found)
    wrong = check_layer(Linear(names, factor=2), X)
    assert [part.verdict for part in wrong.parts if part.name == names[1]] == ["wrong"]


def test_words_are_no_gradients_of_letters():
    class Layer(Linear):
        def __init__(self):
            super().__init__(("W", "b", "dW", "db"))
            self.ain = self.gain = 2.0  # "g" and "ain"

        def forward(self, a):
            return super().forward(a) * self.gain

        def backward(self, g):
            return super().backward(g * self.gain)

    found = check_layer(Layer(), X)
    assert found.passed, str(found)


def test_a_gradient_of_no_known_parameter_is_told():
    found = check_layer(Linear(("W", "b", "dLdQ", "dLdR")), X)
    assert not found.passed
    assert "is dLdQ its gradient" in str(found)
