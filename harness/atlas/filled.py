"""Arrays of few numbers run as arrays of many, filled up with their last one: JAX compiles for each size.

It holds for functions of single numbers alone. What is recorded, and its truth, is of the few.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from harness.subject.derivative import Array
from harness.subject.tested import Tested
from oracles.frameworks.framework import Gradient, Subject


def filled(subject: Subject, size: int, room: int) -> Subject:
    """Run at `room` numbers on the last axis; what is fetched are the first `size` of them."""

    def load(array: Array) -> Any:
        last = np.repeat(array[..., -1:], room - size, axis=-1)
        return subject.load(np.concatenate([array, last], axis=-1))

    def cut(array: Array) -> Array:
        return array[..., :size] if array.shape[-1:] == (room,) else array

    def fetch_gradient(found: Any) -> Gradient:
        whole = subject.fetch_gradient(found)
        primal = None if whole.primal is None else tuple(map(cut, whole.primal))
        return replace(whole, arrays=tuple(g if g is None else cut(g) for g in whole.arrays), primal=primal)

    def fetch_value(found: Any) -> Any:
        value = subject.fetch_value(found)
        return tuple(map(cut, value)) if isinstance(value, tuple) else cut(value)

    return replace(subject, load=load, fetch_value=fetch_value, fetch_gradient=fetch_gradient)


@dataclass(frozen=True)
class Filled(Tested):
    """A derivative whose arrays of `size` numbers run as arrays of `room`."""

    size: int = 1
    room: int = 1

    @classmethod
    def of(cls, tested: Tested, size: int, room: int) -> Filled:
        """The same derivative."""
        own = {field.name: getattr(tested, field.name) for field in fields(Tested)}
        return cls(**own, size=size, room=room)

    def subject(self) -> Subject:
        """What runs it."""
        return filled(super().subject(), self.size, self.room)
