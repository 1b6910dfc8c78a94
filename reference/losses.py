"""Softmax and the losses, with their gradients by hand.

A row of x holds one score per class, a row of y one probability per class; (batch, classes), or (classes,)
for a batch of one.  How t is read is said in `reference.labels`.

softmax: p_i = e^{x_i} / sum_j e^{x_j}, so dp_j/dx_i = p_j ([i = j] - p_i), and with the cotangent g

    dL/dx_i = sum_j g_j p_j ([i = j] - p_i) = p_i (g_i - sum_j g_j p_j)

cross entropy: L = -1/batch sum_rows log(y_label + eps), so dL/dy_label = -1 / (batch (y_label + eps)), and
every other entry is 0.  eps = 1e-7 keeps the logarithm finite, and belongs to the gradient as well.

Both together: g_label = -1 / (batch (p_label + eps)) is the only entry of g, so

    dL/dx_i = p_label / (p_label + eps) (p_i - [i = label]) / batch

Functions of floats keep the dtype (integers become float64), do not write into their inputs, and are smooth
on their domain; t is never differentiated there.  NaN in gives NaN out, silently.
Source: Saito, Deep Learning from Scratch, chapters 3 and 4.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reference.checks import Floats, Scalar, as_cotangent, as_floating, as_rows
from reference.labels import read_labels

EPSILON = 1e-7
"""What the document adds to a probability before it takes the logarithm."""


def softmax(x: ArrayLike) -> Floats:
    """e^x / sum(e^x) over the last axis; x (classes,) or (batch, classes), result of x's shape.

    The largest score is subtracted first, which changes nothing but keeps e^x at 1 or below.
    Raises ValueError on another number of axes and on an empty array, TypeError on a dtype that is not real.
    """
    return _softmax(as_rows(x, "softmax"))


@np.errstate(under="ignore")
def softmax_vjp(cotangent: ArrayLike, x: ArrayLike) -> Floats:
    """dL/dx = p (g - sum(g p)).  Shapes: cotangent as x, x (classes,) or (batch, classes), result as x.

    Adding a constant to g changes nothing, since the p sum to 1.  So g is measured from its entry at the
    largest p: where that p is near 1, g - sum(g p) would cancel there, and this does not.
    Raises as `softmax`, and ValueError on a cotangent of another shape.
    """
    p = _softmax(as_rows(x, "softmax_vjp"))  # (..., classes)
    g = as_cotangent(cotangent, p, p.shape, "softmax_vjp")  # (..., classes)
    top = p.argmax(axis=-1, keepdims=True)  # (..., 1)
    g = g - np.take_along_axis(g, top, axis=-1)  # (..., classes)
    dx: Floats = p * (g - (g * p).sum(axis=-1, keepdims=True))  # (..., classes)
    return dx


def mean_squared_error(y: ArrayLike, t: ArrayLike) -> Scalar:
    """0.5 sum (y - t)^2, a scalar; y and t of one shape (...), which is not empty.

    Despite its name it is a sum: the document divides by 2 and not by the count.  The dtype is that of y and
    t together; an integer t takes y's.  Squares beyond the dtype's range overflow, with NumPy's warning.
    Raises ValueError on different shapes or empty arrays, TypeError on a dtype that is not real.
    """
    y, t = _like_pair(y, t, "mean_squared_error")
    loss: Scalar = 0.5 * np.sum((y - t) ** 2)  # ()
    return loss


def mean_squared_error_vjp(cotangent: ArrayLike, y: ArrayLike, t: ArrayLike) -> tuple[Floats, Floats]:
    """dL/dy = g (y - t), dL/dt = -g (y - t).  Shapes: cotangent (), y (...), t (...), results (...).

    Raises as `mean_squared_error`.
    """
    y, t = _like_pair(y, t, "mean_squared_error_vjp")  # (...), (...)
    difference = y - t  # (...)
    g = as_cotangent(cotangent, difference, (), "mean_squared_error_vjp")  # ()
    dy = g * difference  # (...)
    return dy.astype(y.dtype, copy=False), (-dy).astype(t.dtype, copy=False)  # (...), (...)


def cross_entropy_error(y: ArrayLike, t: ArrayLike) -> Scalar:
    """-mean log(y_label + 1e-7) over the batch, a scalar; y (classes,) or (batch, classes), t as in `labels`.

    The other entries of y are not read.  Domain: y_label > -1e-7; below, NumPy warns and the result is NaN.
    Raises ValueError on wrong shapes, an empty y or labels out of range, TypeError on wrong dtypes.
    """
    return _mean_surprise(as_rows(y, "cross_entropy_error", "y"), t, "cross_entropy_error")  # ()


def cross_entropy_error_vjp(cotangent: ArrayLike, y: ArrayLike, t: ArrayLike) -> Floats:
    """dL/dy = -g / (batch (y_label + 1e-7)) at the labels, else 0.  Shapes: cotangent (), y and result alike.

    Raises as `cross_entropy_error`.
    """
    y = as_rows(y, "cross_entropy_error_vjp", "y")  # (..., classes)
    rows, labels, y_label = _at_labels(y, t, "cross_entropy_error_vjp")  # (batch,) each
    g = as_cotangent(cotangent, y, (), "cross_entropy_error_vjp") / len(rows)  # ()
    # In a row whose label is NaN no entry is known to be the label's: the whole row is NaN.
    dy = np.where(np.isnan(y_label), y_label, 0)[:, None] * np.ones_like(y)  # (batch, classes)
    dy[rows, labels] = -g / (y_label + EPSILON)  # (batch,)
    return dy.reshape(y.shape)


def softmax_loss(x: ArrayLike, t: ArrayLike) -> Scalar:
    """cross_entropy_error(softmax(x), t), a scalar; x (classes,) or (batch, classes), t as in `labels`.

    Raises as `softmax` and `cross_entropy_error`.
    """
    return _mean_surprise(_softmax(as_rows(x, "softmax_loss")), t, "softmax_loss")  # ()


@np.errstate(under="ignore")
def softmax_loss_vjp(cotangent: ArrayLike, x: ArrayLike, t: ArrayLike) -> Floats:
    """dL/dx = g p_label / (p_label + 1e-7) (p - onehot) / batch.  Shapes: cotangent (), x and result alike.

    At the label, p - 1 is taken as minus the sum of the other probabilities: it keeps its digits as p -> 1.
    Raises as `softmax_loss`.
    """
    x = as_rows(x, "softmax_loss_vjp")  # (..., classes)
    p = _softmax(x)  # (..., classes)
    rows, labels, p_label = _at_labels(p, t, "softmax_loss_vjp")  # (batch,) each
    p = np.atleast_2d(p)  # (batch, classes)
    g = as_cotangent(cotangent, x, (), "softmax_loss_vjp") / len(rows)  # ()
    p[rows, labels] = 0  # (batch,) now p holds the others only
    p[rows, labels] = -p.sum(axis=-1)  # (batch,) now p is p - onehot
    scale = g * (p_label / (p_label + EPSILON))  # (batch,) NaN where the label is unknown
    return (scale[:, None] * p).reshape(x.shape)


@np.errstate(over="ignore", under="ignore")  # x - max may be -inf, and its exponential 0: both are right
def _softmax(x: Floats) -> Floats:
    """`softmax` of checked rows (..., classes)."""
    e = np.exp(x - x.max(axis=-1, keepdims=True))  # (..., classes) in [0, 1]
    p: Floats = e / e.sum(axis=-1, keepdims=True)  # (..., classes)
    return p


def _mean_surprise(y: Floats, t: ArrayLike, who: str) -> Scalar:
    """-mean log(y_label + eps), a scalar."""
    _, _, y_label = _at_labels(y, t, who)  # (batch,)
    loss: Scalar = -np.sum(np.log(y_label + EPSILON)) / len(y_label)  # ()
    return loss


def _at_labels(y: Floats, t: ArrayLike, who: str) -> tuple[NDArray[np.intp], NDArray[np.intp], Floats]:
    """Give the index pair (rows, labels) and the entries of y there, NaN where t is NaN; (batch,) each."""
    labels, unknown = read_labels(y.shape, t, who)  # (batch,), (batch,)
    rows = np.arange(len(labels))  # (batch,)
    return rows, labels, np.where(unknown, np.nan, np.atleast_2d(y)[rows, labels])


def _like_pair(y: ArrayLike, t: ArrayLike, who: str) -> tuple[Floats, Floats]:
    """Give y and t as floats of one shape; an integer takes the other's dtype, so float32 stays float32."""
    pair = [np.asarray(y), np.asarray(t)]
    floating = [a.dtype for a in pair if a.dtype.kind == "f"]
    y, t = (as_floating(a, who, name) for a, name in zip(pair, ("y", "t"), strict=True))
    if len(floating) == 1:
        y, t = y.astype(floating[0], copy=False), t.astype(floating[0], copy=False)
    if y.shape != t.shape:
        raise ValueError(
            f"{who}: y has shape {y.shape} and t has shape {t.shape}; "
            "they must be equal, since nothing is broadcast"
        )
    if y.size == 0:
        raise ValueError(f"{who}: y and t are empty, got shape {y.shape}; pass at least one element")
    return y, t
