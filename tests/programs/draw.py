"""Draw a program: its arguments, then steps of all concerns, until it is as long as was drawn."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import ml_dtypes
import numpy as np

from tests.programs import (
    complexes,
    control,
    elementwise,
    indexing,
    linear,
    nested,
    reductions,
    rules,
    shapes,
    writing,
)
from tests.programs.program import Program
from tests.programs.scope import Scope, Unfit

CONCERNS = {
    elementwise: 6, shapes: 3, indexing: 3, writing: 3, reductions: 3, linear: 2, control: 2, rules: 1, nested: 2,
    complexes: 2,
}  # fmt: skip
MAKERS: list[tuple[Callable[[Scope], None], int]] = [
    (maker, weight * many) for concern, weight in CONCERNS.items() for maker, many in concern.MAKERS.items()
]
DTYPES = {
    "numpy": ("float64", "float64", "float32", "float16"),
    "jax": ("float64", "float64", "float32", "bfloat16", "float16"),
    "torch": ("float64", "float64", "float32", "bfloat16", "float16"),
}
SHAPES = ((2, 3), (3,), (2, 2), (), (1, 3), (2, 1), (4,), (2, 2, 2), (3, 3), (1,))
NUMBERS = (0.0, 1.0, -1.0, 0.5, 2.0, -0.0)  # ties, edges and kinks


@dataclass(frozen=True)
class Drawn:
    """A program at a point.

    Attributes:
        framework, dtype: Whose, and the dtype of the arguments.
        program: The program.
        arguments: Arrays of NumPy's, in that dtype.
    """

    framework: str
    dtype: str
    program: Program
    arguments: tuple[Any, ...]


def draw(framework: str, rng: random.Random) -> Drawn:
    """A program of a framework with its arguments; every one has at least one step that moves."""
    dtype = DTYPES[framework][rng.randrange(len(DTYPES[framework]))]
    names = ("x", "y", "t")[: 1 + rng.randrange(3)]
    given = {name: _argument(rng, dtype) for name in names}
    scope = Scope(framework, dtype, rng, {name: np.asarray(a, np.float64) for name, a in given.items()})
    wanted, tries = 2 + rng.randrange(8), 0
    while len(scope.steps) < wanted and tries < 200:
        tries += 1
        (maker,) = rng.choices(*zip(*MAKERS, strict=True))
        try:
            maker(scope)
        except Unfit:
            continue
    last = scope.steps[-1].result
    others = [s.result for s in scope.steps if s.result != last]
    results = (last, others[rng.randrange(len(others))]) if others and rng.randrange(4) == 0 else (last,)
    return Drawn(framework, dtype, Program(names, tuple(scope.steps), results), tuple(given.values()))


def _argument(rng: random.Random, dtype: str) -> Any:
    shape = SHAPES[rng.randrange(len(SHAPES))]
    size = int(np.prod(shape))
    numbers = [round(rng.uniform(-2, 2), 3) for _ in range(size)]
    if rng.randrange(3) == 0 and size:
        for _ in range(1 + rng.randrange(2)):
            numbers[rng.randrange(size)] = NUMBERS[rng.randrange(len(NUMBERS))]
        numbers[rng.randrange(size)] = numbers[rng.randrange(size)]
    return np.array(numbers).reshape(shape).astype(named(dtype))


def named(dtype: str) -> Any:
    """A dtype of NumPy's by name."""
    return ml_dtypes.bfloat16 if dtype == "bfloat16" else np.dtype(dtype)
