"""The systematic ways in which a right gradient is changed; the forward stays.

A mutant is `mutant(subject, cotangent, args)`: the changed gradient of one argument, in the subject's own
arrays. Where a kind has nothing to change it gives the right gradient: `changes` says so, and it is not
counted.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np
import torch

from tests.power.fault import loaded

Function = Callable[..., Any]
Pull = Callable[..., tuple[Any, ...]]
"""The gradients of the arguments that are differentiated: `pull(cotangent, *args)`."""


@dataclass(frozen=True, eq=False)
class Subject:
    """A function at a point, with a gradient that is right and what its mutants need.

    Attributes:
        framework: numpy, torch or jax.
        function, args: The function, and its arguments as NumPy's arrays.
        pull: Its right gradients, those of the first `moves` arguments.
        changed: Which of them is changed.
        dropped: The same rule without one of its terms; None where it has one term only.
        first_row: What the first row of the batch adds to the gradients, where the argument that is changed
            is broadcast along `rows` rows; None where it is not.
    """

    framework: str
    function: Function
    args: tuple[Any, ...]
    pull: Pull
    moves: int = 1
    changed: int = 0
    dropped: Pull | None = None
    first_row: Pull | None = None
    rows: int = 1

    def cotangent(self) -> Any:
        """Random numbers in the shape of the function's value, as NumPy's array."""
        value = np.asarray(self.function(*(loaded(self.framework, a) for a in self.wide())))
        return np.random.default_rng(5).normal(size=value.shape)

    def wide(self) -> tuple[Any, ...]:
        """The arguments in float64; integers as they are."""
        return tuple(a if a.dtype.kind in "iu" else a.astype(np.float64) for a in self.args)


Mutant = Callable[[Subject, Any, tuple[Any, ...]], Any]


def of_result(change: Callable[[Any], Any]) -> Mutant:
    """The right gradient, changed afterwards."""
    return lambda s, g, args: change(s.pull(g, *args)[s.changed])


def scaled(factor: float) -> Mutant:
    """Times a number, in the gradient's own dtype."""
    return of_result(lambda found: found * factor)


def part(array: Any, where: Callable[[Any], Any]) -> Any:
    """Zero in a part of it: `where` picks that part of an array of NumPy's."""
    mask = np.ones(tuple(array.shape), np.float32)
    where(mask)[...] = 0
    like = (
        torch.from_numpy(mask).to(array.dtype)
        if isinstance(array, torch.Tensor)
        else mask.astype(array.dtype)
    )
    return array * like


def _rolled(found: Any) -> Any:
    return found[np.array([*range(1, found.shape[0]), 0])]


def _transposed(found: Any) -> Any:
    """Only of a square one: elsewhere the shape gives it away."""
    return found.T if found.ndim == 2 and found.shape[0] == found.shape[1] else found


def _element(array: Any) -> Any:
    return array[tuple(slice(min(1, n - 1), min(1, n - 1) + 1) for n in array.shape)]


def _older(s: Subject, args: tuple[Any, ...]) -> tuple[Any, ...]:
    """What a residual holds that was saved a step of training ago."""
    return tuple(a * (1 - 2.0**-6) if k < s.moves else a for k, a in enumerate(args))


KINDS: dict[str, Mutant] = {
    "sign": of_result(lambda found: -found),
    "zero": of_result(lambda found: found * 0),
    "dropped term": lambda s, g, args: (s.dropped or s.pull)(g, *args)[s.changed],
    "transposed": of_result(_transposed),
    "shifted index": of_result(_rolled),
    "one element": of_result(lambda found: part(found, _element)),
    "one row": of_result(lambda found: part(found, lambda m: m[1:2])),
    "half the batch": of_result(lambda found: part(found, lambda m: m[: len(m) // 2])),
    "wrong axis": of_result(lambda found: found - found.mean(0)),
    "less the row's mean": of_result(lambda found: found - found.mean(-1)[..., None]),
    "summed for the mean": of_result(lambda found: found * found.shape[0]),
    "missing broadcast sum": lambda s, g, args: (s.first_row or s.pull)(g, *args)[s.changed],
    "mean for the broadcast sum": lambda s, g, args: s.pull(g, *args)[s.changed] / s.rows,
    "stale residual": lambda s, g, args: s.pull(g, *_older(s, args))[s.changed],
}


def changed(subject: Subject, mutant: Mutant) -> Pull:
    """The gradients, one of them changed."""

    def pull(g: Any, *args: Any) -> tuple[Any, ...]:
        found = list(subject.pull(g, *args)) if subject.moves > 1 else [None]
        found[subject.changed] = mutant(subject, g, args)
        return tuple(found)

    return pull


def changes(subject: Subject, mutant: Mutant) -> bool:
    """Whether a mutant is one at this point, in float64."""
    with jax.enable_x64(True):
        args = tuple(loaded(subject.framework, a) for a in subject.wide())
        g = loaded(subject.framework, subject.cotangent())
        other = np.asarray(mutant(subject, g, args))
        right = np.asarray(subject.pull(g, *args)[subject.changed])
    return not np.allclose(other, right, rtol=1e-9, atol=1e-12)
