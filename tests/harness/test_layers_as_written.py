"""Layers and networks as students and books write them: what is found in them, and what is said of them."""

import jax.numpy as jnp
import numpy as np
import pytest
import torch

from gradproof import check_layer, check_network

RNG = np.random.default_rng(0)
X = RNG.normal(size=(4, 3))


class Affine:
    def __init__(self):
        rng = np.random.default_rng(1)
        self.W, self.b = rng.normal(size=(3, 2)), rng.normal(size=2)

    def forward(self, x):
        self.x = x
        return x @ self.W + self.b

    def backward(self, dout):
        self.dW, self.db = self.x.T @ dout, dout.sum(0)
        return dout @ self.W.T


# -- what is found ----------------------------------------------------------------------------------------


class Parameter:
    def __init__(self, value, **others):
        self.data, self.grad = value, 0.0 * value
        vars(self).update(others)


class OfObjects:
    """Each parameter is an object with its number, its gradient, and what an optimiser needs."""

    def __init__(self, make, factor):
        self.scale, self.shift, self.factor = make(1.5), make(-0.5), factor

    def forward(self, x):
        self.x = x
        return self.scale.data * x + self.shift.data

    def backward(self, dout):
        self.scale.grad, self.shift.grad = self.factor * (dout * self.x).sum(), dout.sum()
        return dout * self.scale.data


MAKES = {
    "arrays": lambda v: Parameter(np.array(v)),
    "arrays and a rate": lambda v: Parameter(np.array(v), lr=0.1),
    "floats": Parameter,
    "floats and a rate": lambda v: Parameter(v, lr=0.1, momentum=0.9),
    "numbers of NumPy's": lambda v: Parameter(np.float64(v), lr=0.1),
}


@pytest.mark.parametrize("factor", [1, 2])
@pytest.mark.parametrize("make", MAKES.values(), ids=MAKES)
def test_a_number_and_its_gradient_in_an_object(make, factor):
    found = check_layer(OfObjects(make, factor), X)
    assert {"scale.data", "shift.data"} <= {*found.rows["argument"]}
    assert found.verdict == ("accurate" if factor == 1 else "wrong"), found


class WithMoments(Affine):
    def __init__(self):
        super().__init__()
        self.m = {"W": np.zeros((3, 2)), "b": np.zeros(2)}
        self.best = {"W": self.W.copy()}


class WithMomentsOfParams(Affine):
    def __init__(self):
        super().__init__()
        self.params = {"W": self.W, "b": self.b}
        self.v = {"W": np.zeros((3, 2)), "b": np.zeros(2)}
        del self.W, self.b

    def forward(self, x):
        self.x = x
        return x @ self.params["W"] + self.params["b"]

    def backward(self, dout):
        self.dW, self.db = self.x.T @ dout, dout.sum(0)
        self.grads = {"W": self.dW, "b": self.db}
        return dout @ self.params["W"].T


@pytest.mark.parametrize("layer", [WithMoments, WithMomentsOfParams])
def test_the_moments_of_an_optimiser_are_no_parameters(layer):
    found = check_layer(layer(), X)
    assert found.verdict == "accurate", found
    assert {*found.rows["argument"]} == {"x", "W", "b"}


class WithGradsAside(Affine):
    factor = 1

    def backward(self, dout):
        self.grads = {"W": self.x.T @ dout, "db": self.factor * dout.sum(0)}
        return dout @ self.W.T


@pytest.mark.parametrize("factor", [1, 2])
def test_parameters_are_attributes_and_gradients_in_a_dictionary(factor):
    layer = WithGradsAside()
    layer.factor = factor
    assert check_layer(layer, X).verdict == ("accurate" if factor == 1 else "wrong")


class OfParts:
    """W and b are parts of one vector, and so are their gradients."""

    def __init__(self):
        self.theta = np.random.default_rng(1).normal(size=8)
        self.W, self.b = self.theta[:6].reshape(3, 2), self.theta[6:]

    forward = Affine.forward

    def backward(self, dout):
        self.dW, self.db = self.x.T @ dout, dout.sum(0)
        self.dtheta = np.concatenate([self.dW.ravel(), self.db])
        return dout @ self.W.T


def test_a_vector_of_parameters_beside_its_parts():
    found = check_layer(OfParts(), X)
    assert found.verdict == "accurate", found
    assert "dtheta is not compared: theta holds W, b, which are" in found.notes


class Exp:
    def forward(self, x):
        self.y = np.exp(x)
        return self.y

    def backward(self, dout):
        return (dout * self.y,)


def test_a_gradient_in_a_tuple_of_one():
    assert check_layer(Exp(), X).verdict == "accurate"
    assert check_layer(Exp(), (X,)).verdict == "accurate"


class Mul:
    def forward(self, x, y):
        self.x, self.y = x, y
        return x * y

    def backward(self, dout):
        return dout * self.y, dout * self.x


class SwappedMul(Mul):
    def backward(self, dout):
        return super().backward(dout)[::-1]


@pytest.mark.parametrize("x", [(100.0, 2.0), (100, 2), (X, X.tolist()), (np.float32(3), np.float32(2))])
def test_the_books_product_takes_numbers(x):
    assert check_layer(Mul(), x).verdict == "accurate"
    if not isinstance(x[0], np.ndarray):
        assert check_layer(SwappedMul(), x).verdict == "wrong"


def test_a_tuple_of_numbers_is_one_input_where_forward_takes_one():
    assert [*check_layer(Exp(), (0.5, 1.5)).rows["shape"]] == [(2,)]


class TimeSoftmaxWithLoss:
    """Its backward works in the memory of what forward computed, as books have it."""

    def forward(self, x, t):
        e = np.exp(x - x.max(-1, keepdims=True))
        self.y, self.t = e / e.sum(-1, keepdims=True), t
        return -np.log(self.y[np.arange(len(t)), t]).mean()

    def backward(self, dout=1):
        dx = self.y
        dx[np.arange(len(self.t)), self.t] -= 1
        dx *= dout / len(self.t)
        return dx


def test_a_backward_may_work_in_the_memory_of_forward():
    found = check_layer(TimeSoftmaxWithLoss(), X, np.array([0, 2, 1, 1]))
    assert found.passed, found
    assert "the next backward needs a forward before it" in str(found)


# -- what is wrong ----------------------------------------------------------------------------------------


class Adding(Affine):
    def __init__(self):
        super().__init__()
        self.dW, self.db = np.zeros((3, 2)), np.zeros(2)

    def backward(self, dout):
        self.dW += self.x.T @ dout
        self.db += dout.sum(0)
        return dout @ self.W.T


class Cleared(Adding):
    def zero_grad(self):
        self.dW[...], self.db[...] = 0, 0


class HalfCleared(Adding):
    def zero_grad(self):
        self.dW[...] = 0


class ClearedInName(Adding):
    def clear_grads(self):
        dW, db = 0 * self.dW, 0 * self.db  # noqa: F841


def test_a_gradient_that_is_not_cleared_adds_up():
    assert check_layer(Cleared(), X).passed
    half, in_name = check_layer(HalfCleared(), X), check_layer(ClearedInName(), X)
    assert half.faults == ("db is not cleared by zero_grad: the next backward adds to it",)
    assert len(in_name.faults) == 2
    assert "dW is not cleared by clear_grads" in in_name.faults[0]
    alone = check_layer(Adding(), X)
    assert alone.verdict == "miscomputed"
    assert (
        "backward adds to dW, and nothing clears that: let it assign, or give the layer a zero_grad()"
        in str(alone)
    )


class AddingBelowSoftmax(Adding):
    """Along ones its dW is 0: nothing adds up there."""

    def forward(self, x):
        e = np.exp(super().forward(x))
        self.y = e / e.sum(1, keepdims=True)
        return self.y

    def backward(self, dout):
        return super().backward(self.y * (dout - (dout * self.y).sum(1, keepdims=True)))


class AddingWithState(AddingBelowSoftmax):
    h = 0.0

    def forward(self, x):
        found = super().forward(x + self.h)
        self.h = 0.5 * found[:, :1]
        return found


class ClearedWithArgument(Adding):
    def zero_grad(self, set_to_none):
        raise AssertionError


@pytest.mark.parametrize("layer", [AddingBelowSoftmax, AddingWithState, ClearedWithArgument])
def test_a_gradient_that_adds_up_where_ones_do_not_show_it(layer):
    found = check_layer(layer(), X)
    assert "backward adds to dW, and nothing clears that" in str(found), found
    assert not found.passed


class Square:
    def forward(self, x):
        self.x = x
        return x * x

    def backward(self, dout):
        dx = self.x
        dx *= 2 * dout
        return dx


def test_a_backward_that_writes_into_the_arrays_of_its_caller():
    found = check_layer(Square(), X)
    assert found.faults == ("backward writes into x; that is the caller's array",)


class OfOtherParts(OfParts):
    def backward(self, dout):
        found = super().backward(dout)
        self.dtheta = 2 * self.dtheta
        return found


def test_a_vector_whose_gradient_is_not_that_of_its_parts():
    assert "dtheta has other numbers than dW, a part of it" in check_layer(OfOtherParts(), X).faults


class Integers(WithGradsAside):
    def __init__(self):
        super().__init__()
        self.b = np.array([1, 2])


def test_integers_beside_their_gradients_in_a_dictionary():
    layer = Integers()
    assert check_layer(layer, X).verdict == "accurate"
    layer.factor = 2
    assert check_layer(layer, X).verdict == "wrong"


class Recurrent(Affine):
    """Its state moves on in backward, whatever the cotangent is."""

    def __init__(self):
        super().__init__()
        self.h = np.zeros((4, 2))

    def forward(self, x):
        self.y = np.tanh(super().forward(x) + self.h)
        return self.y

    def backward(self, dout):
        found = super().backward(dout * (1 - self.y**2))
        self.h[...] = self.y
        return found


def test_a_state_that_moves_on_in_backward_is_no_step_of_training():
    assert check_layer(Recurrent(), X).passed


class Counting(Affine):
    def __init__(self):
        super().__init__()
        self.calls, self.device = 0, torch.device("cpu")

        def count():
            self.calls += 1

        self.hook = count

    def forward(self, x):
        self.hook()
        return super().forward(x)


def test_what_else_an_object_holds_is_its_own():
    assert check_layer(Counting(), X).verdict == "accurate"


class MLP:
    def __init__(self, wrong):
        self.W1, self.W2, self.wrong = np.full((3, 3), 0.3), np.full((3, 3), 0.3), wrong

    def forward(self, x):
        self.x, self.h = x, np.tanh(x @ self.W1)
        return self.h @ self.W2

    def backward(self, dout):
        self.dW2 = self.h.T @ dout
        da = dout @ (self.W1 if self.wrong else self.W2).T * (1 - self.h**2)
        self.dW1 = self.x.T @ da
        return da @ self.W1.T


@pytest.mark.parametrize("wrong", [False, True])
def test_one_matrix_for_another_that_has_one_number_too(wrong):
    assert check_layer(MLP(wrong), X).verdict == ("wrong" if wrong else "accurate")


class OfClosures:
    def __init__(self):
        weights = np.random.default_rng(0).normal(size=(3, 2))

        def forward(x):
            self.x = x
            return x @ weights

        def backward(dout):
            self.dW = 2 * self.x.T @ dout
            return dout @ weights.T

        self.forward, self.backward = forward, backward


def test_what_writes_into_the_object_where_it_was_made_is_no_method():
    layer = OfClosures()
    found = check_layer(layer, X)
    assert found.verdict == "unsupported"
    assert "a function inside of __init__ has that self, or its variables; make it a method" in str(found)
    assert {*vars(layer)} == {"forward", "backward"}


class Drawing:
    def forward(self, x):
        self.mask = np.random.default_rng().random(x.shape) > 0.5
        return x * self.mask

    def backward(self, dout):
        return dout * self.mask


def test_what_is_drawn_anew_is_open_and_accuses_nobody():
    found = check_layer(Drawing(), X)
    assert found.verdict == "undecided", found
    assert not any(verdict == "wrong" for verdict in found.rows["verdict"])
    assert "not reproducible" in str(found)


class Lazy:
    factor = 1

    @property
    def params(self):
        if not hasattr(self, "_params"):
            self._params = {"W": np.full((3, 2), 0.5), "b": np.zeros(2)}
        return self._params

    def loss(self, x, t):
        self.d = x @ self.params["W"] + self.params["b"] - t
        return 0.5 * (self.d**2).sum()

    def gradient(self, x, t):
        self.loss(x, t)
        return {"W": self.factor * x.T @ self.d, "b": self.d.sum(0)}


@pytest.mark.parametrize("factor", [1, 2])
def test_params_that_are_made_when_they_are_read(factor):
    net = Lazy()
    net.factor = factor
    found = check_network(net, X, X[:, :2] ** 2)
    assert found.verdict == ("accurate" if factor == 1 else "wrong"), found
    assert "_params" not in vars(net)


# -- what is said -----------------------------------------------------------------------------------------


class Sign:
    def forward(self, x):
        return np.sign(x)

    def backward(self, dout):
        return dout


class Listing(Affine):
    def backward(self, dout):
        return super().backward(dout).tolist()


class Keeping(Affine):
    def backward(self, dout):
        self.dS = dout
        return super().backward(dout)


class Strings(Lazy):
    def gradient(self, x, t):
        return {"W": "no array", "b": [0.0, 0.0]}


def test_what_is_said_of_what_no_layer_takes():
    assert "check_gradient takes that as surrogate=" in str(check_layer(Sign(), X))
    assert "if it is none, call it _dS" in str(check_layer(Keeping(), X))
    assert "x is empty, so nothing moves the result" in str(check_layer(Affine(), X[:0]))
    for x, said in ((torch.ones(4, 3), "a Tensor"), (jnp.ones((4, 3)), "a JAX array")):
        with pytest.raises(
            ValueError, match=f"x must be an array of NumPy's, got {said}: check_gradient takes"
        ):
            check_layer(Affine(), x)
    with pytest.raises(ValueError, match=r"Listing\.backward must return an array, got a list"):
        check_layer(Listing(), X)
    with pytest.raises(ValueError, match="gradient must give an array for 'W', got a str"):
        check_network(Strings(), X, X[:, :2])
