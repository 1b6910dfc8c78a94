"""Caches of parameters: right in a new copy of a layer, and not after a step of training in place."""

import numpy as np
import pytest

from gradproof import check_layer, check_network

RNG = np.random.default_rng(0)
X, W, B = RNG.normal(size=(5, 3)), RNG.normal(size=(3, 2)), np.zeros(2)


class Affine:
    """y = x W + b, whose backward asks for W.T."""

    known = None

    def __init__(self):
        self.W, self.b = W.copy(), B.copy()

    def turned(self):
        return self.W.T

    def forward(self, x):
        self.x = x
        return x @ self.W + self.b

    def backward(self, dout):
        self.dW, self.db = self.x.T @ dout, dout.sum(0)
        return dout @ self.turned()


def keeping(is_known, forward=False):
    """Keeps W.T as long as `is_known(what, W)` says that it is of W, with what was said of it before."""

    class Keeping(Affine):
        def turned(self):
            what, is_there = is_known(self.W)
            if self.known is None or not is_there(self.known[0]):
                self.known = what, self.W.T.copy()
            return self.known[1]

        def forward(self, x):
            self.x = x
            return x @ (self.turned().T if forward else self.W) + self.b

    return Keeping


def by_identity(own):
    return own, lambda other: other is own


def by_number(own):
    return id(own), lambda other: other == id(own)


def by_presence(own):
    return None, lambda other: True


def by_numbers(own):
    return own.copy(), lambda other: np.array_equal(other, own)


class BySum(Affine):
    def turned(self):
        if self.known is None or self.known[0] != self.W.sum():
            self.known = self.W.sum(), self.W.T.copy()
        return self.known[1]


class View(Affine):
    def __init__(self):
        super().__init__()
        self.turning = self.W.T

    def turned(self):
        return self.turning


class Bias(Affine):
    """Its forward alone keeps something: of zeros there are no others of the same sum."""

    def forward(self, x):
        self.known = self.b.copy() if self.known is None else self.known
        return super().forward(x) - self.b + self.known


class OfLastInput(Affine):
    """Takes an array for the input that it saw before where it is the same object."""

    last = None

    def forward(self, x):
        if self.last is not x:
            self.last, self.x, self.y = x, x.copy(), super().forward(x)
        return self.y


class OfLastInputInBackward(Affine):
    """Its copy of the input alone is kept."""

    last = None

    def forward(self, x):
        if self.last is not x:
            self.last, self.seen = x, x.copy()
        return super().forward(x)

    def backward(self, dout):
        found = super().backward(dout)
        self.dW = self.seen.T @ dout
        return found


class Inside:
    def __init__(self, layer):
        self.inner = layer

    def forward(self, x):
        return self.inner.forward(x)

    def backward(self, dout):
        return self.inner.backward(dout)


KEEPING = {
    "identity": (keeping(by_identity), "W"),
    "id": (keeping(by_number), "W"),
    "presence": (keeping(by_presence), "W"),
    "forward, by identity": (keeping(by_identity, True), "W"),
    "forward, by presence": (keeping(by_presence, True), "W"),
    "sum": (BySum, "W"),
    "bias": (Bias, "b"),
    "input": (OfLastInputInBackward, "x"),
    "result, by the identity of the input": (OfLastInput, "x"),
    "inside": (lambda: Inside(keeping(by_identity)()), "inner.W"),
}


@pytest.mark.parametrize("name", KEEPING)
def test_what_is_kept_of_a_parameter_is_said_and_of_an_input_it_is_a_fault(name):
    """Of a parameter it may be kept on purpose: an anchor, or where steps make new arrays."""
    make, which = KEEPING[name]
    found = check_layer(make(), X)
    said = f"the object caches something computed from {which}: "
    assert found.passed is (which != "x"), str(found)
    texts = found.faults if which == "x" else found.notes
    assert any(
        text.startswith(said) and "It is no fault if it is kept on purpose, or" in text for text in texts
    )
    assert check_layer(make(), X, probes=["twice", "ones"]).passed


class OfFirstBatch(Affine):
    """Shifts by whole numbers, which the first batch tells, on purpose."""

    shift = None

    def forward(self, x):
        if self.shift is None:
            self.shift = np.round(64 * x.mean(0))
        return super().forward(x - self.shift)


class Shaped:
    """Its result lies in the memory of its input."""

    def forward(self, x):
        self.shape = x.shape
        return x.reshape(-1)

    def backward(self, dout):
        return dout.reshape(self.shape)


class Remembering(Affine):
    """A state of its own, which moves with what W makes of the input."""

    h = None

    def forward(self, x):
        self.h = super().forward(x) + (0.0 if self.h is None else 0.5 * self.h)
        return self.h


class Collecting(Affine):
    """A mean of its results, and of its weights, that nothing here reads."""

    def forward(self, x):
        out = super().forward(x)
        self.running_mean = out.mean(0)
        self._mean = self.W.copy() if self.known is None else 0.9 * self._mean + 0.1 * self.W
        return out


class Refusing(Affine):
    def backward(self, dout):
        if self.W.flat[2] != W.flat[2]:
            raise ValueError("other numbers than those of a known model")
        return super().backward(dout)


RIGHT = [
    Affine,
    View,
    keeping(by_numbers),
    keeping(by_numbers, True),
    Remembering,
    Collecting,
    Refusing,
    OfFirstBatch,
    Shaped,
]


@pytest.mark.parametrize("layer", RIGHT)
def test_what_is_right_after_a_step_is_no_fault(layer):
    found = check_layer(layer(), X)
    assert found.faults == (), str(found)


@pytest.mark.parametrize("keeps", [False, True])
def test_a_network_may_keep_nothing_either(keeps):
    class Network:
        known = None

        def __init__(self):
            self.params = {"W": W.copy(), "b": B.copy()}

        def loss(self, x, t):
            return np.sum((x @ self.params["W"] + self.params["b"]) ** 2)

        def gradient(self, x, t):
            if self.known is None or not keeps:
                self.known = self.params["W"].copy()
            y = x @ self.known + self.params["b"]
            return {"W": 2 * x.T @ y, "b": 2 * y.sum(0)}

    found = check_network(Network(), X, None)
    assert found.passed, str(found)
    assert (
        any(
            note.startswith("the object caches something computed from params['W']: ") for note in found.notes
        )
        is keeps
    )
