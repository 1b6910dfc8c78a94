"""The values that a program has so far, at one point, and what may be drawn of them."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tests.programs.numbers import helpers
from tests.programs.program import Program, Step

LARGEST = 300.0  # of any value: float16 ends at 65504
WIDTHS = {"float64": 3, "float32": 2, "float16": 1, "bfloat16": 1}


@dataclass(frozen=True)
class Value:
    """A value of the program: its name, its dtype in the framework, its numbers in float64.

    Attributes:
        owner: The value whose memory it is; its own name where that is its own, or not to be written into.
    """

    name: str
    dtype: str
    array: Any

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(np.shape(self.array))

    @property
    def ndim(self) -> int:
        return len(self.shape)


class Unfit(Exception):
    """What was drawn does not fit what there is; something else is drawn."""


@dataclass
class Scope:
    """A program while it is drawn.

    Attributes:
        framework, dtype: Whose program, and the dtype of its arguments.
        rng: Where everything is drawn from.
        arguments: The arguments' numbers, in float64, which holds those of every dtype.
    """

    framework: str
    dtype: str
    rng: random.Random
    arguments: dict[str, Any]

    def __post_init__(self) -> None:
        self.steps: list[Step] = []
        self.dtypes = dict.fromkeys(self.arguments, self.dtype)
        self.own: set[str] = set()  # what may be written into
        self.arrays = dict(self.arguments)

    @property
    def values(self) -> list[Value]:
        """All values, the latest last."""
        return [Value(name, self.dtypes[name], array) for name, array in self.arrays.items()]

    def pick(self, fits: Callable[[Value], bool] = lambda _: True) -> Value:
        """One of the values that fit; the later ones more often."""
        found = [v for v in self.values if fits(v)]
        if not found:
            raise Unfit
        at = max(self.rng.randrange(len(found)), self.rng.randrange(len(found)))
        return found[at]

    def one_of(self, *options: Any) -> Any:
        """One of some options, each as likely."""
        return options[self.rng.randrange(len(options))]

    def below(self, n: int) -> int:
        """A number from 0 to n - 1."""
        if n < 1:
            raise Unfit
        return self.rng.randrange(n)

    def number(self) -> float:
        """A number as people write it, with few bits."""
        return float(self.one_of(0.5, 2.0, -1.5, 0.25, 3.0, -0.75, 1.25, -1.0, 0.125))

    def add(
        self,
        kind: str,
        operands: Sequence[Value],
        texts: dict[str, str],
        dtype: str | None = None,
        outside: dict[str, str] | None = None,
        wrong: dict[str, str] | None = None,
        writes: bool = False,
        owned: bool = False,
    ) -> None:
        """Write a step, if its numbers are of an ordinary size.

        Args:
            kind, operands, outside, wrong, writes: As of `Step`.
            texts: By dialect; an expression (no "{out}") or lines. NumPy's is the exact one if not given.
            dtype: Of the result; that of the first operand if not given.
            owned: Whether the result is memory of its own, which later steps may write into.

        Raises:
            Unfit: The framework has no such step, or its numbers are no good.
        """
        texts = {"numpy": texts["exact"], **texts} if "numpy" not in texts else texts
        if not texts.get(self.framework):
            raise Unfit
        lines = {d: t if "{out}" in t or writes else f"{{out}} = {t}" for d, t in texts.items() if t}
        result = operands[0].name if writes else f"v{len(self.steps)}"
        names = tuple(v.name for v in operands)
        step = Step(kind, names, result, lines, outside or {}, wrong or {}, writes)
        arrays = self._run([*self.steps, step])
        if not writes and not all(map(np.all, (np.isfinite(arrays[result]), np.size(arrays[result])))):
            raise Unfit
        for array in arrays.values():
            if not np.isfinite(array).all() or np.max(np.abs(array), initial=0) > LARGEST:
                raise Unfit
        self.steps.append(step)
        self.dtypes[result] = dtype or operands[0].dtype
        self.arrays = {name: arrays[name] for name in self.dtypes}
        if owned and np.ndim(arrays[result]):
            self.own.add(result)

    def _run(self, steps: list[Step]) -> dict[str, Any]:
        """The numbers of all values after these steps, in float64."""
        everything = [*self.arguments, *dict.fromkeys(s.result for s in steps)]
        program = Program(tuple(self.arguments), tuple(steps), (f"dict({_pairs(everything)})",))
        function = program.function("exact", **helpers(lambda x: np.array(x), float))
        with np.errstate(all="ignore"):
            try:
                found = function(*(a.copy() for a in self.arguments.values()))
            except (ValueError, IndexError, TypeError, ArithmeticError, np.linalg.LinAlgError) as problem:
                raise Unfit from problem
        return {name: np.asarray(v) for name, v in found.items()}

    def widest(self, *operands: Value) -> str:
        """The dtype of an elementwise result.

        Raises:
            Unfit: The frameworks do not agree, or only some promote.
        """
        kinds = {v.dtype for v in operands}
        if len(kinds) > 1 and (len({WIDTHS[k] for k in kinds}) == 1 or not all(v.ndim for v in operands)):
            raise Unfit
        return max(kinds, key=WIDTHS.__getitem__)


def _pairs(names: Sequence[str]) -> str:
    return ", ".join(f"{name}={name}" for name in names)


def alike(*kinds: str) -> Callable[[Value], bool]:
    """Whether a value has one of these dtypes."""
    return lambda v: v.dtype in kinds


def broadcast(one: tuple[int, ...], other: tuple[int, ...]) -> bool:
    """Whether two shapes go together, and give no large array."""
    try:
        return math.prod(np.broadcast_shapes(one, other)) <= 24
    except ValueError:
        return False
