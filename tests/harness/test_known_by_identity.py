"""Layers and networks that know something by its identity: a copy of them is another function."""

import weakref

import numpy as np
import pytest

from gradproof import check_layer, check_network

RNG = np.random.default_rng(0)
X = RNG.normal(size=(4, 3))
SCALES = {}


class Scaled:
    """Divides by a number that it knows by its weight; the division is missing in backward."""

    def __init__(self):
        self.W = RNG.normal(size=(3, 2))
        self.scales = {id(self.W): 4.0}

    def scale(self):
        return self.scales.get(id(self.W), 1.0)

    def forward(self, x):
        self.x = x
        return x @ self.W / self.scale()

    def backward(self, g):
        self.dW = self.x.T @ g
        return g @ self.W.T


class Strict(Scaled):
    def scale(self):
        return self.scales[id(self.W)]


class Outside(Scaled):
    def __init__(self):
        super().__init__()
        SCALES[id(self.W)] = 4.0

    def scale(self):
        return SCALES.get(id(self.W), 1.0)


class Backward(Scaled):
    def forward(self, x):
        self.x = x
        return x @ self.W

    def backward(self, g):
        super().backward(g)
        self.dW = self.dW * self.scale()
        return g @ self.W.T


class Weak(Scaled):
    def __init__(self):
        super().__init__()
        self.key, self.known = Scaled.__new__(Scaled), weakref.WeakKeyDictionary()
        self.known[self.key] = 4.0

    def scale(self):
        return self.known.get(self.key, 1.0)


class Late(Scaled):
    """Makes its weight in its first forward."""

    def __init__(self):
        self.W = None

    def forward(self, x):
        if self.W is None:
            self.W = np.linspace(-1, 1, 6).reshape(3, 2)
            self.scales = {id(self.W): 4.0}
        return super().forward(x)


@pytest.mark.parametrize("kind", [Scaled, Strict, Outside, Backward, Weak, Late])
def test_a_layer_of_which_copies_differ_is_unsupported(kind):
    found = check_layer(kind(), X)
    assert found.verdict == "unsupported"
    assert "gives other results than a copy of it" in str(found)


class Named(Scaled):
    """A right one: under a name. Its own history, objects and count stay as they were."""

    count = 0

    def __init__(self):
        self.W = RNG.normal(size=(3, 400))[:, ::2]  # copies lie otherwise in memory
        self.scales, self.seen = {"W": 4}, np.array([np.zeros(2), None], object)

    def scale(self):
        self.seen[0] += 1
        self.seen[1] = Named.count = Named.count + 1
        return self.scales["W"]

    def backward(self, g):
        return super().backward(g / self.scales["W"])


def test_a_layer_that_uses_names_is_judged_and_stays_as_it_was():
    layer = Named()
    found = check_layer(layer, X)
    assert found.passed, str(found)
    assert (Named.count, layer.seen[0].any(), layer.seen[1], "x" in vars(layer)) == (0, False, None, False)


class Net:
    def __init__(self):
        self.params = {"W": RNG.normal(size=(3, 2))}
        self.scales = {id(self.params["W"]): 4.0}

    def loss(self, x, t):
        return np.sum((x @ self.params["W"] / self.scales.get(id(self.params["W"]), 1.0)) ** 2)

    def gradient(self, x, t):
        return {"W": 2 * x.T @ (x @ self.params["W"])}


def test_a_network_likewise():
    found = check_network(Net(), X, None)
    assert found.verdict == "unsupported"
    assert "Net gives other results than a copy of it" in str(found)
