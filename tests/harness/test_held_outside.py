"""Layers and networks whose parts are behind functions, in sets, or outside of the object."""

import functools
import weakref

import numpy as np
import pytest

from gradproof import check_layer, check_network
from harness.subject.contents import parts, said
from oracles.exact.from_numpy.stand_ins import Function

X = np.random.default_rng(0).normal(size=(4, 3))
T = np.eye(2)[[0, 1, 1, 0]]


class Affine:
    """Its dW is `factor` times the right one."""

    def __init__(self, factor, width=2):
        rng = np.random.default_rng(1)
        self.W, self.b, self.factor = rng.normal(size=(3, width)), rng.normal(size=width), factor

    def forward(self, x):
        self.x = x
        return x @ self.W + self.b

    def backward(self, dout):
        self.dW, self.db = self.factor * (self.x.T @ dout), dout.sum(0)
        return dout @ self.W.T


class OfFunctions:
    def __init__(self, f, g):
        self.f, self.g = f, g

    def forward(self, x):
        return self.f(x)

    def backward(self, dout):
        return self.g(dout)


# -- behind functions that a copy has copies of -------------------------------------------------------------

BEHIND = {
    "methods": (lambda a: (a.forward, a.backward), "f.__self__.W"),
    "partials of methods": (
        lambda a: (functools.partial(a.forward), functools.partial(a.backward)),
        "f.func.__self__.W",
    ),
    "partials of functions": (
        lambda a: (functools.partial(Affine.forward, a), functools.partial(Affine.backward, a)),
        "f.args[0].W",
    ),
    "keywords of partials": (
        lambda a: (
            functools.partial(lambda x, of: of.forward(x), of=a),
            functools.partial(lambda d, of: of.backward(d), of=a),
        ),
        "f.keywords['of'].W",
    ),
}


@pytest.mark.parametrize("factor", [1, 2])
@pytest.mark.parametrize(("make", "name"), BEHIND.values(), ids=BEHIND)
def test_a_layer_behind_methods_and_partials_is_compared(make, name, factor):
    found = check_layer(OfFunctions(*make(Affine(factor))), X)
    assert name in {*found.rows["argument"]}, found
    assert found.verdict == ("accurate" if factor == 1 else "wrong"), found
    assert [part.name for part in found.parts if not part.passes] == [name] * (factor - 1)


def test_what_the_recorder_puts_in_the_place_of_a_function_is_not_looked_into():
    layer = OfFunctions(Function(np.copy, functools.partial(np.add, X)), None)
    assert [said(place) for place, _ in parts(layer)] == ["f"]


# -- where copies have no others ----------------------------------------------------------------------------


def of_lambdas(a):
    return OfFunctions(lambda x: a.forward(x), lambda d: a.backward(d))


def of_one_lambda(a):
    return OfFunctions(lambda x: a.forward(x), a.backward)


def of_defaults(a):
    return OfFunctions(lambda x, a=a: a.forward(x), lambda d, a=a: a.backward(d))


def of_itself(a):
    layer = OfFunctions(None, None)
    layer.a, own = a, weakref.ref(layer)
    layer.f, layer.g = lambda x: own().a.forward(x), lambda d: own().a.backward(d)
    return layer


def of_a_mask(_):
    kept = {}

    def forward(x):
        kept["mask"] = x > 0
        return x * kept["mask"]

    return OfFunctions(forward, lambda d: d * kept["mask"])


@pytest.mark.parametrize("make", [of_lambdas, of_one_lambda, of_defaults, of_itself, of_a_mask])
def test_what_functions_of_an_object_keep_in_closures_is_unsupported(make):
    for factor in (1, 2):  # also where all is right: copies share what is kept
        found = check_layer(make(Affine(factor)), X)
        assert (found.verdict, found.passed) == ("unsupported", False), found
        assert "has that self, or its variables; make it a method" in str(found)


class InSet:
    def __init__(self, kind, factor):
        self.layers = kind([Affine(factor)])

    def forward(self, x):
        for layer in self.layers:
            x = layer.forward(x)
        return x

    def backward(self, dout):
        for layer in self.layers:
            dout = layer.backward(dout)
        return dout


@pytest.mark.parametrize("kind", [set, frozenset])
def test_layers_in_a_set_are_unsupported(kind):
    found = check_layer(InSet(kind, 2), X)
    assert (found.verdict, found.passed) == ("unsupported", False), found
    assert f"layers is a {kind.__name__}, whose order is another one in a copy" in str(found)
    found = check_layer(InSet(list, 2), X)
    assert found.verdict == "wrong"


def test_a_set_of_what_is_found_elsewhere_hides_nothing():
    class Both(InSet):
        def __init__(self, factor):
            super().__init__(list, factor)
            self.trained = {*self.layers}

    assert check_layer(Both(1), X).passed
    assert check_layer(Both(2), X).verdict == "wrong"


HELD = {"a": Affine(2), "p": {"W": Affine(1).W}, "g": {}}
OUTSIDE_W, OUTSIDE_DW = Affine(1).W, None


class OfGlobalLayer:
    def forward(self, x):
        return HELD["a"].forward(x)

    def backward(self, dout):
        return HELD["a"].backward(dout)


class OfGlobalArrays:
    def forward(self, x):
        self.x = x
        return x @ OUTSIDE_W

    def backward(self, dout):
        global OUTSIDE_DW
        OUTSIDE_DW = 2 * (self.x.T @ dout)
        return dout @ OUTSIDE_W.T


class OfDictionaries:
    def forward(self, x):
        self.x = x
        return x @ HELD["p"]["W"]

    def backward(self, dout):
        HELD["g"]["W"] = 2 * (self.x.T @ dout)
        return dout @ HELD["p"]["W"].T


class OfClass:
    W = Affine(1).W

    def forward(self, x):
        self.x = x
        return x @ OfClass.W

    def backward(self, dout):
        OfClass.dW = 2 * (self.x.T @ dout)
        return dout @ OfClass.W.T


class OfWeakReference:
    def __init__(self, a):
        self.a = weakref.ref(a)

    def forward(self, x):
        return self.a().forward(x)

    def backward(self, dout):
        return self.a().backward(dout)


OWNER = Affine(2)
LEFT_OUTSIDE = {
    "a layer": (OfGlobalLayer, "HELD['a'].W, HELD['a'].b, and backward leaves HELD['a'].dW, HELD['a'].db"),
    "arrays": (OfGlobalArrays, "OUTSIDE_W, and backward leaves OUTSIDE_DW"),
    "dictionaries": (OfDictionaries, "HELD['p']['W'], and backward leaves HELD['g']['W']"),
    "a class": (OfClass, "OfClass.W, and backward leaves OfClass.dW"),
    "a weak reference": (lambda: OfWeakReference(OWNER), "(3, 2), and backward leaves an array"),
}


@pytest.mark.parametrize(("make", "told"), LEFT_OUTSIDE.values(), ids=LEFT_OUTSIDE)
def test_gradients_that_are_left_outside_of_the_object_are_unsupported(make, told):
    found = check_layer(make(), X)
    assert (found.verdict, found.passed) == ("unsupported", False), found
    assert told in str(found)
    assert "keep in attributes what has parameters" in str(found)


# -- constants ----------------------------------------------------------------------------------------------

TABLE, LOG = np.array([0.5, 2.0]), []


class OfGlobalConstant:
    def __init__(self, factor):
        self.affine = Affine(factor)

    def forward(self, x):
        return self.affine.forward(x) * TABLE

    def backward(self, dout):
        LOG.append(dout.copy())
        return self.affine.backward(dout * TABLE)


def of_closed_constant(factor):
    scale = np.array([0.5, 2.0])
    layer = OfGlobalConstant(factor)
    layer.forward_scale, layer.backward_scale = (lambda z: z * scale), (lambda d: d * scale)
    return layer


@pytest.mark.parametrize("factor", [1, 2])
def test_a_constant_outside_of_the_object_is_told(factor):
    before = TABLE.copy()
    found = check_layer(OfGlobalConstant(factor), X)
    assert found.passed == (factor == 1), found
    assert any("the result moves with TABLE, held outside of the object" in note for note in found.notes)
    assert np.array_equal(TABLE, before)


@pytest.mark.parametrize("factor", [1, 2])
@pytest.mark.parametrize("name", ["f.args[0]", "f.keywords['x2']"])
def test_a_constant_that_a_partial_gives_is_told(name, factor):
    class Scaled(Affine):
        def __init__(self):
            super().__init__(factor)
            f = lambda x1, x2: x1 * x2  # noqa: E731 - it is bound
            by_place = name == "f.args[0]"
            self.f = functools.partial(f, TABLE) if by_place else functools.partial(f, x2=TABLE)

        def forward(self, x):
            return self.f(super().forward(x))

        def backward(self, dout):
            return super().backward(dout * TABLE)

    found = check_layer(Scaled(), X)
    assert found.passed == (factor == 1), found
    assert any(f"{name} moves the result, and a partial gives it" in note for note in found.notes), found


def test_what_moves_nothing_is_not_told():
    found = check_layer(of_closed_constant(1), X)
    assert not any("scale" in note for note in found.notes), found
    assert not check_layer(Affine(1), X).notes


def test_the_input_itself_is_no_constant():
    class Named(Affine):
        def forward(self, x):
            assert X is not None
            return super().forward(x)

    found = check_layer(Named(1), X)
    assert (found.passed, found.notes) == (True, ()), found


# -- networks -----------------------------------------------------------------------------------------------


def softmax(z):
    e = np.exp(z - z.max(1, keepdims=True))
    return e / e.sum(1, keepdims=True)


class Network:
    def __init__(self, factor, hold):
        first, second = Affine(factor, 3), Affine(1)
        self.layers = (first, second)
        self.params = {"W1": first.W, "b1": first.b, "W2": second.W, "b2": second.b}
        hold(self, first, second)

    def loss(self, x, t):
        self.y = softmax(self.f[1](self.f[0](x)))
        return -np.sum(t * np.log(self.y)) / len(x)

    def gradient(self, x, t):
        self.loss(x, t)
        self.g[1](self.g[0]((self.y - t) / len(x)))
        first, second = self.layers
        return {"W1": first.dW, "b1": first.db, "W2": second.dW, "b2": second.db}


def in_methods(net, first, second):
    net.f, net.g = [first.forward, second.forward], [second.backward, first.backward]


def in_lambdas(net, first, second):
    net.f = [lambda x: first.forward(x), lambda x: second.forward(x)]
    net.g = [lambda d: second.backward(d), lambda d: first.backward(d)]


def test_a_network_behind_methods_is_compared():
    assert check_network(Network(1, in_methods), X, T).passed
    assert check_network(Network(2, in_methods), X, T).verdict == "wrong"


def test_a_network_behind_lambdas_is_unsupported():
    found = check_network(Network(2, in_lambdas), X, T)
    assert (found.verdict, found.passed) == ("unsupported", False), found
    assert "first.W, first.b" in str(found)
    assert "backward leaves first.dW, first.db" in str(found)


def test_a_set_in_a_network_hides_nothing():
    def hold(net, first, second):
        in_methods(net, first, second)
        net.others = {Affine(1)}

    found = check_network(Network(1, hold), X, T)
    assert (found.verdict, found.passed) == ("unsupported", False), found
    assert "others is a set" in str(found)
