"""Every function with a hand-derived gradient, with arguments for it; what the shared tests run over."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

import reference
from reference import activations


@dataclass(frozen=True)
class Entry:
    f: Callable[..., Any]
    vjp: Callable[..., Any]
    make: Callable[[np.random.Generator], tuple[Any, ...]]
    differentiable: tuple[int, ...]
    name: str

    def gradients(self, cotangent: Any, args: tuple[Any, ...]) -> tuple[np.ndarray, ...]:
        result = self.vjp(cotangent, *args)
        return result if isinstance(result, tuple) else (result,)


def decimals(rng: np.random.Generator, *shape: int) -> np.ndarray:
    """Signed numbers with two decimals, none of them 0 (relu's kink)."""
    numbers = rng.integers(1, 300, shape) * rng.choice([-1, 1], shape) / 100
    return np.asarray(numbers, dtype=np.float64)


def probabilities(rng: np.random.Generator, *shape: int) -> np.ndarray:
    return rng.integers(5, 95, shape) / 100


def one_hot(rng: np.random.Generator, rows: int, classes: int) -> np.ndarray:
    return np.eye(classes)[rng.integers(0, classes, rows)]


def _elementwise(name: str) -> Entry:
    return _entry(name, lambda rng: (decimals(rng, *rng.integers(1, 5, rng.integers(0, 4))),))


def _entry(
    name: str, make: Callable[[np.random.Generator], tuple[Any, ...]], differentiable: tuple[int, ...] = (0,)
) -> Entry:
    return Entry(getattr(reference, name), getattr(reference, f"{name}_vjp"), make, differentiable, name)


def _scores(rng: np.random.Generator) -> tuple[np.ndarray, int, int]:
    rows, classes = (int(n) for n in rng.integers(1, 6, 2))
    return decimals(rng, rows, classes), rows, classes


def _softmax(rng: np.random.Generator) -> tuple[Any, ...]:
    x, _, _ = _scores(rng)
    return (x if rng.random() < 0.7 else x[0],)


def _classified(rng: np.random.Generator) -> tuple[Any, ...]:
    """Scores with each of the four ways to give a target."""
    x, rows, classes = _scores(rng)
    labels = rng.integers(0, classes, rows)
    ways = [(x, labels), (x, np.eye(classes)[labels]), (x[0], np.eye(classes)[labels[0]]), (x[0], labels[0])]
    return ways[rng.integers(4)]


def _cross_entropy(rng: np.random.Generator) -> tuple[Any, ...]:
    x, t = _classified(rng)
    return probabilities(rng, *x.shape), t


def _squares(rng: np.random.Generator) -> tuple[Any, ...]:
    shape = rng.integers(1, 5, rng.integers(0, 4))
    return decimals(rng, *shape), decimals(rng, *shape)


def _simple(rng: np.random.Generator) -> tuple[Any, ...]:
    inputs, classes, rows = (int(n) for n in rng.integers(1, 6, 3))
    if rng.random() < 0.3:
        return decimals(rng, inputs, classes), decimals(rng, inputs), int(rng.integers(classes))
    return decimals(rng, inputs, classes), decimals(rng, rows, inputs), one_hot(rng, rows, classes)


def _two_layers(rng: np.random.Generator) -> tuple[Any, ...]:
    inputs, hidden, classes, rows = (int(n) for n in rng.integers(1, 6, 4))
    params = (
        decimals(rng, inputs, hidden),
        decimals(rng, hidden),
        decimals(rng, hidden, classes),
        decimals(rng, classes),
    )
    if rng.random() < 0.3:
        return (*params, decimals(rng, inputs), int(rng.integers(classes)))
    return (*params, decimals(rng, rows, inputs), one_hot(rng, rows, classes))


ENTRIES = [
    *(_elementwise(name.removesuffix("_vjp")) for name in vars(activations) if name.endswith("_vjp")),
    _entry("function_2", lambda rng: (decimals(rng, 2, *rng.integers(1, 4, rng.integers(0, 3))),)),
    _entry("softmax", _softmax),
    _entry("mean_squared_error", _squares, (0, 1)),
    _entry("cross_entropy_error", _cross_entropy),
    _entry("softmax_loss", _classified),
    _entry("simple_net_loss", _simple),
    _entry("two_layer_net_loss", _two_layers, (0, 1, 2, 3)),
]
