"""check_network on the book's networks: every parameter is compared, and the network stays what it was."""

import copy
from collections import OrderedDict
from itertools import pairwise

import numpy as np
import pytest

import reference
from harness import assert_network, check_layer, check_network
from tests.harness import book_layers as book

RNG = np.random.default_rng(0)
X, T = RNG.normal(size=(4, 3)), np.array([0, 2, 1, 1])
IMAGES = RNG.normal(size=(2, 1, 4, 4))


class MultiLayerNet:
    """As the book's: weights drawn in the constructor, layers that share them, weight decay."""

    def __init__(self, sizes=(3, 2, 3), decay=0.1, ratio=0.0, norm=False):
        self.params, self.layers, self.decay, self.count = {}, OrderedDict(), decay, len(sizes) - 1
        for k, (n, m) in enumerate(pairwise(sizes), 1):
            self.params[f"W{k}"], self.params[f"b{k}"] = np.random.randn(n, m), np.zeros(m)  # noqa: NPY002
            self.layers[f"Affine{k}"] = book.Affine(self.params[f"W{k}"], self.params[f"b{k}"])
            if k == self.count:
                break
            if norm:
                self.params[f"gamma{k}"], self.params[f"beta{k}"] = np.full(m, 1.5), np.zeros(m)
                self.layers[f"Norm{k}"] = book.BatchNormalization(
                    self.params[f"gamma{k}"], self.params[f"beta{k}"]
                )
            self.layers[f"Activation{k}"] = book.Sigmoid()
            if ratio:
                self.layers[f"Dropout{k}"] = book.Dropout(ratio)
        self.last = book.SoftmaxWithLoss()

    def predict(self, x, train_flg):
        for name, layer in self.layers.items():
            flag = (train_flg,) if name.startswith(("Norm", "Dropout")) else ()
            x = layer.forward(x, *flag)
        return x

    def loss(self, x, t, train_flg=False):
        y = self.predict(x, train_flg)
        decay = sum(0.5 * self.decay * np.sum(self.params[f"W{k}"] ** 2) for k in range(1, self.count + 1))
        return self.last.forward(y, t) + decay

    def gradient(self, x, t):
        self.loss(x, t, train_flg=True)
        dout = self.last.backward(1)
        for layer in reversed(self.layers.values()):
            dout = layer.backward(dout)
        grads = {}
        for k in range(1, self.count + 1):
            affine = self.layers[f"Affine{k}"]
            grads[f"W{k}"], grads[f"b{k}"] = affine.dW + self.decay * affine.W, affine.db
            if f"gamma{k}" in self.params:
                grads[f"gamma{k}"] = self.layers[f"Norm{k}"].dgamma
                grads[f"beta{k}"] = self.layers[f"Norm{k}"].dbeta
        return grads


class ConvNet:
    def __init__(self):
        self.params = {
            "W1": RNG.normal(size=(2, 1, 3, 3)), "b1": RNG.normal(size=2), "W2": RNG.normal(size=(8, 3)),
            "b2": np.zeros(3),
        }  # fmt: skip
        p = self.params
        self.layers = [book.Convolution(p["W1"], p["b1"]), book.Relu(), book.Affine(p["W2"], p["b2"])]
        self.last = book.SoftmaxWithLoss()

    def loss(self, x, t):
        for layer in self.layers:
            x = layer.forward(x)
        return self.last.forward(x, t)

    def gradient(self, x, t):
        self.loss(x, t)
        dout = self.last.backward()
        for layer in self.layers[::-1]:
            dout = layer.backward(dout)
        first, _, second = self.layers
        return {"W1": first.dW, "b1": first.db, "W2": second.dW, "b2": second.db}


TRAIN = {"options": {"train_flg": True}}
NETS = {
    "reference": (lambda: reference.TwoLayerNet(3, 2, 3, rng=0), X, T, {}),
    "layers": (MultiLayerNet, X, T, {}),
    "one-hot": (MultiLayerNet, X, np.eye(3)[T], {}),
    "dropout and norm": (lambda: MultiLayerNet(ratio=0.5, norm=True), X, T, TRAIN),
    "three layers": (lambda: MultiLayerNet((3, 2, 1, 3)), X, T, {}),
    "convolution": (ConvNet, IMAGES, T[:2], {}),
}
each_net = pytest.mark.parametrize(("make", "x", "t", "more"), NETS.values(), ids=NETS)


@each_net
def test_a_right_network_passes_with_a_row_for_each_parameter(make, x, t, more):
    net = make()
    net.gradient(x, t)  # it has been used, and its layers keep what they saw
    before, given, state = copy.deepcopy(net), (x.copy(), t.copy()), np.random.get_state()[1].copy()  # noqa: NPY002
    found = assert_network(net, x, t, probes=[], **more)
    assert list(found.rows["argument"]) == list(net.params)
    assert set(found.rows["verdict"]) == {"accurate"}
    assert found.subject == type(net).__name__
    for name, value in net.params.items():
        np.testing.assert_array_equal(value, before.params[name])
    np.testing.assert_equal((x, t), given)
    np.testing.assert_array_equal(np.random.get_state()[1], state)  # noqa: NPY002


@pytest.mark.parametrize(("layer", "name"), [("Affine1", "b1"), ("Affine2", "b2")])
def test_one_mistake_in_a_layer_is_found_where_it_is(layer, name):
    net = MultiLayerNet()
    net.layers[layer].wrong = True
    found = check_network(net, X, T, probes=[])
    wrong = [part.name for part in found.parts if part.verdict == "wrong"]
    assert (found.passed, wrong) == (False, [name])
    assert f"MultiLayerNet/{name} [" in str(found).splitlines()[0]


def test_a_mistake_before_a_layer_is_seen_in_all_below():
    net = MultiLayerNet()
    net.layers["Activation1"].wrong = True
    wrong = [part.name for part in check_network(net, X, T, probes=[]).parts if part.verdict == "wrong"]
    assert wrong == ["W1", "b1"]


def test_the_layers_stay_the_same_objects_with_the_same_arrays():
    net = MultiLayerNet()
    held = dict(net.params)
    layers, kept = dict(net.layers), {name: dict(vars(layer)) for name, layer in net.layers.items()}
    check_network(net, X, T, probes=[])
    assert all(net.params[name] is value for name, value in held.items())
    assert net.layers["Affine1"].W is net.params["W1"]
    assert all(net.layers[name] is layer for name, layer in layers.items())
    for name, layer in net.layers.items():
        assert vars(layer).keys() == kept[name].keys()
        assert all(vars(layer)[key] is value for key, value in kept[name].items())


def test_the_small_number_of_the_book_is_named_and_spec_says_what_is_meant():
    net = MultiLayerNet(decay=0.0)
    net.last.small = 1e-7
    found = check_network(net, X, T, probes=[])
    assert found.verdict == "wrong"
    assert (
        "the derivative of the function without its 1e-07: pass the function that is meant as spec="
        in str(found)
    )

    def meant(params, x, t):
        hidden = 1 / (1 + np.exp(-(x @ params["W1"] + params["b1"])))
        scores = hidden @ params["W2"] + params["b2"]
        return -np.mean(np.log(book.softmax(scores)[np.arange(len(x)), t]))

    assert assert_network(net, X, T, spec=meant).passed


def with_gradients(change):
    class Changed(MultiLayerNet):
        def gradient(self, x, t):
            return change(super().gradient(x, t))

    return Changed()


def test_a_parameter_without_a_gradient_is_named():
    found = check_network(with_gradients(lambda g: {k: v for k, v in g.items() if k != "b1"}), X, T)
    assert found.faults == ("gradient has no 'b1', which is in params",)
    assert not found.passed
    assert "no gradient (None)" in str(found)


def test_a_gradient_without_a_parameter_is_named():
    found = check_network(with_gradients(lambda g: {**g, "W9": 0}), X, T)
    assert found.faults == ("gradient has 'W9', which is not in params",)


def test_a_key_in_other_letters_is_named():
    class Small:
        def __init__(self):
            self.params = {"W": np.full((2, 2), 0.3)}

        def loss(self, x, t):
            return np.sum((x @ self.params["W"] - t) ** 2)

        def gradient(self, x, t):
            return {"w": 2 * x.T @ (x @ self.params["W"] - t)}

    found = check_network(Small(), np.ones((1, 2)), np.zeros((1, 2)))
    assert "gradient has no 'W', which is in params (found 'w')" in found.faults
    assert not found.passed


def test_parameters_that_the_layers_hold_copies_of_are_named():
    net = MultiLayerNet(decay=0.0)
    net.layers["Affine1"].W = net.params["W1"].copy()
    text = str(check_network(net, X, T, probes=[]))
    assert "MultiLayerNet/W1 [float64, (3, 2), seed 0]: wrong" in text
    assert "loss does not move with params['W1']: do the layers hold a copy of it?; " in text


@pytest.mark.parametrize(("wrong", "verdict"), [(False, "accurate"), (True, "wrong")])
def test_a_kept_view_of_a_parameter_moves_with_it(wrong, verdict):
    net = MultiLayerNet(decay=0.0)
    affine = net.layers["Affine1"]
    affine.W, affine.b, affine.wrong = net.params["W1"][:, ::1], net.params["b1"][:], wrong
    assert check_network(net, X, T, probes=[]).verdict == verdict


class Listed(MultiLayerNet):
    """Its layers are those of the second book, which write into the gradients that they hold."""

    def __init__(self):
        super().__init__(decay=0.0)
        for k in (1, 2):
            self.layers[f"Affine{k}"] = book.AffineOfLists(self.params[f"W{k}"], self.params[f"b{k}"])

    def gradient(self, x, t):
        self.loss(x, t)
        dout = self.last.backward(1)
        for layer in reversed(self.layers.values()):
            dout = layer.backward(dout)
        return {
            f"{name}{k}": gradient
            for k in (1, 2)
            for name, gradient in zip("Wb", self.layers[f"Affine{k}"].grads, strict=True)
        }


def test_gradients_that_the_layers_write_into_are_examined():
    found = check_network(Listed(), X, T, probes=[])
    assert (found.verdict, found.notes) == ("accurate", ())
    assert all(part.examined for part in found.parts)


class InAFunction:
    """Its weights are held by a function too, where nobody can replace them."""

    def __init__(self, keeps):
        w = np.array([[1.0, 2.0], [3.0, -1.0], [0.5, 0.25]])
        self.params, self.of, self.keeps = {"W": w}, lambda x: x @ w, keeps

    def loss(self, x, t):
        return np.sum(self.of(x)) + self.keeps * np.sum(self.params["W"])

    def gradient(self, x, t):
        return {"W": 7 * x.T @ np.ones((4, 2)) + self.keeps}


@pytest.mark.parametrize("keeps", [False, True])
def test_a_parameter_that_a_function_holds_too_is_unsupported(keeps):
    found = check_network(InAFunction(keeps), X, T, probes=[])
    assert (found.verdict, found.passed) == ("unsupported", False)
    assert "held outside of the object (in a closure, a class or a global)" in str(found)


def test_a_network_whose_layers_hold_copies_alone_is_unsupported():
    net = MultiLayerNet(decay=0.0)
    net.params = {name: value.copy() for name, value in net.params.items()}
    found = check_network(net, X, T, probes=[])
    assert (found.verdict, found.passed) == ("unsupported", False)
    assert "loss moves with none of params" in str(found)


def test_one_array_under_two_keys_is_refused():
    net = MultiLayerNet((3, 3, 3))
    net.params["b2"] = net.params["b1"]
    with pytest.raises(ValueError, match=r"params\['b2'\] is the same array as params\['b1'\]"):
        check_network(net, X, T)


def test_options_reach_a_gradient_that_takes_any_keywords():
    class Decay:
        def __init__(self):
            self.params = {"W": np.array([[1.0, 2.0], [3.0, -1.0], [0.5, 0.25]])}

        def loss(self, x, t, decay=0.0):
            return np.sum((x @ self.params["W"]) ** 2) + decay * np.sum(self.params["W"] ** 2)

        def gradient(self, x, t, **more):
            return {"W": 2 * x.T @ (x @ self.params["W"]) + 2 * more["decay"] * self.params["W"]}

    assert check_network(Decay(), X, None, options={"decay": 0.1}, probes=[]).passed


def test_gradients_that_add_up_over_calls_are_found_by_a_probe():
    class Adding(MultiLayerNet):
        sums = None

        def gradient(self, x, t):
            found = super().gradient(x, t)
            self.sums = {k: v + (self.sums or found)[k] * (self.sums is not None) for k, v in found.items()}
            return self.sums

    assert check_network(Adding((3, 3)), X, T, probes=[]).passed
    found = check_network(Adding((3, 3)), X, T)
    assert "used before, at another point" in str(found)


def test_in_float32():
    net = reference.TwoLayerNet(3, 2, 3, rng=0)
    net.params = {name: value.astype("float32") for name, value in net.params.items()}
    found = assert_network(net, X.astype("float32"), T)
    assert set(found.rows["dtype"]) == {"float32"}


class NoParams:
    def loss(self, x, t):
        return 0.0

    gradient = loss


def with_params(params):
    net = MultiLayerNet()
    net.params = params
    return net


class OfIntegers(MultiLayerNet):
    def __init__(self):
        super().__init__()
        self.params["b1"] = np.zeros(2, int)


@pytest.mark.parametrize(
    ("net", "said"),
    [
        (3.0, r"net must have .*, got a float without loss\(x, t\) and gradient\(x, t\) and params"),
        (NoParams(), "got a NoParams without params"),
        (with_params({}), "params must be a dictionary of floating arrays, .*, got an empty dictionary"),
        (with_params([X]), "params must be a dictionary of floating arrays, with their names, got a list"),
        (with_params(None), "params must be a dictionary of floating arrays, with their names, got None"),
        (MultiLayerNet, r"net must be an object, got the class MultiLayerNet: pass MultiLayerNet\(...\)"),
        (OfIntegers(), r"params\['b1'\] must be an array of bfloat16, .*, got int64"),
        (
            with_gradients(lambda g: list(g.values())),
            "gradient must return a dictionary with the keys of params, got a list",
        ),
    ],
)
def test_what_is_no_network_says_what_one_is(net, said):
    with pytest.raises(ValueError, match=said):
        check_network(net, X, T, probes=[])


def test_a_network_that_is_taken_for_a_layer_is_sent_on():
    with pytest.raises(ValueError, match="check_network takes a network with loss and gradient"):
        check_layer(MultiLayerNet(), X, T)


class Drawing:
    """Its dropout draws from a generator of its own; `scale` is not in params."""

    scale, again = 1.0, 0

    def __init__(self):
        self.params, self.rng, self.uses = {"W": RNG.normal(size=(3, 2))}, np.random.default_rng(1), 0

    def loss(self, x, t):
        self.x = x * (self.rng.random(x.shape) > 0.3)
        self.z = self.x @ self.params["W"]
        return np.sum((self.z * self.scale) ** 2)

    def gradient(self, x, t):
        self.loss(x, t)
        self.dscale = np.sum(self.z**2)  # wrong
        self.uses += self.again
        return {"W": 2 * self.x.T @ self.z * self.scale**2 * max(self.uses, 1)}


def test_a_network_may_draw_from_its_own_generator():
    found = check_network(Drawing(), X, None)
    assert (found.passed, found.notes) == (True, ()), str(found)
    net = Drawing()
    net.again = 1  # it adds up over calls
    assert not check_network(net, X, None).passed


def test_a_network_may_remember_others_on_purpose():
    class Annealed(Drawing):
        def loss(self, x, t):
            self.count = getattr(self, "count", 0) + 1
            self.scale = 1 + 1 / self.count
            return super().loss(x, t)

    found = check_network(Annealed(), X, None)
    assert found.passed, str(found)
    assert "loss returns other values when the object has run before" in found.notes


class Steps(Drawing):
    """It writes into its parameters."""

    def gradient(self, x, t):
        found = super().gradient(x, t)
        self.params["W"] -= 0.1 * found["W"]
        return found


class Stale(Drawing):
    """It goes forward once."""

    def gradient(self, x, t):
        if not self.uses:
            super().gradient(x, t)
        self.uses = 1
        return {"W": 2 * self.x.T @ self.z}


@pytest.mark.parametrize("kind", [Steps, Stale])
def test_a_network_that_is_spoilt_by_use_fails(kind):
    found = check_network(kind(), X, None)
    assert "used before, at another point" in str(found)


@pytest.mark.parametrize("scale", [2.0, 2, np.array(2.0)])
def test_what_stands_beside_its_gradient_and_not_in_params_is_a_fault(scale):
    net = Drawing()
    net.scale = scale
    found = check_network(net, X, None, probes=[])
    assert not found.passed
    (said,) = found.faults
    assert said.startswith("scale moves the loss, and is not compared: it is not in params; put it there as")
    assert said.endswith("and dscale in what gradient returns")


def test_what_a_layer_inside_holds_and_params_lacks_is_a_note():
    class Frozen(MultiLayerNet):
        def __init__(self):
            super().__init__((3, 3), decay=0)
            self.frozen = self.params.pop("W1")

        def gradient(self, x, t):
            self.params["W1"] = self.frozen
            found = super().gradient(x, t)
            del self.params["W1"]
            return {"b1": found["b1"]}

        def loss(self, x, t, train_flg=False):
            return self.last.forward(self.predict(x, train_flg), t)

    found = check_network(Frozen(), X, T, probes=[])
    assert found.passed, str(found)
    assert "frozen moves the loss, and is not compared: it is not in params" in found.notes


def test_a_flag_that_gradient_sets_otherwise_is_named():
    np.random.seed(0)  # noqa: NPY002
    net = MultiLayerNet(ratio=0.5)
    found = check_network(net, X, T)
    assert found.verdict == "wrong"
    said = (
        "loss was asked with train_flg=False, which gradient does not take: if gradient computes it otherwise"
    )
    assert f'{said}, pass options={{"train_flg": True}}' in found.diagnosis
    assert check_network(net, X, T, **TRAIN).passed


class WithADefault(MultiLayerNet):
    def loss(self, x, t, train_flg=True, weight=2.0):
        return weight * super().loss(x, t, train_flg)


def test_so_is_a_number():
    assert 'pass options={"weight": ...}' in check_network(WithADefault(), X, T).diagnosis


# -- what loss returns -------------------------------------------------------------------------------------

GIVEN, MEANT = np.array([[0.3, 0.7], [0.1, -0.5], [0.2, 0.9]]), np.eye(3, 2)


def squares(returned, factor=2.0):
    """A network whose loss is a sum of squares, in some form."""

    class Net:
        def __init__(self):
            self.params = {"W": np.full((2, 2), 0.5)}

        def loss(self, x, t):
            return returned(((x @ self.params["W"] - t) ** 2).sum())

        def gradient(self, x, t):
            return {"W": factor * x.T @ (x @ self.params["W"] - t)}

    return Net()


ONE_NUMBER = {
    "a number": lambda s: s,
    "(1,)": lambda s: s.reshape(1),
    "(1, 1)": lambda s: s.reshape(1, 1),
    "a list": lambda s: [s],
    "a list of (1,)": lambda s: [s.reshape(1)],
    "a float": float,
}


@pytest.mark.parametrize("form", ONE_NUMBER)
def test_a_loss_of_one_element_is_a_number_in_whichever_shape(form):
    """Its gradient is along 1: along a drawn cotangent a right one was wrong."""
    assert check_network(squares(ONE_NUMBER[form]), GIVEN, MEANT).verdict == "accurate"
    assert check_network(squares(ONE_NUMBER[form], 2.1), GIVEN, MEANT).verdict == "wrong"


@pytest.mark.parametrize(
    ("returned", "shapes"),
    [(lambda s: (s, np.ones((3, 2))), r"\(\), \(3, 2\)"), (lambda s: s * np.ones(3), r"\(3,\)")],
)
def test_a_loss_of_several_numbers_is_refused(returned, shapes):
    with pytest.raises(
        ValueError, match=f"Net.loss must return a single number, got shape {shapes}: return the loss"
    ):
        check_network(squares(returned), GIVEN, MEANT)
