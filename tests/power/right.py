"""A function whose gradient is right, what it takes, and arguments for it by the seed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import ml_dtypes
import numpy as np

from tests.power.fault import loaded

Function = Callable[..., Any]
Shape = tuple[int, ...]
# JAX compiles each operation for each of them.
SHAPES: dict[str, tuple[Shape, ...]] = {
    "torch": ((), (1,), (5,), (2, 3), (4, 4), (2, 1, 3), (2, 2, 4), (3, 8)),
    "jax": ((), (5,), (4, 4), (2, 2, 4)),
}
SIZES = (0.1, 1.0, 1.0, 6.0)  # of normal numbers


class Right(NamedTuple):
    """A function and what it takes.

    Attributes:
        function: It is called with the arguments and the options.
        takes: A letter for each argument. Differentiated: x numbers of both signs, p positive, q near 1, u
            between 0 and 1, n one number, v one for each column. Held: X, P, U the same, B 0 or 1, S -1 or 1,
            C a class for each row, W a weight for each column.
        options: Keywords, and what they may be.
        least: How many axes it needs at least.
        axes: How many exactly; None for any number.
        spec, surrogate: What `check_gradient` is to be told.
    """

    function: Function
    takes: str
    options: Mapping[str, Sequence[Any]] = {}
    least: int = 0
    axes: int | None = None
    spec: Function | None = None
    surrogate: Function | None = None

    def shapes(self, framework: str) -> list[Shape]:
        """Those of SHAPES that it takes."""
        return [s for s in SHAPES[framework] if len(s) >= self.least and self.axes in {None, len(s)}]


class Draw(NamedTuple):
    """Arguments for a function, what to ask `check_gradient` besides, and the draw in words."""

    args: tuple[Any, ...]
    more: dict[str, Any]
    said: str


def drawn(framework: str, right: Right, dtype: str, seed: int) -> Draw:
    """What a seed gives."""
    rng = np.random.default_rng([seed, len(dtype), ord(dtype[0])])  # bfloat16 has draws of its own
    shapes = right.shapes(framework)
    shape = shapes[rng.integers(len(shapes))]
    size = SIZES[rng.integers(len(SIZES))]
    options = {name: values[rng.integers(len(values))] for name, values in right.options.items()}
    letters = right.takes.split()
    args = tuple(loaded(framework, _array(letter, rng, shape, size, dtype)) for letter in letters)
    more = {name: part for name in ("spec", "surrogate") if (part := getattr(right, name))}
    more |= {"kwargs": options, "argnums": [k for k, letter in enumerate(letters) if letter.islower()]}
    said = ", ".join([f"shape {shape}", f"size {size}", *(f"{k}={v}" for k, v in options.items())])
    return Draw(args, more, said)


def _array(letter: str, rng: np.random.Generator, shape: Shape, size: float, dtype: str) -> Any:
    kind = np.dtype(getattr(ml_dtypes, dtype) if dtype == "bfloat16" else dtype)
    match letter:
        case "C":
            return rng.integers(0, shape[1], shape[0])
        case "B":
            numbers: Any = rng.integers(0, 2, shape)
        case "S":
            numbers = rng.choice([-1.0, 1.0], shape)
        case "n":
            numbers = rng.uniform(0.05, 0.5, 1)
        case "v" | "W":
            numbers = rng.uniform(0.25, 2.0, shape[-1:])
        case "u" | "U":
            numbers = rng.uniform(0.01, 0.99, shape)
        case "q":
            numbers = rng.uniform(0.6, 1.4, shape)
        case "p" | "P":
            numbers = np.exp(rng.normal(size=shape))
        case _:
            numbers = rng.normal(size=shape) * size
    return np.asarray(numbers).astype(kind)
