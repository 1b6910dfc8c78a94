"""NumPy code, recorded unchanged: the reference, the book's own code, what is refused and how it says so."""

from __future__ import annotations

import array
import functools
import inspect
import math
import queue
import random
import re
import time

import numpy as np
import pytest
from numpy import zeros as allocate
from numpy.lib.stride_tricks import as_strided
from numpy.random import rand

import harness
import reference
from harness.cases import catalogue
from oracles.exact.enclose.evaluate import evaluate
from oracles.exact.from_numpy import record
from oracles.exact.from_numpy.calls import IN_C
from oracles.exact.program.derive import vjp
from oracles.exact.program.errors import ExactError, Undecided, Unsupported
from tests.oracles.exact.numpy_samples import POSITIVE, W, X, Y, draw
from tests.oracles.exact.numpy_tools import BITS, directions, gradient, leaves, middle, value

# -- the reference ----------------------------------------------------------------------------------------

ORDINARY = [
    (c, m.name)
    for c in catalogue().values()
    for m in c.inputs
    if c.vjp and m.shape != (100, 784) and m.name not in {"large"}
]


@pytest.mark.parametrize(("case", "name"), ORDINARY, ids=[f"{c.name}-{n}" for c, n in ORDINARY])
def test_every_reference_function_and_its_hand_written_gradient(case, name):
    """The exact gradient of the function, and the exact value of the hand-written one, meet."""
    args, cotangent = case.draw(name, "float64", 0)
    recording = record(case.function, args, {})
    wrt = [i for i, k in enumerate(recording.argument) if k in case.argnums]
    truth = evaluate(vjp(recording.program, wrt), [*recording.values, cotangent], BITS)
    by_hand = record(case.vjp, (cotangent, *args), {})
    with np.errstate(all="ignore"):
        computed = leaves(case.vjp(cotangent, *args))
    program = evaluate(by_hand.program, by_hand.values, BITS)
    for t, e, c in zip(truth, program, computed, strict=True):
        assert all(a.overlaps(b) for a, b in zip(t.ravel(), e.ravel(), strict=True))
        np.testing.assert_allclose(middle(e), c, rtol=1e-9, atol=1e-9)


def test_the_flagship_is_proven_in_half_a_second():
    case = catalogue()["two_layer_net"]
    args, cotangent = case.draw("document", "float64", 0)
    recording = record(case.function, args, {})
    program, times = vjp(recording.program, [0, 1, 2, 3]), []
    for _ in range(3):
        start = time.process_time()
        found = evaluate(program, [*recording.values, cotangent], 128)
        times.append(time.process_time() - start)
    for balls, numbers in zip(found, case.vjp(cotangent, *args), strict=True):
        np.testing.assert_allclose(middle(balls), numbers, rtol=1e-9, atol=1e-13)
        assert all(b.rad() < 1e-30 for b in balls.ravel())
    assert min(times) < 0.5


def test_loops_of_the_reference_run_over_balls():
    """Central differences of x^3 err by h^2 exactly, and their exact gradient is the Hessian 6 x."""
    h = 2.0**-10
    f = lambda x: np.sum(x**3)  # noqa: E731
    numerical = functools.partial(reference.numerical_gradient, f, h=h)
    np.testing.assert_allclose(value(numerical, W), 3 * W**2 + h**2, rtol=1e-15)
    np.testing.assert_allclose(middle(gradient(numerical, W)[0]), 6 * W, rtol=1e-15)
    descent = functools.partial(reference.gradient_descent, reference.function_2, lr=0.25, step_num=5)
    start = np.array([3.0, -4.0])
    np.testing.assert_array_equal(value(descent, start), start / 32)
    np.testing.assert_array_equal(middle(gradient(descent, start)[0]), [1 / 32, 1 / 32])


def test_methods_of_the_networks_run_over_balls():
    net = reference.TwoLayerNet(3, 4, 2, rng=0)
    x, t = draw((5, 3), 1), np.array([0, 1, 1, 0, 1])
    np.testing.assert_allclose(value(net.predict, x), net.predict(x), rtol=1e-14)
    np.testing.assert_allclose(value(net.loss, x, t), net.loss(x, t), rtol=1e-14)
    batched = value(lambda x: list(net.numerical_gradient(x, t).values()), x)
    for got, want in zip(batched, net.gradient(x, t).values(), strict=True):
        np.testing.assert_allclose(got, want, atol=1e-9)


# -- the book's own code ----------------------------------------------------------------------------------


def book_sigmoid(x):
    return 1 / (1 + np.exp(-x))


def book_softmax(x):
    if x.ndim == 2:
        x = x.T
        x = x - np.max(x, axis=0)
        y = np.exp(x) / np.sum(np.exp(x), axis=0)
        return y.T
    x = x - np.max(x)
    return np.exp(x) / np.sum(np.exp(x))


def book_cross_entropy(y, t):
    if y.ndim == 1:
        t, y = t.reshape(1, t.size), y.reshape(1, y.size)
    if t.size == y.size:
        t = t.argmax(axis=1)
    batch = y.shape[0]
    return -np.sum(np.log(y[np.arange(batch), t] + 1e-7)) / batch


def im2col(images, height, width, stride=1, pad=0):
    n, c, rows, columns = images.shape
    out_h, out_w = (rows + 2 * pad - height) // stride + 1, (columns + 2 * pad - width) // stride + 1
    padded = np.pad(images, [(0, 0), (0, 0), (pad, pad), (pad, pad)], "constant")
    col = np.zeros((n, c, height, width, out_h, out_w))
    for i in range(height):
        for j in range(width):
            col[:, :, i, j] = padded[:, :, i : i + stride * out_h : stride, j : j + stride * out_w : stride]
    return col.transpose(0, 4, 5, 1, 2, 3).reshape(n * out_h * out_w, -1)


def convolution(x, w, b, stride=1, pad=0):
    n, _, rows, columns = x.shape
    filters, _, height, width = w.shape
    out_h, out_w = (rows + 2 * pad - height) // stride + 1, (columns + 2 * pad - width) // stride + 1
    out = np.dot(im2col(x, height, width, stride, pad), w.reshape(filters, -1).T) + b
    return out.reshape(n, out_h, out_w, -1).transpose(0, 3, 1, 2)


def pooling(x, size, stride):
    n, c, rows, columns = x.shape
    out_h, out_w = (rows - size) // stride + 1, (columns - size) // stride + 1
    col = im2col(x, size, size, stride).reshape(-1, size * size)
    chosen = np.argmax(col, axis=1)
    out = np.max(col, axis=1)
    assert chosen.shape == out.shape
    return out.reshape(n, out_h, out_w, c).transpose(0, 3, 1, 2)


def direct_convolution(x, w, b, stride, pad):
    """Independently: loops over every output, plain floats."""
    x = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    out_h, out_w = (x.shape[2] - w.shape[2]) // stride + 1, (x.shape[3] - w.shape[3]) // stride + 1
    out = np.zeros((len(x), len(w), out_h, out_w))
    for n, f, i, j in np.ndindex(out.shape):
        window = x[n, :, i * stride : i * stride + w.shape[2], j * stride : j * stride + w.shape[3]]
        out[n, f, i, j] = (window * w[f]).sum() + b[f]
    return out


def book_relu(x):
    mask = x <= 0
    out = x.copy()
    out[mask] = 0
    return out


class BatchNormalisation:
    def __init__(self, gamma, beta):
        self.gamma, self.beta, self.running = gamma, beta, None

    def forward(self, x):
        if self.running is None:
            self.running = np.zeros(x.shape[1])
        centred = x - x.mean(axis=0)
        variance = np.mean(centred**2, axis=0)
        normalised = centred / np.sqrt(variance + 10e-7)
        self.running = 0.9 * self.running + 0.1 * variance
        return self.gamma * normalised + self.beta


class Dropout:
    def __init__(self, mask):
        self.mask = mask

    def forward(self, x):
        return x * self.mask


def holds_both(ball):
    """The hull of the one-sided slopes of relu at 0."""
    return ball.contains(0) and ball.contains(1)


X4, W4, B4 = draw((2, 2, 5, 5), 20), draw((3, 2, 3, 3), 21), draw((3,), 22)
T = np.array([2, 0, 3])


def test_sigmoid_softmax_and_cross_entropy_have_their_closed_forms():
    s = 1 / (1 + np.exp(-X))
    np.testing.assert_allclose(middle(gradient(book_sigmoid, X)[0]), s * (1 - s), rtol=1e-13)
    p = np.exp(X) / np.exp(X).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(
        middle(gradient(book_softmax, X, cotangent=Y)[0]), p * (Y - (p * Y).sum(1, keepdims=True)), rtol=1e-12
    )
    np.testing.assert_allclose(
        middle(gradient(book_softmax, W, cotangent=Y[0])[0]),
        value(lambda w: reference.softmax_vjp(Y[0], w), W),
    )
    onehot = np.eye(4)[T]
    label = p[np.arange(3), T][:, None]
    loss = lambda x, t: book_cross_entropy(book_softmax(x), t)  # noqa: E731
    wanted = label / (label + 1e-7) * (p - onehot) / 3
    np.testing.assert_allclose(middle(gradient(loss, X, T)[0]), wanted, rtol=1e-12)
    by_rows, of_rows = gradient(loss, X, onehot)
    np.testing.assert_allclose(middle(by_rows), wanted, rtol=1e-12)
    assert not middle(of_rows).any()


@pytest.mark.parametrize(("stride", "pad"), [(1, 0), (1, 1), (2, 0), (2, 1)])
def test_convolution_in_the_style_of_the_book(stride, pad):
    run = functools.partial(convolution, stride=stride, pad=pad)
    np.testing.assert_allclose(
        value(run, X4, W4, B4), direct_convolution(X4, W4, B4, stride, pad), rtol=1e-12
    )
    found = gradient(run, X4, W4, B4, cotangent=(u := draw(run(X4, W4, B4).shape, 23)))
    step = 1e-6
    for k, point in enumerate((X4, W4, B4)):
        v = directions([point], k)[0]
        ends = [[p + s * step * v if i == k else p for i, p in enumerate((X4, W4, B4))] for s in (1, -1)]
        along = [(u * direct_convolution(*end, stride, pad)).sum() for end in ends]
        assert (middle(found[k]) * v).sum() == pytest.approx((along[0] - along[1]) / (2 * step), rel=1e-7)


def test_pooling_gives_each_window_its_largest_element():
    x = X4[:, :, :4, :4]
    u = draw((2, 2, 2, 2), 24)
    (found,) = gradient(lambda x: pooling(x, 2, 2), x, cotangent=u)
    wanted = np.zeros_like(x)
    for n, c, i, j in np.ndindex(u.shape):
        window = x[n, c, 2 * i : 2 * i + 2, 2 * j : 2 * j + 2]
        wanted[n, c, 2 * i + window.argmax() // 2, 2 * j + window.argmax() % 2] = u[n, c, i, j]
    np.testing.assert_array_equal(middle(found), wanted)


def test_in_im2col_float32_silently_becomes_float64_and_the_record_says_so():
    program = record(convolution, tuple(a.astype(np.float32) for a in (X4, W4, B4)), {}).program
    assert {v.dtype for v in program.inputs} == {"float32"}
    assert (
        program.outputs[0].dtype
        == convolution(*(a.astype(np.float32) for a in (X4, W4, B4))).dtype
        == "float64"
    )


def test_relu_through_a_mask_batch_normalisation_and_dropout():
    np.testing.assert_array_equal(middle(gradient(book_relu, X)[0]), X > 0)
    (at_zero,) = gradient(book_relu, np.zeros(1))
    assert holds_both(at_zero[0])
    mask = np.array([[1.0, 0, 1, 0]] * 3)
    np.testing.assert_array_equal(middle(gradient(Dropout(mask).forward, X)[0]), mask)
    layer = BatchNormalisation(POSITIVE[0], W)
    (found,) = gradient(layer.forward, X, cotangent=Y)
    sigma = np.sqrt(X.var(axis=0) + 1e-6)
    z, g = (X - X.mean(axis=0)) / sigma, Y * POSITIVE[0]
    closed = (g - g.mean(axis=0) - z * (g * z).mean(axis=0)) / sigma
    np.testing.assert_allclose(middle(found), closed, rtol=1e-9)
    assert layer.running is None  # what was stored while recording is forgotten
    np.testing.assert_allclose(value(layer.forward, X), layer.forward(X), rtol=1e-12)


# -- arguments, dtypes, branches --------------------------------------------------------------------------


def test_arguments_may_be_trees_and_are_put_together_again():
    params = {"w": W, "layers": [X, (Y, np.float32(0.5))], "n": 3, "labels": T}
    f = lambda p, s: s * np.sum(p["w"] * p["layers"][0] + p["layers"][1][0] * p["layers"][1][1])  # noqa: E731
    recording = record(f, (params, 2.0), {})
    assert recording.argument == (0, 0, 0, 0, 1)
    assert [v.dtype for v in recording.program.inputs] == ["float64"] * 3 + ["float32", "float64"]
    (found,) = evaluate(recording.program, recording.values, BITS)
    assert float(found[()]) == pytest.approx(f(params, 2.0))


@pytest.mark.parametrize("function", [
    lambda x: x * 2,
    lambda x: x * 2.5,
    lambda x: x + np.float64(1),
    lambda x: x + np.zeros(4),
    lambda x: x + np.arange(4),
    lambda x: x + np.zeros(4, np.float16),
    lambda x: np.mean(x),
    lambda x: np.array([x[0], 1.0]),
    lambda x: x[0] * 2,
    lambda x: np.concatenate([x, np.ones(2)]),
    lambda x: np.where(x > 0, x, 0),
    lambda x: np.ones_like(x) + np.full(4, 2),
    lambda x: x @ np.eye(4, dtype="f4"),
    lambda x: x.sum(dtype="f8"),
    lambda x: np.linspace(x[0], x[1], 3),
])  # fmt: skip
@pytest.mark.parametrize("dtype", ["float64", "float32", "float16"])
def test_promotion_is_that_of_numpy(function, dtype):
    x = W.astype(dtype)
    assert record(function, (x,), {}).program.outputs[0].dtype == function(x).dtype.name


def test_bfloat16_is_taken_exactly_and_stays():
    ml_dtypes = pytest.importorskip("ml_dtypes")
    x = W.astype(ml_dtypes.bfloat16)
    f = lambda x: np.exp(x) + x + np.zeros_like(x)  # noqa: E731
    recording = record(f, (x,), {})
    assert recording.program.outputs[0].dtype == "bfloat16" == f(x).dtype.name
    wide = x.astype(float)
    np.testing.assert_allclose(
        middle(evaluate(recording.program, recording.values, 64)[0]), np.exp(wide) + wide
    )


def test_a_branch_is_decided_by_balls_and_guarded():
    f = lambda x: x.max() ** 2 if x.max() > 1 else x.sum()  # noqa: E731
    recording = record(f, (np.array([0.5, 3.0]),), {})
    assert len(recording.program.guards) == 1
    assert middle(evaluate(recording.program, recording.values, 64)[0]) == 9
    with pytest.raises(Undecided, match="recorded where a branch took"):
        evaluate(recording.program, [np.array([0.5, 0.75])], 64)
    equal = lambda x: x if np.sqrt(x) ** 2 > x else 2 * x  # noqa: E731
    with pytest.raises(Undecided, match=rf"needed by {re.escape(__file__)}:\d+"):
        record(equal, (np.float64(2.0),), {})


def test_integers_that_depend_on_the_data_work_as_indices_counts_and_masks():
    x = np.array([[0.5, 3.0, -1.0], [2.0, 1.0, 4.0]])
    best = lambda x: x[[0, 1], np.argmax(x, axis=1)] * x[:, x.argmax() - 5]  # noqa: E731
    np.testing.assert_array_equal(value(best, x), best(x))
    for f in (
        lambda x: x[x > 0.75] ** 2,
        lambda x: np.stack([row[: int(np.floor(row[0]))].sum() for row in x]),
        lambda x: x * (x > 1).astype(int) + (x.argmax(axis=1)[:, None] % 2) * x,
        lambda x: np.array([1.0, 2.0, 3.0, 4.0, 5.0, 6.0])[x.argmax(axis=0)] * x,
        lambda x: x[np.nonzero(x > 1)] if x.any() else x,
        lambda x: np.choose((x > 1).astype(int), [x, -x]),
    ):
        np.testing.assert_allclose(value(f, x), f(x))


def test_the_largest_is_found_through_what_keeps_the_order():
    """Equal scores have equal softmax, which balls alone cannot tell; sqrt(2)^2 and 2 nothing tells apart."""
    tied = np.array([[1.0, 0.5, 1.0], [0.0, 0.0, 0.0]])
    for f in (book_softmax, lambda x: -np.exp(-(x - 1.0)), lambda x: 3.0 - np.exp(-x), lambda x: x):
        np.testing.assert_array_equal(value(lambda x, f=f: np.argmax(f(x), axis=1) * 1.0, tied), [0, 0])
    falling = lambda x: np.argmin(np.exp(x) / np.exp(x).sum(axis=1, keepdims=True), axis=1) * 1.0  # noqa: E731
    np.testing.assert_array_equal(value(falling, tied), [1, 0])
    with pytest.raises(Undecided, match="which is larger"):
        value(lambda x: np.argmax(np.stack([x, np.sqrt(x) ** 2])) * 1.0, np.float64(2.0))


def test_a_mask_keeps_its_kink_when_it_is_moved_negated_or_multiplied():
    zero = np.array([[0.0, 2.0]])
    for f in (
        lambda x: np.where((x > 0).T, x.T, 0.0),
        lambda x: np.where(~(x <= 0), x, 0.0),
        lambda x: x * (x > 0),
        lambda x: (x > 0).astype(float) * x,
        lambda x: np.where(x.sum(axis=0)[None] > 0, x, 0.0),
        lambda x: np.where(x[0] > 0, np.vstack([x, x]), 0.0)[0],
    ):
        (found,) = gradient(f, zero)
        assert holds_both(found.flat[0])
        assert found.flat[1] == 1


def by_boolean_index(x):
    out = np.zeros_like(x)
    out[x > 0] = x[x > 0]
    return out


def in_the_unit_interval(x):
    return np.where((x > 0) & (x < 1), x, 0 * x)


def in_three_pieces(x):
    """x, but in a way that has an edge at 1 to look over."""
    return np.where((x > 0) & (x < 1), x, 0.0) + np.where((x >= 1) | (x <= 0), x, 0.0)


@pytest.mark.parametrize(("function", "at"), [
    (lambda x: x[x > 0], [0.0, 1.0]),
    (lambda x: x if x[0] > 0 else 2 * x, [0.0, 1.0]),
    (lambda x: x * ((x > 0) ^ (x >= 1)), [1.0, 0.0]),
    (lambda x: x[np.argsort(x)], [1.0, 1.0, 1.0]),
    (lambda x: x[np.argmax(x)], [1.0, 1.0, 1.0]),
])  # fmt: skip
def test_a_branch_mask_or_order_at_its_edge_is_never_one_sided_in_silence(function, at):
    with pytest.raises(Undecided):
        harness.exact_gradient(function, (np.array(at),))
    off = np.array(at) + [0.25, 0.125, 0, 0.375][: len(at)]
    found = harness.exact_gradient(function, (off,), cotangent=np.ones(np.shape(function(off))))
    assert found.kinks == ()


@pytest.mark.parametrize(("function", "at", "low", "high"), [
    (by_boolean_index, [0.0, 1.0], [0, 1], [1, 1]),
    (in_the_unit_interval, [1.0, 0.5], [0, 1], [1, 1]),
    (lambda x: np.sort(x) * [1, 2, 3], [1.0, 0.5, 1.0], [2, 1, 2], [3, 1, 3]),
    (np.median, [1.0, 2.0, 1.0, 3.0], [0, 0.5, 0, 0], [0.5, 0.5, 0.5, 0]),
    (lambda x: x[np.argmax(x)], [1.0, 1.0], [0, 0], [1, 1]),
    (lambda x: x[np.argmin(x)], [0.5, 1.0, 0.5], [0, 0, 0], [1, 0, 1]),
])  # fmt: skip
def test_two_sides_are_all_that_one_edge_has(function, at, low, high):
    """Whatever meets there: both sides are seen along any ray, so their hull is known."""
    x = np.array(at)
    found = harness.exact_gradient(function, (x,), cotangent=np.ones(np.shape(function(x))))
    assert found.kinks
    ends = np.array([[float(b.lower()), float(b.upper())] for b in found.balls])
    np.testing.assert_allclose(ends, np.stack([low, high], -1), atol=1e-6)


def test_an_edge_that_the_function_does_not_have_is_looked_over():
    x, u = np.array([1.0, 0.5, 0.0]), np.array([0.5, -2.0, 1.5])
    found = harness.exact_gradient(in_three_pieces, (x,), cotangent=u)
    np.testing.assert_array_equal(found.mid, u)
    second = harness.exact_gradient(
        lambda x: in_three_pieces(x) ** 2, (x + 0.25,), order=2, cotangent=[u, [u]]
    )
    np.testing.assert_array_equal(second.mid, 2 * u * u)


def test_a_tie_in_what_is_not_differentiated_is_no_edge():
    pick = lambda x, t: np.where((t > 0) & (t < 1), x, 2 * x) * x[np.argmax(t)]  # noqa: E731
    found = harness.exact_gradient(pick, (W, np.array([0.0, 1.0, 1.0, 0.0])), argnums=0, cotangent=np.ones(4))
    np.testing.assert_allclose(found.mid, 2 * W[1] + 2 * W.sum() * (np.arange(4) == 1), rtol=1e-15)


# -- np in the user's modules -----------------------------------------------------------------------------


def test_memory_that_is_allocated_takes_balls():
    def build(x):
        out = allocate((2, 3))  # imported by name
        out[0] = x
        table = np.empty((3,), dtype=np.float64)
        for i, element in np.ndenumerate(x):
            table[i] = element * i[0]
        return out * np.ones_like(out) + table + np.full(3, x[0]) + as_strided(x, (2, 3), (0, x.itemsize))

    np.testing.assert_allclose(value(build, W[:3]), build(W[:3]), rtol=1e-15)


def test_np_is_itself_again_afterwards_also_after_an_error():
    def fails(x):
        assert type(np).__name__ == "Module"
        assert allocate is np.zeros
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        record(fails, (X,), {})
    assert np is __import__("numpy")
    assert allocate is np.zeros
    assert np.random.default_rng(0).random(2).shape == (2,)
    assert reference.activations.np is np


def test_code_in_closures_classes_partials_and_wrappers_is_found():
    def layer(size):
        numpy = np

        @functools.wraps(book_relu)
        def run(x):
            memory = numpy.zeros(size)
            memory[:] = x
            return memory

        return run

    class Net:
        def __init__(self):
            self.layers = {"first": functools.partial(layer(4))}

        def __call__(self, x):
            return np.errstate(all="ignore")(self.layers["first"])(x)

    np.testing.assert_array_equal(value(Net(), W), W)


# -- what is refused --------------------------------------------------------------------------------------

GENERATOR = np.random.default_rng(0)
PLAIN = np.zeros(4)


def _scipy(name, *path):
    import scipy.linalg
    import scipy.special

    return functools.reduce(getattr, path, {"special": scipy.special, "linalg": scipy.linalg}[name])


def _mutates(x):
    x += 1
    return x


@pytest.mark.parametrize(("function", "message"), [
    (lambda x: 2 * array.array("d", x)[0], r"float\(\) would take a number of dtype float64.*array\.array"),
    (lambda x: math.nextafter(x[0], 9.0), r"use NumPy's own functions and keep it an array"),
    (lambda x: np.unique(x), r"np\.unique has no rule: say what it computes with"),
    (lambda x: np.sort(x + 1j), r"np\.sort of complex numbers has no rule"),
    (lambda x: np.sinc(x + 1j), r"np\.sinc of complex numbers has no rule"),
    (lambda x: x * 1j, "complex numbers is recorded as pairs"),
    (lambda x: np.frexp(x), r"np\.frexp has no rule"),
    (lambda x: np.nextafter(x, 0), r"np\.nextafter has no rule"),
    (lambda x: np.subtract.reduceat(x, [0, 2]), r"np\.subtract\.reduceat has no rule"),
    (lambda x: np.vectorize(np.sum, signature="(n)->()")(x), r"np\.vectorize with a signature"),
    (lambda x: _scipy("special", "expi")(x + 1j), r"np\.expi of complex numbers has no rule"),
    (lambda x: _scipy("special", "owens_t")(x, x), r"compiled function scipy\.special\.owens_t has no rule"),
    (lambda x: _scipy("linalg", "logm")(x), r"^scipy\.linalg\.logm has no rule.*scipy\._lib"),
    (lambda x: x * np.random.rand(4), r"np\.random\.rand: random numbers"),  # noqa: NPY002
    (lambda x: x * np.random.default_rng().random(4), r"np\.random\.default_rng: random numbers"),
    (lambda x: x * np.random.RandomState().rand(4), r"np\.random\.RandomState: random numbers"),
    (lambda x: x * np.random.Generator(np.random.PCG64(0)).random(4), r"np\.random\.PCG64: random numbers"),
    (lambda x: x * random.random(), r"random\.random: random numbers"),
    (lambda x: x * GENERATOR.normal(size=4), r"Generator\.normal: random numbers"),
    (_mutates, "writes into argument 0"),
    (lambda x: PLAIN.__iadd__(x), "plain array; make that array inside"),
    (lambda x: np.add(x, 1, out=PLAIN), "plain array; make that array inside"),
    (lambda x: np.empty(3) + 1 + x[:3], r"np\.empty is read before it is written"),
    (lambda x: x * rand(4), r"RandomState\.rand: random numbers"),  # noqa: NPY002
    (lambda x: x.astype(np.longdouble), "has no exact counterpart"),
    (lambda x: x.byteswap(), "no attribute byteswap"),
    (lambda x: np.pad(x, 1, "mean"), "mode='mean'"),
    (lambda x: np.array(x, dtype=object), "dtype object has no exact counterpart"),
    (lambda x: "text", "returns a str"),
])  # fmt: skip
def test_what_is_refused_says_what_where_and_what_to_do(function, message):
    with pytest.raises(Unsupported, match=f"(?s){message}") as caught:
        record(function, (W,), {})
    if not any(word in message for word in ("argument", "returns", "recorded as pairs")):
        assert __file__ in str(caught.value)


@pytest.mark.parametrize(("bad", "message"), [
    (np.array([1.0, np.nan]), r"argument 1 is nan at \(1,\)"),
    (np.array([1j]), "argument 1 has dtype complex128"),
    (np.array([None]), "argument 1 has dtype object"),
    (np.longdouble(1), "allowed is one of bfloat16"),
])  # fmt: skip
def test_arguments_that_are_no_finite_real_numbers_are_refused(bad, message):
    with pytest.raises(Unsupported, match=message):
        record(lambda x, y: x, (X, bad), {})


def test_nothing_becomes_an_array_of_objects():
    for attempt in (
        lambda x: PLAIN.__setitem__(0, x[0]),
        lambda x: PLAIN.__setitem__(slice(None), x),
        lambda x: np.float128(x[0]),
        lambda x: np.frompyfunc(lambda v: v, 1, 1)(x),
        lambda x: array.array("d", x),
        lambda x: np.array([x[0], "a"]),
        lambda x: np.ma.array(x),
    ):
        with pytest.raises(ExactError):
            record(attempt, (W,), {})


def test_random_numbers_from_an_argument_are_refused():
    draws = lambda x, rng: x * rng.normal(size=4) if isinstance(rng, np.random.Generator) else x  # noqa: E731
    with pytest.raises(Unsupported, match=r"Generator\.normal: random numbers"):
        record(draws, (W, np.random.default_rng(0)), {})


def test_an_argument_that_is_put_back_as_it_was_is_not_mutated():
    def moved(x):
        kept = x[0]
        x[0] = kept + 1
        y = x.sum()
        x[0] = kept
        return y

    np.testing.assert_allclose(value(moved, W), W.sum() + 1)


def test_a_stored_array_cannot_be_used_after_its_recording():
    """A queue is not put back as lists are: nobody may look into it."""
    stored = queue.SimpleQueue()
    record(lambda x: stored.put(x) or x, (W,), {})
    with pytest.raises(Unsupported, match="outlived its recording"):
        stored.get() + 1


@pytest.mark.parametrize("name", IN_C)
def test_the_parameters_of_a_function_in_c_are_those_that_newer_numpy_tells(name):
    """Before 2.4 it tells none."""
    assert str(inspect.signature(IN_C[name])) == str(inspect.signature(getattr(np, name)))
