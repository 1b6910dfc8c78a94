"""A layer that has the gradient of a parameter at two places: what is not compared does not pass unsaid."""

import numpy as np
import pytest

from harness import check_layer

X = np.random.default_rng(0).normal(size=(5, 3))


class Affine:
    """Its gradients are in attributes, and gathered in `grads`, where that of b may be another."""

    keys, slip = ("dW", "db"), 1.0

    def __init__(self):
        rng = np.random.default_rng(1)
        self.W, self.b = rng.normal(size=(3, 2)), rng.normal(size=2)
        self.grads = {}

    def forward(self, x):
        self.x = x
        return x @ self.W + self.b

    def backward(self, dout):
        self.dW, self.db = self.x.T @ dout, dout.sum(0)
        self.grads = dict(zip(self.keys, (self.dW, self.slip * self.db), strict=True))
        return dout @ self.W.T


class Listed(Affine):
    def __init__(self):
        super().__init__()
        self.params = {"W": self.W, "b": self.b}


class InAList(Affine):
    def __init__(self):
        super().__init__()
        self.params = [self.W, self.b]


class Inside:
    def __init__(self):
        self.layer = Affine()

    def forward(self, x):
        return self.layer.forward(x)

    def backward(self, dout):
        return self.layer.backward(dout)


KINDS = [(kind, keys) for kind in (Affine, Listed, InAList, Inside) for keys in (("dW", "db"), ("W", "b"))]


@pytest.mark.parametrize(("kind", "keys"), KINDS)
def test_what_grads_has_does_not_pass_where_it_is_another(monkeypatch, kind, keys):
    monkeypatch.setattr(Affine, "keys", keys)
    right = check_layer(kind(), X)
    assert (right.passed, right.notes) == (True, ())
    monkeypatch.setattr(Affine, "slip", 2.0)
    assert not check_layer(kind(), X).passed


def test_of_gradients_called_so_in_grads_those_are_compared(monkeypatch):
    monkeypatch.setattr(Affine, "slip", 2.0)
    found = check_layer(Listed(), X)
    assert [(p.name, p.verdict) for p in found.parts if not p.passes] == [("b", "wrong")]


def test_the_place_that_is_not_compared_is_named(monkeypatch):
    monkeypatch.setattr(Affine, "slip", 2.0)
    (fault,) = check_layer(Affine(), X).faults
    assert fault.startswith("grads['db'] has other numbers than db, which alone is compared: leave the ")


def test_where_grads_is_compared_an_attribute_on_the_way_may_have_other_numbers(monkeypatch):
    def backward(self, dout):
        self.dW, self.db = 5 * self.x.T @ dout, 5 * dout.sum(0)
        self.grads = {"W": self.dW / 5, "b": self.db / 5}
        return dout @ self.W.T

    monkeypatch.setattr(Affine, "backward", backward)
    found = check_layer(Listed(), X)
    assert found.passed
    assert "dW has other numbers than grads['W'], which alone is compared" in found.notes


class Accumulating(Affine):
    def backward(self, dout):
        before, found = self.grads, super().backward(dout)
        for key, own in self.grads.items():
            self.grads[key] = before.get(key, 0) + own
        return found


@pytest.mark.parametrize("runs", [0, 1, 2])
def test_what_grads_had_before_is_no_other_gradient(runs):
    layer = Accumulating()
    for _ in range(runs):
        layer.forward(X)
        layer.backward(np.ones((5, 2)))
    assert check_layer(layer, X).passed
