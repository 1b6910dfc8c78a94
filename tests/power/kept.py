"""The truth of a function whose gradient is changed again and again: proven once.

A mutant has the forward of the right one, so its truth is the same balls. What `check_gradient` records is
compared each time, equation by equation and number by number: another forward has a truth of its own.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import numpy as np
from flint import arb

from harness.proof import truth
from harness.proof.truth import Truth
from oracles.exact.program.program import Program
from oracles.exact.program.recording import Recording


@contextmanager
def keeping_truths() -> Iterator[dict[Hashable, Truth]]:
    """Inside, what is asked again of the same program at the same numbers is not proven again."""
    kept: dict[Hashable, Truth] = {}
    proven = truth.true_gradient

    def once(recording: Recording, cotangents: Sequence[Any], *rest: Any) -> Truth:
        numbers = (*recording.values, *cotangents)
        *plain, _again = rest  # what records the same function at other numbers
        asked = (content(recording.program), *map(_plain, numbers), *map(_plain, plain))
        if asked not in kept:
            kept[asked] = proven(recording, cotangents, *rest)
        return kept[asked]

    with patch.object(truth, "true_gradient", once):
        yield kept


def content(program: Program) -> Hashable:
    """What a program computes: two of the same content are the same but for the names of their values."""
    order = {v: k for k, v in enumerate(program.inputs)}
    equations = []
    for equation in program.equations:
        operands = tuple(order[v] for v in equation.operands)
        order[equation.output] = len(order)
        params = tuple((name, _plain(value)) for name, value in sorted(equation.params.items()))
        equations.append((equation.primitive, operands, params, equation.output.shape, equation.output.dtype))
    inputs = tuple((v.shape, v.dtype) for v in program.inputs)
    guards = tuple((order[v], _plain(value)) for v, value in program.guards)
    return inputs, tuple(equations), tuple(order[v] for v in program.outputs), guards


def _plain(value: Any) -> Hashable:
    """A value by its content and its type: 1, 1.0 and True are three, 0.0 and -0.0 two."""
    if isinstance(value, np.ndarray):
        balls = value.dtype == object
        numbers = _plain(value.ravel().tolist()) if balls else value.tobytes()
        return value.dtype.str, value.shape, numbers
    if isinstance(value, arb):
        parts = (value.mid(), value.rad())
        return tuple(int(n) for p in parts for n in p.man_exp()) if value.is_finite() else str(value)
    if isinstance(value, list | tuple):
        return tuple(map(_plain, value))
    return type(value), value.hex() if isinstance(value, float) else value
