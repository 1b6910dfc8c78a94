"""The document's two networks: one layer (2 -> 3), and two layers with a sigmoid between them.

One layer, z = x W, L = softmax_loss(z, t).  With dz = dL/dz from `softmax_loss_vjp`, and the batch on axis n:

    dL/dW_ij = sum_n x_ni dz_nj,    so dW = x^T dz

Two layers, a1 = x W1 + b1, s = sigmoid(a1), a2 = s W2 + b2, L = softmax_loss(a2, t), from the end backwards:

    dW2 = s^T da2,  db2 = sum_n da2,  ds = da2 W2^T,  da1 = ds sigmoid'(a1),  dW1 = x^T da1,  db1 = sum_n da1

The functions carry the work and take any sizes; the classes keep the parameters, as the document's do.
x is (inputs,) or (batch, inputs), t as in `reference.labels`.  The loss is a scalar of the dtype that the
arguments have together; a gradient has the dtype of its parameter.  Smooth everywhere; NaN in gives NaN out.
Raises ValueError on shapes that do not fit, an empty batch and labels out of range, TypeError on wrong
dtypes.

Source: Saito, Deep Learning from Scratch, sections 4.4 and 4.5.
"""

import numpy as np
from numpy.typing import ArrayLike

from reference.activations import sigmoid, sigmoid_vjp
from reference.batched_differences import two_layer_differences
from reference.checks import Floats, Scalar, as_count, as_floating, as_not_negative, as_step
from reference.labels import read_labels
from reference.losses import softmax, softmax_loss, softmax_loss_vjp


def simple_net_loss(W: ArrayLike, x: ArrayLike, t: ArrayLike) -> Scalar:
    """softmax_loss(x W, t), a scalar; W (inputs, classes), x (inputs,) or (batch, inputs)."""
    W, x = _as_layer(W, x, "simple_net_loss")
    return softmax_loss(x @ W, t)  # ()


def simple_net_loss_vjp(cotangent: ArrayLike, W: ArrayLike, x: ArrayLike, t: ArrayLike) -> Floats:
    """dL/dW = x^T dz, times the cotangent ().  Shapes: W and result (inputs, classes)."""
    W, x = _as_layer(W, x, "simple_net_loss_vjp")
    dz = softmax_loss_vjp(cotangent, x @ W, t)  # (batch, classes) or (classes,)
    return _outer_sum(x, dz).astype(W.dtype, copy=False)  # (inputs, classes)


def two_layer_net_loss(
    W1: ArrayLike, b1: ArrayLike, W2: ArrayLike, b2: ArrayLike, x: ArrayLike, t: ArrayLike
) -> Scalar:
    """softmax_loss(sigmoid(x W1 + b1) W2 + b2, t), a scalar.

    W1 (inputs, hidden), b1 (hidden,), W2 (hidden, classes), b2 (classes,), x (inputs,) or (batch, inputs).
    """
    W1, b1, W2, b2, x = _as_two_layers(W1, b1, W2, b2, x, "two_layer_net_loss")
    s = sigmoid(x @ W1 + b1)  # (batch, hidden)
    return softmax_loss(s @ W2 + b2, t)  # ()


def two_layer_net_loss_vjp(
    cotangent: ArrayLike,
    W1: ArrayLike,
    b1: ArrayLike,
    W2: ArrayLike,
    b2: ArrayLike,
    x: ArrayLike,
    t: ArrayLike,
) -> tuple[Floats, Floats, Floats, Floats]:
    """(dL/dW1, dL/db1, dL/dW2, dL/db2), times the cotangent (); each of its parameter's shape and dtype."""
    W1, b1, W2, b2, x = _as_two_layers(W1, b1, W2, b2, x, "two_layer_net_loss_vjp")
    a1 = x @ W1 + b1  # (batch, hidden)
    s = sigmoid(a1)  # (batch, hidden)
    a2 = s @ W2 + b2  # (batch, classes)
    da2 = softmax_loss_vjp(cotangent, a2, t)  # (batch, classes)
    ds = da2 @ W2.T  # (batch, hidden)
    da1 = sigmoid_vjp(ds, a1)  # (batch, hidden)
    dW1, db1 = _outer_sum(x, da1), np.atleast_2d(da1).sum(axis=0)  # (inputs, hidden), (hidden,)
    dW2, db2 = _outer_sum(s, da2), np.atleast_2d(da2).sum(axis=0)  # (hidden, classes), (classes,)
    return (
        dW1.astype(W1.dtype, copy=False),
        db1.astype(b1.dtype, copy=False),
        dW2.astype(W2.dtype, copy=False),
        db2.astype(b2.dtype, copy=False),
    )


class SimpleNet:
    """One layer of weights W (2, 3).

    W: copied; if None, standard normal numbers from rng, a Generator, a seed or None
    W is an attribute, so that `numerical_gradient(lambda W: net.loss(x, t), net.W)` works as in the document.
    """

    def __init__(self, W: ArrayLike | None = None, rng: np.random.Generator | int | None = None) -> None:
        if W is None:
            W = np.random.default_rng(rng).standard_normal((2, 3))
        self.W: Floats = as_floating(W, "SimpleNet", "W").copy()  # (2, 3)
        if self.W.shape != (2, 3):
            raise ValueError(
                f"SimpleNet: W must have shape (2, 3), got {self.W.shape}; "
                "use simple_net_loss for other sizes"
            )

    def predict(self, x: ArrayLike) -> Floats:
        """x W, the scores: x (2,) or (batch, 2), result (3,) or (batch, 3)."""
        W, x = _as_layer(self.W, x, "SimpleNet.predict")
        return x @ W

    def loss(self, x: ArrayLike, t: ArrayLike) -> Scalar:
        """`simple_net_loss` at this W, a scalar."""
        return simple_net_loss(self.W, x, t)

    def gradient(self, x: ArrayLike, t: ArrayLike) -> Floats:
        """dL/dW by hand, (2, 3)."""
        return simple_net_loss_vjp(1.0, self.W, x, t)


simpleNet = SimpleNet
"""The document's spelling."""


class TwoLayerNet:
    """Two layers with a sigmoid between; `params` holds W1, b1, W2, b2.

    input_size, hidden_size, output_size: at least 1
    weight_init_std: of the normal weights, finite, 0 or above; the biases start at 0
    rng: a Generator, a seed or None; the global random state is neither read nor changed
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        output_size: int,
        weight_init_std: float = 0.01,
        rng: np.random.Generator | int | None = None,
    ) -> None:
        who = "TwoLayerNet"
        inputs = as_count(input_size, who, "input_size", 1)
        hidden = as_count(hidden_size, who, "hidden_size", 1)
        classes = as_count(output_size, who, "output_size", 1)
        std = as_not_negative(weight_init_std, who, "weight_init_std")
        rng = np.random.default_rng(rng)
        self.params: dict[str, Floats] = {
            "W1": std * rng.standard_normal((inputs, hidden)),
            "b1": np.zeros(hidden),
            "W2": std * rng.standard_normal((hidden, classes)),
            "b2": np.zeros(classes),
        }

    def predict(self, x: ArrayLike) -> Floats:
        """The probabilities softmax(sigmoid(x W1 + b1) W2 + b2): (classes,) or (batch, classes)."""
        W1, b1, W2, b2, x = _as_two_layers(**self.params, x=x, who="TwoLayerNet.predict")
        return softmax(sigmoid(x @ W1 + b1) @ W2 + b2)

    def loss(self, x: ArrayLike, t: ArrayLike) -> Scalar:
        """`two_layer_net_loss` at these parameters, a scalar."""
        return two_layer_net_loss(**self.params, x=x, t=t)

    def accuracy(self, x: ArrayLike, t: ArrayLike) -> float:
        """The share of rows whose largest probability is at the label, in [0, 1]; NaN if any row holds NaN.

        A diverged network predicts NaN, whose argmax is class 0: counting that would look like chance.
        """
        p = self.predict(x)  # (batch, classes) or (classes,)
        labels, unknown = read_labels(p.shape, t, "TwoLayerNet.accuracy")  # (batch,), (batch,)
        p = np.atleast_2d(p)  # (batch, classes)
        if unknown.any() or np.isnan(p).any():
            return float("nan")
        return float(np.mean(p.argmax(axis=-1) == labels))

    def gradient(self, x: ArrayLike, t: ArrayLike) -> dict[str, Floats]:
        """The loss's gradients by hand, under the parameters' names and of their shapes."""
        dW1, db1, dW2, db2 = two_layer_net_loss_vjp(1.0, **self.params, x=x, t=t)
        return {"W1": dW1, "b1": db1, "W2": dW2, "b2": db2}

    def numerical_gradient(self, x: ArrayLike, t: ArrayLike, h: float = 1e-4) -> dict[str, Floats]:
        """The loss's central differences, under the parameters' names and of their shapes.

        What `numerical_gradient(lambda W: net.loss(x, t), net.params[name])` gives for the four names, by
        batched differences, without touching the parameters; h is finite and above 0.
        """
        who = "TwoLayerNet.numerical_gradient"
        h = as_step(h, who)
        W1, b1, W2, b2, x = _as_two_layers(**self.params, x=x, who=who)
        labels, unknown = read_labels((*x.shape[:-1], len(b2)), t, who)  # (batch,), (batch,)
        dW1, db1, dW2, db2 = two_layer_differences(W1, b1, W2, b2, np.atleast_2d(x), labels, unknown, h)
        return {"W1": dW1, "b1": db1, "W2": dW2, "b2": db2}


def _outer_sum(x: Floats, dz: Floats) -> Floats:
    """sum_n x_n^T dz_n, (inputs, outputs); x (batch, inputs) and dz (batch, outputs), or one row each."""
    product: Floats = np.atleast_2d(x).T @ np.atleast_2d(dz)  # (inputs, outputs)
    return product


def _as_layer(W: ArrayLike, x: ArrayLike, who: str) -> tuple[Floats, Floats]:
    W, x = as_floating(W, who, "W"), as_floating(x, who)
    _check_weights(W, who, "W")
    _check_features(x, W, who, "W")
    return W, x


def _as_two_layers(
    W1: ArrayLike, b1: ArrayLike, W2: ArrayLike, b2: ArrayLike, x: ArrayLike, who: str
) -> tuple[Floats, Floats, Floats, Floats, Floats]:
    W1, b1 = as_floating(W1, who, "W1"), as_floating(b1, who, "b1")
    W2, b2 = as_floating(W2, who, "W2"), as_floating(b2, who, "b2")
    x = as_floating(x, who)
    _check_weights(W1, who, "W1")
    _check_weights(W2, who, "W2")
    wanted = {"b1": (b1, (W1.shape[1],)), "W2": (W2, (W1.shape[1], W2.shape[1])), "b2": (b2, (W2.shape[1],))}
    for name, (parameter, shape) in wanted.items():
        if parameter.shape != shape:
            raise ValueError(
                f"{who}: {name} has shape {parameter.shape}, but W1 {W1.shape} and "
                f"W2 {W2.shape} ask for {shape}; make the layers fit"
            )
    _check_features(x, W1, who, "W1")
    return W1, b1, W2, b2, x


def _check_weights(W: Floats, who: str, name: str) -> None:
    if W.ndim != 2 or W.size == 0:
        raise ValueError(
            f"{who}: {name} must be 2-D (from, to) and not empty, got shape {W.shape}; reshape it"
        )


def _check_features(x: Floats, W: Floats, who: str, name: str) -> None:
    if x.ndim not in (1, 2) or x.shape[-1] != W.shape[0]:
        raise ValueError(
            f"{who}: x has shape {x.shape}, but {name} {W.shape} takes {W.shape[0]} inputs; pass x of shape "
            f"({W.shape[0]},) or (batch, {W.shape[0]})"
        )
    if x.size == 0:
        raise ValueError(f"{who}: the batch is empty, x has shape {x.shape}; pass at least one row")
