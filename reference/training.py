"""The document's four steps of learning: mini-batch, gradient, update, repeat.

    draw a mini-batch;   g = dL/dw on it;   w <- w - learning_rate g;   again

The gradient source is an argument, so that one loop learns with gradients by hand, by central differences,
or from another framework, from the same start and over the same mini-batches.

Source: Saito, Deep Learning from Scratch, section 4.5.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reference.checks import Floats, Scalar, as_count, as_floating, as_not_negative


class Trainable(Protocol):
    """What `train` needs of a network; `TwoLayerNet` has it."""

    params: dict[str, Floats]

    def loss(self, x: ArrayLike, t: ArrayLike) -> Scalar:
        """The loss on a batch, a scalar."""

    def accuracy(self, x: ArrayLike, t: ArrayLike) -> float:
        """The share of rows that are classified as t says."""

    def gradient(self, x: ArrayLike, t: ArrayLike) -> dict[str, Floats]:
        """The loss's gradients, under the parameters' names."""


Net = TypeVar("Net", bound=Trainable)


@dataclass(frozen=True, eq=False)
class History:
    """What happened while training.

    loss: (steps,) float64, the loss of each mini-batch after its update, as the document records it
    accuracy_steps: (evaluations,) int64, the indices into `loss` after whose update the accuracies were taken
    train_accuracy: (evaluations,) float64, on all of x and t
    test_accuracy: (evaluations,) float64, on x_test and t_test, or None where those were not given
    """

    loss: NDArray[np.float64]
    accuracy_steps: NDArray[np.int64]
    train_accuracy: NDArray[np.float64]
    test_accuracy: NDArray[np.float64] | None


def train(
    net: Net,
    x: ArrayLike,
    t: ArrayLike,
    *,
    steps: int = 10_000,
    batch_size: int = 100,
    learning_rate: float = 0.1,
    rng: np.random.Generator | int | None = None,
    gradient: Callable[[Net, Floats, NDArray[Any]], Mapping[str, ArrayLike]] | None = None,
    x_test: ArrayLike | None = None,
    t_test: ArrayLike | None = None,
    evaluate_every: int | None = None,
) -> History:
    """Train the network in place, by gradient descent on random mini-batches.

    x: (examples, inputs);  t: (examples, classes) one-hot or (examples,) labels
    steps: 0 or above;  batch_size: at least 1;  learning_rate: finite, 0 or above
    rng: a Generator, a seed or None; one seed always draws the same mini-batches
    gradient: takes (net, x_batch, t_batch), gives a gradient for every name in net.params; by hand if None
    x_test, t_test: as x and t, both or neither
    evaluate_every: take the accuracies at every so many steps from the first, and at the last; once per epoch
        if None
    Each update binds net.params[name] to a new array: an array that the caller holds is never written to.
    Raises ValueError on examples that do not match or are empty, on numbers out of range and on gradients
    that do not fit the parameters, TypeError on counts that are not integers.
    """
    x, t = _examples(x, t, "x", "t")
    test = _test_examples(x_test, t_test)
    steps = as_count(steps, "train", "steps")
    batch_size = as_count(batch_size, "train", "batch_size", 1)
    learning_rate = as_not_negative(learning_rate, "train", "learning_rate")
    epoch = max(len(x) // batch_size, 1)
    evaluate_every = (
        epoch if evaluate_every is None else as_count(evaluate_every, "train", "evaluate_every", 1)
    )
    rng = np.random.default_rng(rng)
    gradient_of = by_hand if gradient is None else gradient

    loss = np.empty(steps)  # (steps,)
    accuracies: list[tuple[int, float, float]] = []
    for step in range(steps):  # 4. repeat
        x_batch, t_batch = mini_batch(x, t, batch_size, rng)  # 1. mini-batch
        gradients = gradient_of(net, x_batch, t_batch)  # 2. gradient
        update(net.params, gradients, learning_rate)  # 3. update

        loss[step] = net.loss(x_batch, t_batch)
        if step % evaluate_every == 0 or step == steps - 1:
            held_out = np.nan if test is None else net.accuracy(*test)
            accuracies.append((step, net.accuracy(x, t), held_out))

    columns = np.array(accuracies, dtype=np.float64).reshape(-1, 3)  # (evaluations, 3)
    return History(
        loss=loss,
        accuracy_steps=columns[:, 0].astype(np.int64),
        train_accuracy=columns[:, 1].copy(),
        test_accuracy=None if test is None else columns[:, 2].copy(),
    )


def mini_batch(
    x: Floats, t: NDArray[Any], batch_size: int, rng: np.random.Generator
) -> tuple[Floats, NDArray[Any]]:
    """Draw batch_size examples, with replacement as in the document; (batch_size, ...) of x and of t."""
    chosen = rng.choice(len(x), batch_size)  # (batch_size,)
    return x[chosen], t[chosen]


def by_hand(net: Trainable, x_batch: Floats, t_batch: NDArray[Any]) -> Mapping[str, Floats]:
    """The default gradient source: the network's own, derived by hand."""
    return net.gradient(x_batch, t_batch)


def update(params: dict[str, Floats], gradients: Mapping[str, ArrayLike], learning_rate: float) -> None:
    """w <- w - learning_rate dw for every parameter, as a new array of w's shape and dtype.

    Raises ValueError if a name is missing or unknown, or a shape differs; nothing is updated then.
    """
    if gradients.keys() != params.keys():
        raise ValueError(
            f"update: got gradients for {sorted(gradients)}, the parameters are {sorted(params)}; "
            "return one gradient for each name"
        )
    arrays = {name: as_floating(dw, "update", name) for name, dw in gradients.items()}
    for name, dw in arrays.items():
        if dw.shape != params[name].shape:
            raise ValueError(
                f"update: the gradient of {name} has shape {dw.shape}, the parameter "
                f"has {params[name].shape}; they must be equal"
            )
    for name, w in params.items():
        params[name] = (w - learning_rate * arrays[name]).astype(w.dtype, copy=False)


def _examples(x: ArrayLike, t: ArrayLike, x_name: str, t_name: str) -> tuple[Floats, NDArray[Any]]:
    x, t = as_floating(x, "train", x_name), np.asarray(t)
    if x.ndim != 2 or x.size == 0:
        raise ValueError(
            f"train: {x_name} must be (examples, inputs) and not empty, got shape {x.shape}; "
            "pass one example per row"
        )
    if t.ndim == 0 or len(t) != len(x):
        raise ValueError(
            f"train: {x_name} holds {len(x)} examples, but {t_name} has shape {t.shape}; "
            "pass one target for each"
        )
    return x, t


def _test_examples(x_test: ArrayLike | None, t_test: ArrayLike | None) -> tuple[Floats, NDArray[Any]] | None:
    if x_test is None and t_test is None:
        return None
    if x_test is None or t_test is None:
        missing = "x_test" if x_test is None else "t_test"
        raise ValueError(f"train: {missing} is missing, got the other one only; pass both or neither")
    return _examples(x_test, t_test, "x_test", "t_test")
