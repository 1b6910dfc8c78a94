"""Chapter 4 of "Deep Learning from Scratch" as cases: its functions, losses and networks.

The shapes are small so that a failure can be read, except the flagship: the document's own
TwoLayerNet(784, 100, 10) on a batch of 100.
"""

from __future__ import annotations

import numpy as np

import reference
from harness.cases.case import (
    Case,
    Complete,
    InputMaker,
    alone,
    maker,
    ordinary,
    probabilities,
    real_line,
    unit_interval,
)
from harness.subject.derivative import Array, Arrays, Floating, signed

SOURCE = 'K. Saito, "Deep Learning from Scratch", chapter {}'
SHAPE = (3, 4)


def _large(complete: Complete = alone) -> InputMaker:
    return maker("large", ordinary, (32, 64), complete)


def _elementwise() -> tuple[InputMaker, ...]:
    return (*real_line(SHAPE, alone), _large())


def _with_one_hot(rng: np.random.Generator, x: Array) -> Arrays:
    return x, np.eye(x.shape[-1], dtype=x.dtype)[rng.integers(0, x.shape[-1], x.shape[:-1])]


def _with_target(rng: np.random.Generator, y: Array) -> Arrays:
    return y, signed(rng, y.dtype, y.shape)


def _with_labels(rng: np.random.Generator, x: Array) -> Arrays:
    return x, np.asarray(rng.integers(0, x.shape[-1], x.shape[:-1]))


def _network_arguments(rng: np.random.Generator, x: Array, hidden: int, classes: int, scale: float) -> Arrays:
    """W1, b1, W2, b2 around zero, the given x, and a one-hot t."""
    features, dtype = x.shape[1], x.dtype
    weights = [
        np.asarray(np.round(scale * rng.normal(size=shape), 4), dtype=dtype)
        for shape in ((features, hidden), (hidden,), (hidden, classes), (classes,))
    ]
    return (*weights, x, np.eye(classes, dtype=dtype)[rng.integers(0, classes, len(x))])


def _small_network(rng: np.random.Generator, x: Array) -> Arrays:
    return _network_arguments(rng, x, hidden=5, classes=3, scale=0.5)


def _flagship(rng: np.random.Generator, dtype: Floating, shape: tuple[int, ...]) -> Arrays:
    """The document's own call: x and t uniform in [0, 1), t read by argmax; weights 0.01 normal."""
    x = np.asarray(np.round(rng.random(shape), 3), dtype=dtype)
    w1, b1, w2, b2, _, _ = _network_arguments(rng, x, hidden=100, classes=10, scale=0.01)
    t = np.asarray(np.round(rng.random((shape[0], 10)), 3), dtype=dtype)
    return w1, np.zeros_like(b1), w2, np.zeros_like(b2), x, t


def _simple_net(rng: np.random.Generator, w: Array) -> Arrays:
    x = np.asarray(np.round(rng.uniform(0, 1, (2, w.shape[0])), 2), dtype=w.dtype)
    return w, x, np.eye(w.shape[1], dtype=w.dtype)[rng.integers(0, w.shape[1], 2)]


def _simple_net_document(rng: np.random.Generator, dtype: Floating, shape: tuple[int, ...]) -> Arrays:
    return ordinary(rng, dtype, shape), np.array([0.6, 0.9], dtype), np.array([0, 0, 1], dtype)


# fmt: off
CASES: tuple[Case, ...] = (
    Case("function_2", reference.function_2, reference.function_2_vjp, ("x",), (0,),
        tuple(m for m in real_line((2,), alone) if m.name not in {"one-element", "batch-of-one"}),
        SOURCE.format("4.3.3")),
    Case("identity_function", reference.identity_function, reference.identity_function_vjp, ("x",), (0,),
        _elementwise(), SOURCE.format("3.4.3")),
    Case("step_function", reference.step_function, None, ("x",), (0,), _elementwise(), SOURCE.format("3.2.2"),
        "everywhere: its output is an integer, so it has no gradient (not a zero one)"),
    Case("sigmoid", reference.sigmoid, reference.sigmoid_vjp, ("x",), (0,), _elementwise(),
        SOURCE.format("3.2.4")),
    Case("sigmoid_grad", reference.sigmoid_grad, reference.sigmoid_grad_vjp, ("x",), (0,), _elementwise(),
        SOURCE.format("4.5.1 (its code)")),
    Case("swish", reference.swish, reference.swish_vjp, ("x",), (0,), _elementwise(),
        "P. Ramachandran, B. Zoph, Q. V. Le, Searching for Activation Functions, 2017"),
    Case("relu", reference.relu, reference.relu_vjp, ("x",), (0,), _elementwise(), SOURCE.format("3.2.7"),
        "x = 0; the document takes the slope 1 there, the frameworks 0"),
    Case("softmax", reference.softmax, reference.softmax_vjp, ("x",), (0,),
        (*real_line(SHAPE, alone), maker("vector", ordinary, (4,), alone), _large()),
        SOURCE.format("3.5.2")),
    Case("mean_squared_error", reference.mean_squared_error, reference.mean_squared_error_vjp,
        ("y", "t"), (0, 1), (*real_line(SHAPE, _with_target), _large(_with_target)),
        SOURCE.format("4.2.1")),
    Case("cross_entropy_error", reference.cross_entropy_error, reference.cross_entropy_error_vjp,
        ("y", "t"), (0,),
        (*unit_interval(SHAPE, _with_one_hot), maker("labels", probabilities, SHAPE, _with_labels),
         maker("vector", probabilities, (4,), _with_one_hot)),
        SOURCE.format("4.2.4"), "y = -1e-7, the edge of its domain"),
    Case("softmax_loss", reference.softmax_loss, reference.softmax_loss_vjp, ("x", "t"), (0,),
        (*real_line(SHAPE, _with_one_hot), maker("labels", ordinary, SHAPE, _with_labels),
         maker("vector", ordinary, (4,), _with_one_hot), _large(_with_one_hot)),
        SOURCE.format("4.5.1 (its code)")),
    Case("simple_net", reference.simple_net_loss, reference.simple_net_loss_vjp, ("W", "x", "t"), (0,),
        (InputMaker("document", _simple_net_document, (2, 3)), *real_line((2, 3), _simple_net)),
        SOURCE.format("4.4.2")),
    Case("two_layer_net", reference.two_layer_net_loss, reference.two_layer_net_loss_vjp,
        ("W1", "b1", "W2", "b2", "x", "t"), (0, 1, 2, 3),
        (InputMaker("document", _flagship, (100, 784), heavy=True), *real_line((6, 4), _small_network)),
        SOURCE.format("4.5.1")),
)
# fmt: on
