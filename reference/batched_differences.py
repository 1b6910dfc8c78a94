"""The two-layer network's central differences, many parameters at a time.

The literal loop computes the whole network twice for each parameter: 159,020 losses for 784-100-10.  But a
parameter reaches the scores a2 through one quantity only.  Moving W1_ij, or b1_j, moves one hidden unit s_j;
moving W2_jk, or b2_k, moves one score.  Either way sample n's scores move along a direction V that is known
beforehand, by an amount delta that differs from parameter to parameter:

    parameter   direction V   delta_n
    W1_ij       W2_j          sigmoid(a1_nj + step x_ni) - s_nj
    b1_j        W2_j          the same with x_ni = 1
    W2_jk       e_k           step s_nj
    b2_k        e_k           the same with s_nj = 1

So x and s get a column of ones, for the biases, and all rows i with one column j (or k) are done at once.
The step is what the parameter really moves by, (w + h) - w and (w - h) - w as rounded: it differs from h by
up to half an ulp of w, as it does in the literal loop.

The loss needs the label's probability only.  With D_c = a2_c - a2_label over the *other* classes,

    1 / p = 1 + sum_c exp(D_c + delta (V_c - V_label))
    dL/dw = -mean_n (log(p_up + eps) - log(p_down + eps)) / 2h

No maximum has to be subtracted: where exp overflows, p is below 1e-300, and p + 1e-7 is 1e-7 to the last bit.

All is float64, whatever the parameters' dtype (in float32 the difference would be noise), and the result is
cast to it.  The batch is taken in blocks and the rows in chunks, so that the working memory stays a few MB
and the inner arrays stay in the processor's cache.
"""

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from reference.activations import sigmoid
from reference.checks import Floats
from reference.losses import EPSILON

Float64s: TypeAlias = NDArray[np.float64]

BLOCK = 256
"""Samples in a block: beyond this, a longer inner loop gains nothing."""

CHUNK = 1 << 16
"""Exponentials at a time (512 kB of float64)."""


@np.errstate(over="ignore", under="ignore")  # exp may be inf or 0, and the probability 0 or 1: all are right
def two_layer_differences(
    W1: Floats,
    b1: Floats,
    W2: Floats,
    b2: Floats,
    x: Floats,
    labels: NDArray[np.intp],
    unknown: NDArray[np.bool_],
    h: float,
) -> tuple[Floats, Floats, Floats, Floats]:
    """Central differences of the mean cross entropy by W1, b1, W2, b2, in their shapes and dtypes.

    W1 (inputs, hidden), b1 (hidden,), W2 (hidden, classes), b2 (classes,), x (batch, inputs),
    labels (batch,) and unknown (batch,) as `read_labels` gives them: a row without a label makes everything
    NaN, as it makes every loss NaN.  The caller, `TwoLayerNet.numerical_gradient`, has checked the inputs.
    """
    up1, down1 = _steps(W1, b1, h), _steps(W1, b1, -h)  # (inputs + 1, hidden)
    up2, down2 = _steps(W2, b2, h), _steps(W2, b2, -h)  # (hidden + 1, classes)
    W1_, b1_, W2_, b2_ = (p.astype(np.float64) for p in (W1, b1, W2, b2))
    total1, total2 = np.zeros_like(up1), np.zeros_like(up2)
    for start in range(0, len(x), BLOCK):
        n = slice(start, start + BLOCK)
        xs = x[n].astype(np.float64)  # (n, inputs)
        a1 = xs @ W1_ + b1_  # (n, hidden)
        s = np.asarray(sigmoid(a1), dtype=np.float64)  # (n, hidden)
        a2 = s @ W2_ + b2_  # (n, classes)
        a2[unknown[n]] = np.nan
        scores = _Scores(a2, labels[n])
        ones = np.ones((len(xs), 1))  # (n, 1)
        total1 += _first_layer(scores, np.hstack([xs, ones]).T.copy(), a1.T, s.T, W2_, up1, down1)
        total2 += _second_layer(scores, np.hstack([s, ones]).T.copy(), up2, down2)
    scale = -1 / (len(x) * 2 * h)  # total holds sums of log(p_up + eps) - log(p_down + eps)
    d1, d2 = scale * total1, scale * total2
    return (
        d1[:-1].astype(W1.dtype),
        d1[-1].astype(b1.dtype),
        d2[:-1].astype(W2.dtype),
        d2[-1].astype(b2.dtype),
    )


def _steps(W: Floats, b: Floats, h: float) -> Float64s:
    """What each weight and bias moves by when h is added, as its dtype rounds; (from + 1, to)."""
    return np.vstack([(p + h).astype(np.float64) - p for p in (W, b[None, :])])


class _Scores:
    """The scores of a block of samples, as differences D (others, n) to each sample's label.

    others = classes - 1: for each sample, the classes that are not its label.
    """

    def __init__(self, a2: Float64s, labels: NDArray[np.intp]) -> None:
        samples, classes = a2.shape
        others = np.arange(classes - 1)[:, None]  # (others, 1)
        self.others = others + (others >= labels)  # (others, n) skips the label
        self.labels = labels  # (n,)
        n = np.arange(samples)  # (n,)
        self.D = a2[n, self.others] - a2[n, labels]  # (others, n)
        self.chunk = max(1, CHUNK // max(self.D.size, samples))  # rows at a time
        self._work = np.empty((len(others), self.chunk, samples))  # (others, rows, n)

    def direction(self, v: Float64s) -> Float64s:
        """How D moves when the scores move along v (classes,); (others, n)."""
        V: Float64s = v[self.others] - v[self.labels]  # (others, n)
        return V

    def log_ratio(self, V: Float64s, up: Float64s, down: Float64s) -> Float64s:
        """sum_n log((p_up + eps) / (p_down + eps)); V (others, n), up and down (rows, n), result (rows,)."""
        ratio = self._q(V, up) / self._q(V, down)  # (rows, n)
        total: Float64s = np.log(ratio).sum(axis=-1)  # (rows,)
        return total

    def _q(self, V: Float64s, delta: Float64s) -> Float64s:
        """p + eps at the label, where D moves along V by delta; (rows, n)."""
        e = self._work[:, : len(delta)]  # (others, rows, n)
        np.multiply(V[:, None, :], delta, out=e)
        np.add(e, self.D[:, None, :], out=e)
        np.exp(e, out=e)
        q: Float64s = 1 / (1 + e.sum(axis=0)) + EPSILON  # (rows, n)
        return q


def _first_layer(
    scores: _Scores,
    x: Float64s,
    a1: Float64s,
    s: Float64s,
    W2: Float64s,
    up: Float64s,
    down: Float64s,
) -> Float64s:
    """One hidden unit j at a time, all inputs i at once.

    x (inputs + 1, n), a1 and s (hidden, n), W2 (hidden, classes), up, down and result (inputs + 1, hidden)
    """
    result = np.empty_like(up)  # (inputs + 1, hidden)
    for j in range(len(a1)):
        V = scores.direction(W2[j])  # (others, n)
        for start in range(0, len(x), scores.chunk):
            i = slice(start, start + scores.chunk)
            delta_up = sigmoid(a1[j] + up[i, j, None] * x[i]) - s[j]  # (rows, n)
            delta_down = sigmoid(a1[j] + down[i, j, None] * x[i]) - s[j]  # (rows, n)
            result[i, j] = scores.log_ratio(V, delta_up, delta_down)  # (rows,)
    return result


def _second_layer(scores: _Scores, s: Float64s, up: Float64s, down: Float64s) -> Float64s:
    """One class k at a time, all hidden units j at once.

    s (hidden + 1, n), up, down and result (hidden + 1, classes)
    """
    result = np.empty_like(up)  # (hidden + 1, classes)
    for k, e_k in enumerate(np.eye(up.shape[1])):
        V = scores.direction(e_k)  # (others, n)
        for start in range(0, len(s), scores.chunk):
            j = slice(start, start + scores.chunk)
            result[j, k] = scores.log_ratio(V, up[j, k, None] * s[j], down[j, k, None] * s[j])  # (rows,)
    return result
