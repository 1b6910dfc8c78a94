"""Integers beside a gradient that a layer's backward leaves: compared as floats, where they may be floats."""

import numpy as np
import pytest

from gradproof import check_layer

RNG = np.random.default_rng(0)
X, W = RNG.normal(size=(5, 3)), RNG.normal(size=(3, 2))


class Affine:
    """y = x W + b."""

    def __init__(self, b, factor=1, dtype="float64"):
        self.W, self.b, self.factor = W.astype(dtype), b, factor

    def forward(self, x):
        self.x = x
        return x @ self.W + self.b

    def backward(self, dout):
        self.dW = self.x.T @ dout
        self.db = self.factor * (dout.sum(0) if np.ndim(self.b) else dout.sum())
        return dout @ self.W.T


class InParams(Affine):
    def __init__(self, b, factor=1):
        super().__init__(b, factor)
        self.params, self.grads = {"W": self.W, "b": b}, {}

    def backward(self, dout):
        found = super().backward(dout)
        self.grads = {"W": self.dW, "b": self.db}
        return found


INTEGERS = [2, np.int64(2), np.array([1, 2]), np.array([1, 2], np.uint8), np.array(3)]


@pytest.mark.parametrize("make", [Affine, InParams])
@pytest.mark.parametrize("b", INTEGERS)
def test_an_integer_is_compared_as_a_float(b, make):
    layer = make(b)
    right, wrong = check_layer(layer, X), check_layer(make(b, factor=2), X)
    assert right.passed, str(right)
    assert list(right.rows["argument"]) == ["x", "W", "b"]
    assert [part.name for part in wrong.parts if not part.passes] == ["b"]
    assert layer.b is b
    assert any(note.endswith("b is compared as a float, since a gradient is left for it") or
               "['b'] is compared as a float" in note for note in right.notes)  # fmt: skip


@pytest.mark.parametrize("b", [2, np.array([1, 2])])
def test_in_float32_it_is_a_float_of_that_kind(b):
    found = check_layer(Affine(b, dtype="float32"), X.astype("float32"))
    assert {part.name: part.dtype for part in found.parts if not part.of_value}["W"] == "float32"


def test_a_constant_stays_one():
    found = check_layer(Affine(2, factor=3), X, constants=["b"])
    assert (found.passed, found.notes) == (True, ())


class Power:
    """x ** n, whose dn is 0: n is no parameter."""

    def __init__(self):
        self.n, self.dn = 3, None

    def forward(self, x):
        self.x = x
        return x**self.n

    def backward(self, dout):
        self.dn = np.zeros(())
        return dout * self.n * self.x ** (self.n - 1)


class Row(Power):
    """Row n of x: a float is no index."""

    def forward(self, x):
        self.x = x
        return x[self.n]

    def backward(self, dout):
        self.dn, found = np.ones(()), np.zeros_like(self.x)
        found[self.n] = dout
        return found


class Seen(Affine):
    """Its integers lie in the memory of a view, which would not move with floats in their place."""

    def __init__(self):
        super().__init__(np.array([1, 2]))
        self.turned = self.b[::-1]


@pytest.mark.parametrize(("make", "name"), [(Power, "n"), (Row, "n"), (Seen, "b")])
def test_what_is_no_parameter_or_can_be_no_float_is_a_fault(make, name):
    (said,) = check_layer(make(), X).faults
    assert said.startswith(f"{name} is an")
    assert "and is not compared with d" in said
    assert check_layer(make(), X, constants=[name]).faults == ()


class Shared(Affine):
    """One array of integers at two places."""

    def __init__(self, factor=1):
        super().__init__(np.array([1, 2]), factor)
        self.held = [self.b]

    def forward(self, x):
        self.x = x
        return x @ self.W + self.held[0]


@pytest.mark.parametrize("factor", [1, 2])
def test_an_array_of_integers_stays_one_array(factor):
    assert check_layer(Shared(factor), X).passed == (factor == 1)
