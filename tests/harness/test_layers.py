"""assert_layer on the book's layers: right ones pass, one mistake in each is found, nothing is touched."""

import copy
import random

import numpy as np
import pytest

from harness import GradientError, assert_layer, check_gradient, check_layer
from harness.verdicts import Verdict
from tests.harness import book_layers as book

RNG = np.random.default_rng(0)
X, W, B = RNG.normal(size=(4, 3)), RNG.normal(size=(3, 2)), RNG.normal(size=2)
IMAGES, LABELS = RNG.normal(size=(2, 2, 4, 4)), np.array([0, 2, 1, 1])
FILTERS = RNG.normal(size=(3, 2, 2, 2)), RNG.normal(size=3)

# How to make a layer, what forward takes, the arguments, and which of them the mistake is in.
LAYERS = {
    "Relu": (book.Relu, (X,), ["x"], "x"),
    "Sigmoid": (book.Sigmoid, (X,), ["x"], "x"),
    "Affine": (lambda: book.Affine(W, B), (X,), ["x", "W", "b"], "b"),
    "Affine, of images": (lambda: book.Affine(RNG.normal(size=(32, 2)), B), (IMAGES,), ["x", "W", "b"], "b"),
    "lists": (lambda: book.AffineOfLists(W, B), (X,), ["x", "params[0]", "params[1]"], "params[0]"),
    "dictionaries": (lambda: book.AffineOfDictionaries(W, B), (X,), ["x", "W1", "b1"], "b1"),
    "SoftmaxWithLoss": (book.SoftmaxWithLoss, (X, LABELS), ["x"], "x"),
    "SoftmaxWithLoss, one-hot": (book.SoftmaxWithLoss, (X, np.eye(3)[LABELS]), ["x"], "x"),
    "Dropout": (book.Dropout, (X,), ["x"], "x"),
    "BatchNormalization": (
        lambda: book.BatchNormalization(np.full(3, 1.5), np.zeros(3)), (X,), ["x", "gamma", "beta"], "x",
    ),
    "Convolution": (lambda: book.Convolution(*FILTERS, 1, 1), (IMAGES,), ["x", "W", "b"], "W"),
    "Convolution, stride 2": (lambda: book.Convolution(*FILTERS, 2), (IMAGES,), ["x", "W", "b"], "W"),
    "Pooling": (lambda: book.Pooling(2, 2), (IMAGES,), ["x"], "x"),
}  # fmt: skip
each_layer = pytest.mark.parametrize(("make", "args", "names", "mistaken"), LAYERS.values(), ids=LAYERS)


@each_layer
def test_a_right_layer_passes_with_a_row_for_each_parameter(make, args, names, mistaken):
    found = assert_layer(make(), *args)
    assert list(found.rows["argument"]) == names
    assert set(found.rows["verdict"]) == {"accurate"}


@each_layer
def test_one_mistake_in_a_layer_is_found_where_it_is(make, args, names, mistaken):
    layer = make()
    layer.wrong = True
    found = check_layer(layer, *args)
    assert (found.verdict, found.passed) == (Verdict.WRONG, False)
    verdicts = dict(zip(found.rows["argument"], found.rows["verdict"], strict=True))
    assert [name for name, verdict in verdicts.items() if verdict == "wrong"] == [mistaken]


@each_layer
def test_the_layer_and_its_input_are_what_they_were(make, args, names, mistaken):
    layer = make()
    before, given = copy.deepcopy(vars(layer)), copy.deepcopy(args)
    state, other = np.random.get_state()[1].copy(), random.getstate()  # noqa: NPY002
    check_layer(layer, *args)
    np.testing.assert_equal(vars(layer), before)
    np.testing.assert_equal(args, given)
    np.testing.assert_array_equal(np.random.get_state()[1], state)  # noqa: NPY002
    assert random.getstate() == other


def test_a_backward_that_writes_into_dout_is_a_note_and_no_failure():
    found = assert_layer(book.Relu(), X)
    assert found.notes == ("backward writes into dout; that is the caller's array",)
    assert not assert_layer(book.Sigmoid(), X).notes


class MeanOfSquares:
    """As the losses of the book's second volume: dout is a number, which nobody can write into."""

    def forward(self, x):
        self.x = x
        return np.sum(x * x) / len(x)

    def backward(self, dout=1):
        dout *= 2 / len(self.x)
        return self.x * dout


class Reshaping(MeanOfSquares):
    def backward(self, dout):
        return 2 / len(self.x) * self.x * dout.reshape(1)


def test_the_cotangent_of_a_number_is_a_number():
    assert not assert_layer(MeanOfSquares(), X).notes
    assert_layer(Reshaping(), X)
    kinds = []

    def backward(g, x):
        kinds.append(type(g))
        g *= 2
        return x * g

    x = np.array([0.5, 2.0])
    assert check_gradient(lambda x: np.sum(x * x), (x,), vjp=backward).passed
    assert {np.float64} <= set(kinds)
    assert np.ndarray not in kinds
    assert not check_gradient(lambda x: np.asarray(np.sum(x * x)), (x,), vjp=backward).passed


def test_a_forward_that_writes_into_its_input_is_a_note():
    class Doubling:
        def forward(self, x):
            x *= 2
            return x * x

        def backward(self, dout):
            return dout

    assert "forward writes into x; that is the caller's array" in check_layer(Doubling(), X).notes


def test_the_book_s_small_number_is_named_with_what_to_do():
    loss = book.SoftmaxWithLoss()
    loss.small = 1e-7
    x = np.log(np.array([[0.18, 0.5, 0.32], [0.3, 0.3, 0.4]]))
    with pytest.raises(GradientError, match="wrong") as raised:
        assert_layer(loss, x, np.array([0, 1]))
    text = str(raised.value)
    assert "(relative error 5.6e-07)" in text  # 1e-7 over the probability 0.18
    assert (
        "the derivative of the function without its 1e-07: pass the function that is meant as spec=" in text
    )

    def meant(x, t):
        return -np.sum(np.log(book.softmax(x)[np.arange(len(x)), t])) / len(x)

    assert assert_layer(loss, x, np.array([0, 1]), spec=meant).passed


def test_a_spec_takes_the_parameters_after_the_input():
    layer = book.Affine(W, B)
    assert assert_layer(layer, X, spec=lambda x, W, b: x @ W + b).passed
    other = check_layer(layer, X, spec=lambda x, W, b: x @ W - b)
    assert list(other.rows["argument"]) == ["value"]
    assert "is not the specification" in other.diagnosis


@pytest.mark.parametrize("train", [True, False])
def test_options_reach_forward(train):
    class Scaled(book.Sigmoid):
        def forward(self, x, train_flg):
            self.training = train_flg
            return super().forward(x) if train_flg else 2 * super().forward(x)

        def backward(self, dout):
            return super().backward(dout if self.training else 2 * dout)

    assert check_layer(Scaled(), X, options={"train_flg": train}).passed


def test_a_layer_with_a_generator_of_its_own_draws_the_same_mask():
    class Own(book.Dropout):
        def __init__(self):
            super().__init__(0.5)
            self.rng = np.random.default_rng(3)

        def forward(self, x, train_flg=True):
            self.mask = self.rng.random(x.shape) > self.ratio
            return x * self.mask

    assert assert_layer(Own(), X).passed


def test_a_given_dout_is_the_one_that_is_used():
    assert assert_layer(book.Affine(W, B), X, cotangent=np.ones((4, 2))).passed
    with pytest.raises(ValueError, match=r"the cotangent must have shape \(4, 2\), got \(2,\)"):
        check_layer(book.Affine(W, B), X, cotangent=np.ones(2))


def test_the_boundary_of_a_layer():
    found = check_layer(book.Sigmoid(), X, boundary=True)
    rows = found.rows.set_index("input")
    assert rows.loc["given", "verdict"] == "accurate"
    assert rows.loc["saturated-20", "verdict"] in {"accurate", "imprecise"}
    assert len(rows) > 8


def test_float32_that_becomes_float64_on_the_way_is_said():
    """`np.zeros` in im2col."""
    filters = tuple(a.astype("float32") for a in FILTERS)
    found = check_layer(book.Convolution(*filters), IMAGES.astype("float32"))
    assert not found.passed
    assert "float64 instead of float32" in str(found)


class LeavesAll:
    """x W + b; nothing is returned. `wrong` is what its gradients are too large by."""

    wrong = {}  # noqa: RUF012

    def __init__(self):
        self.weights, self.biases = W.copy(), B[None].copy()

    def forward(self, inputs):
        self.inputs = inputs
        self.output = inputs @ self.weights + self.biases

    def backward(self, dvalues):
        self.dweights = self.wrong.get("weights", 1) * (self.inputs.T @ dvalues)
        self.dbiases = self.wrong.get("biases", 1) * dvalues.sum(0, keepdims=True)
        self.dinputs = self.wrong.get("x", 1) * (dvalues @ self.weights.T)


@pytest.mark.parametrize("name", ["", "x", "weights", "biases"])
def test_a_layer_may_leave_what_it_does_not_return(name):
    layer = LeavesAll()
    layer.wrong = {name: 2}
    layer.forward(X)
    layer.backward(np.ones((4, 2)))
    found = check_layer(layer, X)
    assert list(found.rows["argument"]) == ["x", "weights", "biases"]
    assert [part.name for part in found.parts if not part.passes] == ([name] if name else []), str(found)


class NoBackward:
    def forward(self, x):
        return x


class NoResult(LeavesAll):
    def forward(self, inputs):
        self.found = inputs


class NoGrads(book.AffineOfDictionaries):
    def __init__(self, W, b):
        super().__init__(W, b)
        del self.grads

    def backward(self, dout):
        return dout @ self.params["W1"].T


class TakesTargets:
    def forward(self, x):
        return np.mean(x**2)

    def backward(self, dout, t):
        return dout * t


class TakesNothing:
    def forward(self, x):
        return 2 * x

    def backward(self):
        return 1.0


class FewGrads(book.AffineOfDictionaries):
    def backward(self, dout):
        self.grads["W1"] = self.x.T @ dout
        return dout @ self.params["W1"].T


@pytest.mark.parametrize(
    ("layer", "said"),
    [
        (
            NoBackward(),
            r"layer must have forward\(x\) and backward\(dout\), got a NoBackward without backward",
        ),
        (3.0, "got a float without forward and backward"),
        (
            TakesTargets(),
            r"backward\(dout\), got TakesTargets.backward\(dout, t\): keep in forward what else",
        ),
        (TakesNothing(), r"got TakesNothing.backward\(\): .*of a loss, .*dout may be left out"),
        (NoResult(), "NoResult.forward returns None: let it return the result, or leave that in self.output"),
        (NoGrads(W, B), "NoGrads has `params`, a dict, and `grads` is missing"),
        (FewGrads(W, B), r"FewGrads.grads lacks \['b1'\], which are in `params`"),
    ],
)
def test_what_is_no_layer_says_what_one_is(layer, said):
    with pytest.raises(ValueError, match=said):
        check_layer(layer, X)


def test_what_a_layer_raises_is_the_users_to_see():
    with pytest.raises(ValueError, match="shapes"):
        check_layer(book.Affine(W, B), X[:, :2])


class InPlace:
    """Batch norm whose running statistics, and a buffer for its result, are written in place."""

    def __init__(self, factor=1.0):
        self.gamma, self.beta = np.array([0.5, -1.25, 2.0]), np.array([0.1, 0.2, -0.3])
        self.mean, self.buffer, self.factor = np.zeros(3), np.zeros((6, 3)), factor

    def forward(self, x):
        mean, self.std = x.mean(0), np.sqrt(x.var(0) + 1e-5)
        self.mean *= 0.9
        self.mean[:] += 0.1 * mean
        self.centred = (x - mean) / self.std
        np.multiply(self.gamma, self.centred, out=self.buffer)
        return self.buffer + self.beta

    def backward(self, dout):
        self.dbeta, self.dgamma = dout.sum(0), self.factor * (dout * self.centred).sum(0)
        inner = dout * self.gamma
        return (inner - inner.mean(0) - self.centred * (inner * self.centred).mean(0)) / self.std


@pytest.mark.parametrize(("factor", "verdict"), [(1.0, "accurate"), (1.001, "wrong")])
def test_a_layer_may_write_into_its_own_arrays(factor, verdict):
    layer = InPlace(factor)
    found = check_layer(layer, np.random.default_rng(0).normal(size=(6, 3)))
    assert found.verdict == verdict, str(found)
    assert {part.name for part in found.parts if part.verdict == "wrong"} == (
        {"gamma"} if factor > 1 else set()
    )
    assert not layer.mean.any()


class Embedding:
    """As in the second book, chapter 4: rows of a matrix, looked up."""

    def __init__(self, w, adds=True):
        self.params, self.grads, self.adds = [w], [np.zeros_like(w)], adds

    def forward(self, index):
        self.index = index
        return self.params[0][index]

    def backward(self, dout):
        (dw,) = self.grads
        dw[...] = 0
        if self.adds:
            np.add.at(dw, self.index, dout)
        else:  # of rows that are looked up twice the last one alone counts
            dw[self.index] = dout


@pytest.mark.parametrize(("adds", "verdict"), [(True, "accurate"), (False, "wrong")])
def test_of_integers_the_parameters_alone_are_compared(adds, verdict):
    w = np.random.default_rng(0).normal(size=(5, 3))
    found = check_layer(Embedding(w, adds), np.array([0, 2, 2]))
    assert found.verdict == verdict, str(found)
    assert {part.name for part in found.parts if not part.of_value} == {"params[0]"}


def test_integers_without_parameters_are_refused():
    class Scaled:
        def forward(self, x):
            return x * 2.0

        def backward(self, dout):
            return 2 * dout

    with pytest.raises(
        ValueError, match="x must hold floating numbers, got int64: the layer has no parameters"
    ):
        check_layer(Scaled(), np.array([1, 2]))


class Gates:
    """Two views of one buffer, which forward writes."""

    def __init__(self):
        self.buffer = np.zeros((4, 6))
        self.a, self.b = self.buffer[:, :3], self.buffer[:, 3:]

    def forward(self, x):
        self.buffer[...] = np.concatenate([x, 2 * x], 1)
        return self.a * self.b

    def backward(self, dout):
        return 2 * dout * self.a + dout * self.b


def test_views_of_a_buffer_that_is_written_accuse_nobody():
    found = check_layer(Gates(), X)
    assert found.verdict != "wrong", str(found)


class Padded:
    """A border of zeros around what forward writes: a buffer, and no parameter."""

    def __init__(self):
        self.pad = np.zeros((6, 3))

    def forward(self, x):
        self.pad[1:-1] = x
        return self.pad[:-2] + self.pad[2:]

    def backward(self, dout):
        found = np.zeros((6, 3))
        found[:-2] += dout
        found[2:] += dout
        return found[1:-1]


def test_a_buffer_is_no_parameter():
    found = check_layer(Padded(), X)
    assert found.passed, str(found)


def test_a_layer_with_slots_is_told_what_to_do():
    class Slotted:
        __slots__ = ("x",)

        def forward(self, x):
            self.x = x
            return x * x

        def backward(self, dout):
            return 2 * dout * self.x

    with pytest.raises(ValueError, match="Slotted has __slots__ and no __dict__"):
        check_layer(Slotted(), X)


class Counted:
    """Counts its calls, for all of its kind."""

    calls = 0
    totals = np.zeros(2)

    def forward(self, x):
        type(self).calls += 1
        self.totals += 1
        return 2 * x

    def backward(self, dout):
        return 2 * dout


def test_what_a_layer_changes_in_its_class_is_put_back():
    assert check_layer(Counted(), X).passed
    assert (Counted.calls, Counted.totals.tolist()) == (0, [0, 0])


# -- several results --------------------------------------------------------------------------------------


class Attention:
    """What it returns beside the result has no gradient of its own."""

    factor = 1.0

    def __init__(self):
        self.W = W.copy()

    def forward(self, x):
        self.x = x
        weights = np.exp(x) / np.exp(x).sum(axis=-1, keepdims=True)
        return x @ self.W, weights

    def backward(self, dout):
        self.dW = self.factor * self.x.T @ dout
        return dout @ self.W.T


class Both(Attention):
    def backward(self, dout, d_weights):
        weights = np.exp(self.x) / np.exp(self.x).sum(axis=-1, keepdims=True)
        inner = (d_weights * weights).sum(axis=-1, keepdims=True)
        return super().backward(dout) + weights * (d_weights - inner)


class AsOne(Both):
    def backward(self, gradients):
        return super().backward(*gradients)


@pytest.mark.parametrize("kind", [Attention, Both, AsOne])
def test_a_layer_of_several_results(kind):
    found = check_layer(kind(), X)
    assert found.passed, str(found)
    alone = "backward takes the gradient of the first of 2 results alone, which is compared"
    assert (alone in found.notes) == (kind is Attention)
    wrong = type("Wrong", (kind,), {"factor": 1.1})
    assert check_layer(wrong(), X).verdict is Verdict.WRONG


def test_a_backward_that_takes_none_of_them_says_why_itself():
    class Broken(Attention):
        def backward(self, dout):
            raise RuntimeError("not yet")

    with pytest.raises(RuntimeError, match="not yet"):
        check_layer(Broken(), X)


# -- losses ------------------------------------------------------------------------------------------------


class Squares:
    """A loss, whose backward may use its cotangent."""

    def __init__(self, shape=()):
        self.shape = shape

    def forward(self, x):
        self.x = x
        return (x**2).sum().reshape(self.shape)


class Forgetting(Squares):
    def backward(self, dout):
        return 2 * self.x


class LeavingOut(Squares):
    def backward(self, dout=1):
        return 2 * self.x


class WithoutCotangent(Squares):
    def __init__(self, shape=(), factor=1):
        super().__init__(shape)
        self.factor = factor

    def backward(self):
        return 2 * self.factor * self.x


class Using(Squares):
    def backward(self, dout):
        return 2 * self.x * dout


class Shifting(Squares):
    def backward(self, dout=1):
        return self.x * (1 + dout)


class Strict(Squares):
    def backward(self, dout=1):
        assert np.all(dout == 1)
        return 2 * self.x


@pytest.mark.parametrize("layer", [Shifting, Strict])
def test_a_loss_that_uses_a_cotangent_which_may_be_left_out_is_asked_along_others(layer):
    x = np.linspace(0.1, 0.9, 12).reshape(3, 4)
    assert check_layer(layer(), x).verdict == ("accurate" if layer is Strict else "wrong")


@pytest.mark.parametrize("shape", [(), (1,), (1, 1)])
def test_a_loss_may_ignore_a_cotangent_that_may_be_left_out(shape):
    x = np.linspace(0.1, 0.9, 12).reshape(3, 4)
    assert check_layer(LeavingOut(shape), x).verdict == "accurate"
    assert check_layer(Using(shape), x).verdict == "accurate"
    assert check_layer(WithoutCotangent(shape), x).verdict == "accurate"
    assert check_layer(WithoutCotangent(shape, 2), x).verdict == "wrong"
    found = check_layer(Forgetting(shape), x)
    assert found.verdict == "wrong"
    assert "does not use its cotangent: multiply by it" in str(found)


def test_a_layer_of_one_number_is_asked_along_other_cotangents_than_1():
    class Double:
        def forward(self, x):
            return 2 * x

        def backward(self, dout):
            return 1 + dout

    assert check_layer(Double(), np.array([0.3])).verdict == "wrong"


def test_a_cache_that_forward_returns_is_no_result_and_says_what_to_write():
    class Cached:
        def forward(self, x):
            out = np.tanh(x)
            return out, out

        def backward(self, dout, cache):
            return dout * (1 - cache**2)

    with pytest.raises(ValueError, match=r"keep the rest as self.cache.*layer.forward\(x\)\[0\]"):
        check_layer(Cached(), np.array([0.3, -1.0]))
