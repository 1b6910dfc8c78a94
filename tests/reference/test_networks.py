import mpmath
import numpy as np
import pytest

import reference
from tests.reference.functions import decimals, one_hot

X1, T1 = np.array([0.6, 0.9]), np.array([0, 0, 1])
DOCUMENT_P = np.array([0.3545849324, 0.3315628723, 0.3138521953])
DOCUMENT_DW = "[[ 0.21275089  0.19893766 -0.41168855]\n [ 0.31912634  0.29840649 -0.61753283]]"


def document_net():
    return reference.SimpleNet(np.outer(X1, np.log(DOCUMENT_P)) / (X1 @ X1))


def small_net(seed=0, rows=4):
    rng = np.random.default_rng(seed)
    net = reference.TwoLayerNet(5, 4, 3, weight_init_std=1.0, rng=rng)
    net.params["b1"], net.params["b2"] = decimals(rng, 4), decimals(rng, 3)
    return net, decimals(rng, rows, 5), one_hot(rng, rows, 3)


def test_simple_net_prints_the_documents_gradient():
    net = document_net()
    np.testing.assert_allclose(reference.softmax(net.predict(X1)), DOCUMENT_P, rtol=1e-9)
    assert str(net.gradient(X1, T1)) == DOCUMENT_DW
    assert str(reference.numerical_gradient(lambda W: net.loss(X1, T1), net.W)) == DOCUMENT_DW


def test_without_the_epsilon_the_document_would_print_another_7th_digit():
    ideal = np.outer(X1, DOCUMENT_P - T1)
    assert str(ideal) != DOCUMENT_DW
    np.testing.assert_allclose(ideal, document_net().gradient(X1, T1), rtol=1e-6)


def test_simple_net_copies_its_weights_or_draws_them():
    W = np.ones((2, 3))
    net = reference.SimpleNet(W)
    assert not np.shares_memory(net.W, W)
    assert reference.SimpleNet([[1, 2, 3], [4, 5, 6]]).W.dtype == np.float64
    assert (reference.SimpleNet(rng=3).W == reference.SimpleNet(rng=np.random.default_rng(3)).W).all()
    assert (reference.SimpleNet().W != reference.SimpleNet().W).any()
    assert reference.simpleNet is reference.SimpleNet


@pytest.mark.parametrize("shape", [(3, 2), (2,), (2, 3, 1)])
def test_simple_net_refuses_other_shapes(shape):
    with pytest.raises(
        ValueError, match=r"SimpleNet: W must have shape \(2, 3\), got \(.*simple_net_loss for"
    ):
        reference.SimpleNet(np.ones(shape))


def test_simple_net_takes_a_batch():
    net, x = reference.SimpleNet(rng=0), decimals(np.random.default_rng(0), 4, 2)
    assert net.predict(x).shape == (4, 3)
    rows = [net.gradient(row, 1) for row in x]
    np.testing.assert_allclose(net.gradient(x, [1] * 4), np.mean(rows, axis=0), rtol=1e-12)
    assert net.loss(x, [1] * 4) == pytest.approx(np.mean([net.loss(row, 1) for row in x]))


def test_shapes_of_the_documents_network():
    net = reference.TwoLayerNet(input_size=784, hidden_size=100, output_size=10, rng=0)
    shapes = {"W1": (784, 100), "b1": (100,), "W2": (100, 10), "b2": (10,)}
    assert {name: p.shape for name, p in net.params.items()} == shapes
    rng = np.random.default_rng(0)
    x, t = rng.random((100, 784)), rng.random((100, 10))  # t is read by argmax, as in the document
    assert {name: g.shape for name, g in net.gradient(x, t).items()} == shapes
    assert net.predict(x).shape == (100, 10)
    assert net.loss(x, t) == pytest.approx(np.log(10), rel=0.05)


def test_initial_parameters():
    net = reference.TwoLayerNet(50, 40, 30, weight_init_std=0.5, rng=1)
    assert net.params["W1"].std() == pytest.approx(0.5, rel=0.1)
    assert net.params["W2"].std() == pytest.approx(0.5, rel=0.1)
    assert not net.params["b1"].any()
    assert not net.params["b2"].any()
    again = reference.TwoLayerNet(50, 40, 30, weight_init_std=0.5, rng=np.random.default_rng(1))
    assert all((net.params[name] == again.params[name]).all() for name in net.params)
    assert not reference.TwoLayerNet(2, 2, 2, weight_init_std=0).params["W1"].any()


def test_methods_say_what_the_functions_say():
    net, x, t = small_net()
    assert net.loss(x, t) == reference.two_layer_net_loss(**net.params, x=x, t=t)
    p = reference.softmax(
        reference.sigmoid(x @ net.params["W1"] + net.params["b1"]) @ net.params["W2"] + net.params["b2"]
    )
    np.testing.assert_array_equal(net.predict(x), p)
    assert net.loss(x, t) == reference.cross_entropy_error(p, t)
    by_function = reference.two_layer_net_loss_vjp(1.0, **net.params, x=x, t=t)
    for name, expected in zip(("W1", "b1", "W2", "b2"), by_function, strict=True):
        np.testing.assert_array_equal(net.gradient(x, t)[name], expected)


def test_one_example_is_a_batch_of_one():
    net, x, t = small_net(rows=1)
    for target, single in ((t, t[0]), (t.argmax(axis=1), int(t.argmax()))):
        assert net.loss(x[0], single) == pytest.approx(net.loss(x, target), rel=1e-14)
        assert net.accuracy(x[0], single) == net.accuracy(x, target)
        for f in (net.gradient, net.numerical_gradient):
            for name, g in f(x[0], single).items():
                np.testing.assert_allclose(g, f(x, target)[name], rtol=1e-11, atol=1e-13)


def test_gradient_of_one_sample_against_mpmath():
    """The chain rule written out again, in 60 digits."""
    net, x, t = small_net(rows=1)
    p = {name: mpmath.matrix(np.atleast_2d(v).tolist()) for name, v in net.params.items()}
    with mpmath.workdps(60):
        s = (mpmath.matrix(x.tolist()) * p["W1"] + p["b1"]).apply(lambda a: 1 / (1 + mpmath.exp(-a)))
        e = (s * p["W2"] + p["b2"]).apply(mpmath.exp)
        total, label = mpmath.fsum(e), int(t.argmax())
        q = [v / total for v in e]
        r = q[label] / (q[label] + mpmath.mpf("1e-7"))
        da2 = mpmath.matrix([[r * (q[k] - (k == label)) for k in range(3)]])
        ds = da2 * p["W2"].T
        da1 = mpmath.matrix([[ds[j] * s[j] * (1 - s[j]) for j in range(4)]])
        truth = {"W1": mpmath.matrix(x.tolist()).T * da1, "b1": da1, "W2": s.T * da2, "b2": da2}
    for name, g in net.gradient(x, t).items():
        expected = np.array(truth[name].tolist(), dtype=float).reshape(g.shape)
        np.testing.assert_allclose(g, expected, rtol=1e-13, atol=1e-16)


def test_gradients_have_their_parameters_dtypes_whatever_x_is():
    net, x, t = small_net()
    wanted = {"W1": np.float32, "b1": np.float64, "W2": np.float64, "b2": np.float32}
    net.params = {name: p.astype(wanted[name]) for name, p in net.params.items()}
    for f in (net.gradient, net.numerical_gradient):
        assert {name: g.dtype for name, g in f(x, t).items()} == wanted
    W = np.ones((2, 3), np.float32)
    assert reference.simple_net_loss_vjp(1.0, W, np.ones(2), 0).dtype == np.float32


def test_accuracy_takes_labels_and_one_hot():
    net, x, _ = small_net(rows=6)
    predicted = net.predict(x).argmax(axis=1)
    assert net.accuracy(x, predicted) == 1
    assert net.accuracy(x, np.eye(3)[predicted]) == 1
    wrong = np.where(np.arange(6) < 2, predicted, (predicted + 1) % 3)
    assert net.accuracy(x, wrong) == pytest.approx(2 / 6)
    assert isinstance(net.accuracy(x, wrong), float)


def test_accuracy_of_a_diverged_network_is_nan_and_not_chance():
    net, x, t = small_net()
    assert np.isnan(net.accuracy(x, np.where(t == 1, np.nan, t)))
    net.params["b2"] = np.full(3, np.nan)
    assert np.isnan(net.accuracy(x, t))


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"input_size": 0}, ValueError, "input_size must be at least 1, got 0"),
        ({"hidden_size": -3}, ValueError, "hidden_size must be at least 1, got -3"),
        ({"output_size": 2.0}, TypeError, r"output_size must be an integer, got 2\.0 \(float\)"),
        ({"weight_init_std": -1}, ValueError, "weight_init_std must be finite and 0 or above, got -1"),
        ({"weight_init_std": np.nan}, ValueError, "weight_init_std must be finite and 0 or above, got nan"),
    ],
)
def test_bad_sizes(arguments, error, message):
    with pytest.raises(error, match="TwoLayerNet: " + message):
        reference.TwoLayerNet(**{"input_size": 2, "hidden_size": 2, "output_size": 2, **arguments})


CALLS = ["predict", "loss", "accuracy", "gradient", "numerical_gradient"]


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize(
    ("shape", "message"),
    [
        (
            (4, 6),
            r"x has shape \(4, 6\), but W1 \(5, 4\) takes 5 inputs; pass x of shape \(5,\) or \(batch, 5\)",
        ),
        ((), r"x has shape \(\), but W1"),
        ((1, 4, 5), r"x has shape \(1, 4, 5\), but W1"),
        ((0, 5), r"the batch is empty, x has shape \(0, 5\); pass at least one row"),
    ],
)
def test_bad_batches(call, shape, message):
    net, _, _ = small_net()
    x, t = np.ones(shape), np.ones((*shape[:-1], 3))
    with pytest.raises(ValueError, match=message):
        getattr(net, call)(x) if call == "predict" else getattr(net, call)(x, t)


@pytest.mark.parametrize("call", CALLS[1:])
@pytest.mark.parametrize(
    ("t", "error", "message"),
    [
        ([0, 1, 2, 3], ValueError, r"label 3 at position 3 is out of range; with 3 classes"),
        ([0, -1, 2, 2], ValueError, r"label -1 at position 1 is out of range"),
        ([0.0, 1.0, 2.0, 2.0], TypeError, r"labels must be integers, .* dtype float64"),
        ([0, 1], ValueError, r"got 2 labels for 4 rows"),
        (np.ones((4, 2)), ValueError, r"one-hot t has shape \(4, 2\), the output has shape \(4, 3\)"),
    ],
)
def test_bad_targets(call, t, error, message):
    net, x, _ = small_net()
    with pytest.raises(error, match=message):
        getattr(net, call)(x, t)


def test_layers_must_fit():
    net, x, t = small_net()
    net.params["b1"] = np.zeros(3)
    with pytest.raises(
        ValueError, match=r"b1 has shape \(3,\), but W1 \(5, 4\) and W2 \(4, 3\) ask for \(4,\)"
    ):
        net.loss(x, t)
    net.params["W1"] = np.zeros(5)
    with pytest.raises(ValueError, match=r"W1 must be 2-D \(from, to\) and not empty, got shape \(5,\)"):
        net.loss(x, t)
    with pytest.raises(ValueError, match=r"simple_net_loss: W must be 2-D .* got shape \(0, 3\)"):
        reference.simple_net_loss(np.ones((0, 3)), np.ones(0), 0)
    with pytest.raises(ValueError, match=r"x has shape \(3,\), but W \(2, 3\) takes 2 inputs"):
        reference.SimpleNet().predict(np.ones(3))
