"""check_layer finds parameters and their gradients wherever a layer holds them, and one mistake there."""

import threading

import numpy as np
import pytest

from harness import check_layer
from tests.harness import book_layers as book

RNG = np.random.default_rng(0)
X, H = RNG.normal(size=(4, 3)), RNG.normal(size=(4, 2))
W, V, B = RNG.normal(size=(3, 2)), RNG.normal(size=(3, 3)), RNG.normal(size=2)


class Of:
    """x @ W + b, wherever the two are held; `wrong` doubles the gradient of W."""

    wrong = False

    def __init__(self, w, b):
        self.w, self.b = w, b

    def hold(self):
        return self.w, self.b

    def leave(self, dw, db):
        self.dw, self.db = dw, db

    def forward(self, x):
        self.x = x
        w, b = self.hold()
        return x @ w + b

    def backward(self, dout):
        self.leave((2 if self.wrong else 1) * self.x.T @ dout, dout.sum(0))
        return dout @ self.hold()[0].T


class GradW(Of):
    """gamma and beta of the same shape would do as well: the names tell which is whose."""

    def leave(self, dw, db):
        self.grad_w, self.b_grad = dw, db


class Private(Of):
    def __init__(self, w, b):
        self._w, self._b = w, b

    def hold(self):
        return self._w, self._b

    def leave(self, dw, db):
        self._dw, self._db = dw, db


class Accumulating(Of):
    """As numpy-ml: dictionaries that are added to, until they are cleared."""

    def __init__(self, w, b):
        self.parameters = {"w": w, "b": b}
        self.gradients = {"w": np.ones_like(w), "b": np.ones_like(b)}  # of an earlier batch

    def hold(self):
        return self.parameters["w"], self.parameters["b"]

    def leave(self, dw, db):
        self.gradients["w"] += dw
        self.gradients["b"] += db
        self.dw = dw  # of this batch alone

    def flush_gradients(self):
        self.gradients = {name: np.zeros_like(value) for name, value in self.parameters.items()}


class MadeByForward(Accumulating):
    def __init__(self, w, b):
        self.made, self.parameters, self.gradients = (w, b), {}, {}

    def forward(self, x):
        if not self.parameters:
            super().__init__(*map(np.copy, self.made))
        return super().forward(x)


class InLists(Of):
    def __init__(self, w, b):
        self.weights = [w, b]

    def hold(self):
        return self.weights

    def leave(self, dw, db):
        self.dweights = [dw, db]


class InADictionary(Of):
    def __init__(self, w, b):
        self.held = {"w": w, "b": b}

    def hold(self):
        return self.held["w"], self.held["b"]


class Param:
    __slots__ = ("grad", "momentum", "value")

    def __init__(self, value):
        self.value, self.grad, self.momentum = value, np.zeros_like(value), np.zeros_like(value)


class OfParams(Of):
    def __init__(self, w, b):
        self.w, self.b = Param(w), Param(b)

    def hold(self):
        return self.w.value, self.b.value

    def leave(self, dw, db):
        self.w.grad[...], self.b.grad[...] = dw, db


class InTuples(Of):
    def __init__(self, w, b):
        self.params, self.grads = (w, b), (np.zeros_like(w), np.zeros_like(b))

    def hold(self):
        return self.params

    def leave(self, dw, db):
        for own, gradient in zip(self.grads, (dw, db), strict=True):
            own[...] = gradient


class Aliases(InTuples):
    """The gradients that are listed are written into by other names."""

    def __init__(self, w, b):
        super().__init__(w, b)
        self.w, self.b = self.params
        self.dw, self.db = self.grads

    def hold(self):
        return self.w, self.b

    def leave(self, dw, db):
        self.dw[...], self.db[...] = dw, db


class NamedAliases(Of):
    def __init__(self, w, b):
        self.w, self.b, self.dw, self.db = w, b, np.zeros_like(w), np.zeros_like(b)
        self.params, self.grads = {"w": w, "b": b}, {"w": self.dw, "b": self.db}

    leave = Aliases.leave


class OneVector(Of):
    """All parameters are parts of one vector, and their gradients of another."""

    def __init__(self, w, b):
        self.flat, self.dflat = np.concatenate([w.ravel(), b]), np.zeros(w.size + b.size)
        self.params, self.grads = [self.flat], [self.dflat]
        self.w, self.b = self.flat[: w.size].reshape(w.shape), self.flat[w.size :]
        self.dw, self.db = self.dflat[: w.size].reshape(w.shape), self.dflat[w.size :]

    def leave(self, dw, db):
        self.dw[...], self.db[...] = dw, db


class Parts(OneVector):
    """The parts are the parameters."""

    def __init__(self, w, b):
        super().__init__(w, b)
        self.params, self.grads = [self.w, self.b], [self.dw, self.db]


class Inside:
    """A layer of layers; how the second book joins their lists is up to what is derived from it."""

    def __init__(self, inner):
        self.inner = inner

    wrong = property(lambda self: self.inner.wrong, lambda self, value: setattr(self.inner, "wrong", value))

    def forward(self, x):
        return np.tanh(self.inner.forward(x))

    def backward(self, dout):
        y = np.tanh(self.inner.forward(self.inner.x))
        return self.inner.backward(dout * (1 - y * y))


class Joined(Inside):
    def __init__(self, inner):
        super().__init__(inner)
        self.params, self.grads = list(inner.params), list(inner.grads)


class SameLists(Inside):
    def __init__(self, inner):
        super().__init__(inner)
        self.params, self.grads = inner.params, inner.grads


class HandedOn(Inside):
    """It has attributes of its own, and copies of the gradients."""

    def __init__(self, inner):
        super().__init__(inner)
        self.w, self.b = inner.params

    def backward(self, dout):
        dx = super().backward(dout)
        self.dw, self.db = map(np.copy, self.inner.grads)
        return dx


class ListedOnly(Inside):
    """Its parameters are listed, and the gradients are those of the layer inside."""

    def __init__(self, inner):
        super().__init__(inner)
        self.params = {"w": inner.w, "b": inner.b}


def sequence(first, second):
    class Sequence:
        layers = property(lambda self: self.held["layers"])
        wrong = property(lambda self: 0, lambda self, value: setattr(second, "wrong", value))

        def __init__(self):
            self.held = {"layers": [first, second]}

        def forward(self, x):
            for layer in self.layers:
                x = layer.forward(x)
            return x

        def backward(self, dout):
            for layer in reversed(self.layers):
                dout = layer.backward(dout)
            return dout

    return Sequence()


def shared():
    """Two layers have one matrix, and the third has it transposed."""
    zeros = np.zeros(3)
    return sequence(sequence(Of(V, zeros), Of(V, zeros.copy())), Of(V.T, zeros.copy()))


FOUND = {
    "grad_w": (lambda: GradW(W, B), ["w", "b"], "w"),
    "private": (lambda: Private(W, B), ["_w", "_b"], "_w"),
    "numpy-ml": (lambda: Accumulating(W, B), ["parameters['w']", "parameters['b']"], "parameters['w']"),
    "made by forward": (
        lambda: MadeByForward(W, B),
        ["parameters['w']", "parameters['b']"],
        "parameters['w']",
    ),
    "lists": (lambda: InLists(W, B), ["weights[0]", "weights[1]"], "weights[0]"),
    "a dictionary": (lambda: InADictionary(W, B), ["held['w']", "held['b']"], "held['w']"),
    "params": (lambda: OfParams(W, B), ["w.value", "b.value"], "w.value"),
    "tuples": (lambda: InTuples(W, B), ["params[0]", "params[1]"], "params[0]"),
    "aliases": (lambda: Aliases(W, B), ["params[0]", "params[1]"], "params[0]"),
    "named aliases": (lambda: NamedAliases(W, B), ["w", "b"], "w"),
    "one vector": (lambda: OneVector(W, B), ["params[0]"], "params[0]"),
    "parts": (lambda: Parts(W, B), ["params[0]", "params[1]"], "params[0]"),
    "inside": (lambda: Inside(Of(W, B)), ["inner.w", "inner.b"], "inner.w"),
    "joined": (lambda: Joined(book.AffineOfLists(W, B)), ["params[0]", "params[1]"], "params[0]"),
    "same lists": (lambda: SameLists(book.AffineOfLists(W, B)), ["params[0]", "params[1]"], "params[0]"),
    "handed on": (lambda: HandedOn(book.AffineOfLists(W, B)), ["w", "b"], "w"),
    "listed only": (lambda: ListedOnly(Of(W, B)), ["inner.w", "inner.b"], "inner.w"),
    "sequence": (
        lambda: sequence(book.Sigmoid(), Of(W, B)),
        ["held['layers'][1].w", "held['layers'][1].b"],
        "held['layers'][1].w",
    ),
}


@pytest.mark.parametrize(("make", "names", "mistaken"), FOUND.values(), ids=FOUND)
def test_parameters_are_compared_wherever_they_are_held(make, names, mistaken):
    found = check_layer(make(), X, probes=["twice"])
    assert (found.passed, list(found.rows["argument"])) == (True, ["x", *names]), str(found)
    assert all(part.examined for part in found.parts)
    layer = make()
    layer.wrong = True
    found = check_layer(layer, X, probes=[])
    assert [part.name for part in found.parts if part.verdict == "wrong"] == [mistaken], str(found)


def test_of_a_shared_array_the_sum_of_its_gradients_is_compared():
    layer = shared()
    found = check_layer(layer, X, probes=[])
    assert found.passed, str(found)
    assert len(found.rows) == 1 + 2 + 3  # x, the matrix and its transpose, three biases
    assert "is shared: the sum of its gradients is compared" in found.notes[0]
    layer.wrong = True
    assert check_layer(layer, X, probes=[]).verdict == "wrong"


class TwoOfOne:
    """As the second book's networks: one matrix is listed twice, with a gradient for each use."""

    factor = 1.0

    def __init__(self):
        self.first, self.second = book.AffineOfLists(V, np.zeros(3)), book.AffineOfLists(V, np.zeros(3))
        self.params = self.first.params + self.second.params
        self.grads = self.first.grads + self.second.grads

    def forward(self, x, t):
        return np.sum(self.second.forward(self.first.forward(x)) * t)

    def backward(self, dout=1):
        self.first.backward(self.second.backward(dout * self.factor * np.cos(X)))


@pytest.mark.parametrize(("factor", "verdict"), [(1.0, "accurate"), (1.5, "wrong")])
def test_a_loss_whose_backward_returns_nothing_has_its_parameters_compared(factor, verdict):
    net = TwoOfOne()
    net.factor = factor
    found = check_layer(net, X, np.cos(X), probes=[])
    assert found.verdict == verdict, str(found)
    names = [part.name for part in found.parts if not part.of_value]
    assert names == ["params[0]", "params[1]", "params[3]"]
    assert "backward returns None, so the input is taken for data and is not compared" in found.notes


class Cell:
    """Two inputs, and two results."""

    wrong = False

    def __init__(self):
        self.params, self.grads = [W], [np.zeros_like(W)]

    def forward(self, x, h):
        self.x, self.h = x, h
        self.y = np.tanh(x @ self.params[0] + h)
        return self.y, self.y * h

    def backward(self, dy, dz):
        inner = (dy + dz * self.h) * (1 - self.y**2)
        self.grads[0][...] = self.x.T @ inner
        return inner @ self.params[0].T, inner + (0 if self.wrong else dz * self.y)


def test_several_inputs_are_a_tuple():
    cell = Cell()
    found = check_layer(cell, (X, H))
    assert found.passed, str(found)
    assert list(found.rows["argument"]) == ["x", "h", "params[0]"]
    assert check_layer(cell, (X, H), spec=lambda x, h, w: (np.tanh(x @ w + h), np.tanh(x @ w + h) * h)).passed
    cell.wrong = True
    wrong = [part.name for part in check_layer(cell, (X, H), probes=[]).parts if part.verdict == "wrong"]
    assert wrong == ["h"]


class LookedUp:
    """One input is integers."""

    def __init__(self):
        self.w = np.arange(8.0).reshape(4, 2)

    def forward(self, index, h):
        self.index, self.h = index, h
        return self.w[index] * h

    def backward(self, dout):
        self.dw = np.zeros((4, 2))
        np.add.at(self.dw, self.index, dout * self.h)
        return None, dout * self.w[self.index]


def test_of_several_inputs_integers_are_not_compared():
    found = check_layer(LookedUp(), (np.array([0, 2, 2, 1]), H))
    assert (found.passed, list(found.rows["argument"])) == (True, ["h", "w"]), str(found)


def test_gradients_of_more_than_the_input_are_refused_with_what_to_do():
    class All(Of):
        def backward(self, dout):
            return super().backward(dout), self.dw, self.db

    with pytest.raises(ValueError, match=r"All.backward returns 3 gradients for one input: pass the inputs"):
        check_layer(All(W, B), X)


class KeepsInputs(Accumulating):
    """As numpy-ml: backward is of the first input since they were cleared."""

    def __init__(self, w, b):
        super().__init__(w, b)
        self.inputs = []

    def forward(self, x):
        self.inputs.append(x)
        return super().forward(x)

    def backward(self, dout):
        self.x = self.inputs[0]
        return super().backward(dout)

    def flush_gradients(self):
        super().flush_gradients()
        self.inputs = []


class Stateful(InTuples):
    """It lists its parameters: a state that moves the result is none, whatever lies beside it."""

    def __init__(self, w, b):
        super().__init__(w, b)
        self.h = np.ones(2)

    def forward(self, x):
        out = super().forward(x) + self.h
        self.h = out[0]
        return out

    def leave(self, dw, db):
        super().leave(dw, db)
        self.dh = 7 * db


@pytest.mark.parametrize("kind", [KeepsInputs, Stateful])
def test_a_layer_that_has_run_before_passes(kind):
    layer = kind(W, B)
    layer.forward(X + 1)
    layer.backward(H)
    found = check_layer(layer, X, probes=[])
    assert found.passed, str(found)
    assert len(found.rows) == 3
    told = "h moves the result, and is not compared: it is not in params"
    assert found.notes == ((told,) if kind is Stateful else ())


class Forgets(InTuples):
    """A loss whose backward leaves nothing."""

    def forward(self, x):
        return np.sum(super().forward(x))

    def backward(self, dout=1):
        return np.ones((4, 2)) @ self.hold()[0].T


def test_gradients_of_an_earlier_run_are_not_those_of_this_one():
    layer = Forgets(W, B)
    layer.grads = (X.T @ np.ones((4, 2)), np.full(2, 4.0))
    found = check_layer(layer, X, probes=[])
    assert [part.name for part in found.parts if part.verdict == "wrong"] == ["params[0]", "params[1]"]


@pytest.mark.parametrize("kind", [Of, InTuples])
def test_a_complex_parameter_is_refused(kind):
    with pytest.raises(ValueError, match=r"must be an array of bfloat16, .*, got complex128"):
        check_layer(kind(W * 1j, B * 1j), X)


class UsesACopy(InTuples):
    def __init__(self, w, b):
        super().__init__(w, b)
        self.used = (w.copy(), b.copy())

    def hold(self):
        return self.used


class InAFunction(Of):
    keeps = 0.0

    def __init__(self, w, b):
        super().__init__(w, b)
        self.held = lambda: (w, b)

    def hold(self):
        return self.held()[0] + self.keeps * self.w, self.held()[1]


class InPart(InAFunction):
    keeps = 1.0


class OtherDtype(Of):
    def __init__(self, w, b):
        super().__init__(w, b)
        self.bits = w.view(np.int64)

    def hold(self):
        return self.bits.view(np.float64), self.b


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        (UsesACopy, "no parameter moves the result, so no gradient of one can be verified"),
        (InAFunction, "held outside of the object (in a closure, a class or a global)"),
        (InPart, "held outside of the object"),
        (OtherDtype, "or in another dtype"),
    ],
)
def test_what_cannot_be_replaced_is_unsupported(kind, said):
    w = W.copy()
    found = check_layer(kind(w, B.copy()), X)
    assert (found.verdict, found.passed) == ("unsupported", False), str(found)
    assert said in str(found)
    np.testing.assert_array_equal(w, W)


class Unknown(Of):
    """Nobody knows that these are gradients of those."""

    def __init__(self, w, b):
        self.kept, self.names = {"w": [w], "b": b, "c": b.copy()}, ["1"]
        self._running_mean = np.ones(2)

    def hold(self):
        return self.kept["w"][0], self.kept["b"] + self.kept["c"] + self._running_mean

    def leave(self, dw, db):
        self.first_gradient, self.my_grad_c = dw, db


def test_what_moves_the_result_inside_of_containers_is_named():
    found = check_layer(Unknown(W, B), X, probes=[])
    assert not found.passed
    b, c, w = sorted(found.faults)
    assert b.startswith("kept['b'] moves the result and is not compared: put it in params and its gradient")
    assert c.startswith("kept['c'] moves the result and is not compared: is my_grad_c its gradient?")
    assert w.startswith("kept['w'][0] moves the result and is not compared: is first_gradient its gradient?")
    assert "_running_mean is taken for what the layer collects, and is not compared" in found.notes
    told = check_layer(Unknown(W, B), X, probes=[], constants=["kept"]).faults
    assert not any("moves the result" in fault for fault in told)


def test_what_forward_puts_elsewhere_is_no_parameter():
    class KeepsDx(Of):
        def backward(self, dout):
            self.dx = super().backward(dout)
            return self.dx

    layer = KeepsDx(W, B)
    layer.forward(X)
    layer.backward(np.ones((4, 2)))
    found = check_layer(layer, X)
    assert (found.passed, list(found.rows["argument"])) == (True, ["x", "w", "b"]), str(found)


class Plain(Of):
    """x * a + b, of what is no array; `wrong` doubles the gradient of a."""

    def __init__(self, a, b, leave=float):
        self.a, self.b, self.da, self.db = a, b, leave(0), leave(0)
        self.eps, self.momentum, self.axis, self.dt = 1e-7, 0.5, 0, 0.01  # of these there are no gradients
        self.kind = leave

    def forward(self, x):
        self.x = x
        return (x + self.dt) * self.a + self.b + self.eps

    def backward(self, dout):
        self.da = self.kind((2 if self.wrong else 1) * np.sum(dout * (self.x + self.dt)))
        self.db = self.kind(np.sum(dout))
        return dout * self.a


@pytest.mark.parametrize("leave", [np.copy, float])
@pytest.mark.parametrize("kind", [float, np.float64])
def test_a_number_beside_its_gradient_is_a_parameter(kind, leave):
    found = check_layer(Plain(kind(0.5), 0.5, leave), X, probes=[])
    assert (found.passed, found.faults) == (True, ()), str(found)
    assert list(found.rows["argument"]) == ["x", "a", "b"]
    layer = Plain(kind(0.5), 0.5, leave)
    layer.wrong = True
    found = check_layer(layer, X, probes=[])
    assert [part.name for part in found.parts if not part.passes] == ["a"], str(found)


class Unsummed(Plain):
    def backward(self, dout):
        dx = super().backward(dout)
        self.db = dout
        return dx


def test_a_gradient_that_is_not_summed_is_not_that_of_a_number():
    found = check_layer(Unsummed(0.5, 0.5, np.copy), X, probes=[])
    told = (
        "b is one number, and db has the shape (4, 3): sum the gradient, or, if b is a constant, name it in "
    )
    assert (found.passed, found.faults) == (False, (told + "constants=['b']",)), str(found)
    assert check_layer(Unsummed(0.5, 0.5, np.copy), X, probes=[], constants=["b"]).passed
    assert "shape (4, 3) instead of ()" in str(check_layer(Unsummed(0.5, np.float64(0.5)), X, probes=[]))


class PlainW(Of):
    """Its weights are no array."""

    def hold(self):
        return np.array(self.w), self.b


class InObjects(InLists):
    """Arrays of several shapes in an array of objects."""

    def __init__(self, w, b):
        self.weights = np.empty(2, object)
        self.weights[:] = w, b

    def leave(self, dw, db):
        self.dweights = np.empty(2, object)
        self.dweights[:] = dw, db


class InNested(Of):
    def __init__(self, w, b):
        self.params, self.grads = {"q": {"w": w}, "r": [(b,)]}, {}

    def hold(self):
        return self.params["q"]["w"], self.params["r"][0][0]

    def leave(self, dw, db):
        self.grads = {"q": {"w": dw}, "r": [(db,)]}


class PublicGradients(Private):
    leave = Of.leave


@pytest.mark.parametrize(
    ("layer", "said"),
    [
        (PlainW(W.tolist(), B), "w is a list and is not compared with dw: make it a floating array"),
    ],
)
def test_what_is_no_floating_array_beside_its_gradient_is_named(layer, said):
    found = check_layer(layer, X, probes=[])
    assert not found.passed
    assert found.faults[0].startswith(said)
    name = said.split(" ", 1)[0]
    assert check_layer(layer, X, probes=[], constants=[name]).passed


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        (InObjects, ["weights[0]", "weights[1]"]),
        (InNested, ["params['q']['w']", "params['r'][0][0]"]),
        (PublicGradients, ["_w", "_b"]),
    ],
)
def test_parameters_in_more_containers_and_private_ones_are_compared(kind, names):
    found = check_layer(kind(W, B), X, probes=[])
    assert (found.passed, list(found.rows["argument"])) == (True, ["x", *names]), str(found)
    layer = kind(W, B)
    layer.wrong = True
    found = check_layer(layer, X, probes=[])
    assert [part.name for part in found.parts if not part.passes] == names[:1], str(found)


def test_what_is_private_and_never_written_is_not_taken_for_collected():
    class Unnamed(Private):
        def leave(self, dw, db):
            self.delta = dw, db

    found = check_layer(Unnamed(W, B), X, probes=[])
    assert not found.passed
    assert [fault.split(" ", 1)[0] for fault in found.faults] == ["_w", "_b"]


def test_what_cannot_be_copied_is_named():
    layer = Inside(Of(W, B))
    layer.inner.lock = threading.Lock()
    with pytest.raises(
        ValueError, match=r"Inside.inner.lock is a lock, which cannot be copied .* outside of"
    ):
        check_layer(layer, X)


class Gain:
    """Its factor is a number, and code asks whether it is."""

    def __init__(self, factor):
        self.factor = factor

    def forward(self, x):
        self.x = x
        return self.factor * x if not hasattr(self.factor, "__len__") else self.factor[0] * x * x

    def backward(self, dout):
        self.dfactor = np.sum(dout * self.x)
        return self.factor * dout


@pytest.mark.parametrize("factor", [1.25, np.float64(1.25)])
def test_a_number_of_a_layer_stays_a_number(factor):
    assert check_layer(Gain(factor), np.array([[0.5, -2.0]])).passed


class OneOutput:
    """Its bias is a number, and the gradient of that a sum with an axis."""

    def __init__(self, factor):
        self.W, self.b, self.factor = np.linspace(-1, 1, 3).reshape(3, 1), 0.5, factor

    def forward(self, x):
        self.x = x
        return x @ self.W + self.b

    def backward(self, dout):
        self.dW, self.db = self.x.T @ dout, self.factor * np.sum(dout, axis=0)
        return dout @ self.W.T


@pytest.mark.parametrize("factor", [1, 2])
def test_a_number_has_no_axes(factor):
    found = check_layer(OneOutput(factor), X)
    right = {part.name: part.verdict.right for part in found.parts if not part.of_value}
    assert right == {"x": True, "W": True, "b": factor == 1}


class PReLU:
    def __init__(self, slope, factor=1.0):
        self.slope, self.factor, self.dslope = slope, factor, None

    def forward(self, x):
        self.x = x
        return np.where(x > 0, x, self.slope * x)

    def backward(self, g):
        self.dslope = np.sum(g * np.where(self.x > 0, 0, self.x), axis=0)
        return self.factor * g * np.where(self.x > 0, 1, self.slope)


class Product:
    def __init__(self, weight, factor=1.0):
        self.weight, self.factor, self.dweight = weight, factor, None

    def forward(self, x):
        self.x = x
        return x @ self.weight

    def backward(self, g):
        self.dweight = self.x.T @ g
        return self.factor * g @ self.weight.T


@pytest.mark.parametrize(("factor", "verdict"), [(1.0, "accurate"), (2.0, "wrong")])
@pytest.mark.parametrize(
    ("kind", "own", "x"), [(PReLU, np.full(3, 0.25), np.abs(X) + 0.25), (Product, W, 0 * X)]
)
def test_a_parameter_that_moves_the_result_of_other_inputs_alone_is_one(kind, own, x, factor, verdict):
    found = check_layer(kind(own, factor), x)
    assert found.verdict == verdict, str(found)
    assert "no parameter moves" not in str(found)
