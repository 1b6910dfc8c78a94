"""Targets of zeros or ones hide what a backward makes of them: they are asked at others, too."""

import numpy as np
import pytest

from harness import check_layer, check_network

X = np.random.default_rng(0).normal(size=(3, 4))


class Squares:
    reads = 1.0

    def forward(self, x, t):
        self.x, self.t = x, t
        return 0.5 * ((x - t) ** 2).sum()

    def backward(self, dout=1):
        return dout * (self.x - self.reads * self.t)


class Weighted:
    reads = 1.0

    def forward(self, x, t):
        self.x, self.t = x, t
        return (t * x * x).sum()

    def backward(self, dout=1):
        return 2 * dout * self.x * (self.t if self.reads else 1)


class Logits:
    """Its target is 0 or 1: the slopes y - t are right at shares between, too."""

    reads = 1.0

    def forward(self, x, t):
        self.y, self.t = 1 / (1 + np.exp(-x)), t
        return -(t * np.log(self.y) + (1 - t) * np.log(1 - self.y)).sum()

    def backward(self, dout=1):
        return dout * (self.y - self.reads * self.t)


HIDES = {(Squares, 0), (Weighted, 1), (Logits, 0)}  # where a backward that forgets the target is right


@pytest.mark.parametrize("of", [Squares, Weighted, Logits])
@pytest.mark.parametrize("number", [0, 1])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("probes", [True, False])
def test_a_layer_that_forgets_its_target(of, number, dtype, probes):
    target = np.full((3, 4), number, dtype)
    right, wrong = of(), of()
    wrong.reads = 0.0
    assert check_layer(right, X.astype(dtype), target, probes=probes).passed
    found = check_layer(wrong, X.astype(dtype), target, probes=probes)
    assert found.passed == ((of, number) in HIDES and not probes), str(found)


def test_what_is_meant_takes_the_same_target():
    def meant(x, t):
        return 0.5 * ((x - t) ** 2).sum()

    for reads, passes in [(1.0, True), (0.0, False)]:
        layer = Squares()
        layer.reads = reads
        assert check_layer(layer, X, np.zeros((3, 4)), spec=meant).passed == passes


class Net:
    reads = 1.0

    def __init__(self):
        self.params = {"W": np.random.default_rng(1).normal(size=(4, 2)), "b": np.zeros(2)}

    def predict(self, x):
        return np.tanh(x @ self.params["W"] + self.params["b"])

    def loss(self, x, t):
        return 0.5 * ((self.predict(x) - t) ** 2).sum()

    def gradient(self, x, t):
        y = self.predict(x)
        d = (y - self.reads * t) * (1 - y * y)
        return {"W": x.T @ d, "b": d.sum(0)}


def net_loss(params, x, t):
    return 0.5 * ((np.tanh(x @ params["W"] + params["b"]) - t) ** 2).sum()


@pytest.mark.parametrize("spec", [None, net_loss])
@pytest.mark.parametrize(("reads", "passes"), [(1.0, True), (0.0, False)])
def test_a_network_that_forgets_its_target(spec, reads, passes):
    net = Net()
    net.reads = reads
    found = check_network(net, X, np.zeros((3, 2)), spec=spec)
    assert found.passed == passes, str(found)
    assert {part.name for part in found.parts} == {"W", "b", "value"}
