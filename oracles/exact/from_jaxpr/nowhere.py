"""Results that are NaN because the program says so: there the function has no value and no derivative."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from oracles.exact.enclose.evaluate import evaluate
from oracles.exact.program.complex import vars_of
from oracles.exact.program.errors import ExactError, Undecided
from oracles.exact.program.indices import unraveled
from oracles.exact.program.primitives.arithmetic import constant
from oracles.exact.program.program import Var
from oracles.exact.program.recording import Recorder

BITS = 128


def refuse_nan(recorder: Recorder, outputs: Sequence[Any]) -> None:
    """Look at the results where the program has a NaN, as a read outside an array gives it.

    Raises:
        Undecided: One of them is NaN.
    """
    if not any(map(_is_nan, recorder.equations)):
        return
    for number, output in enumerate(outputs):
        for part in vars_of(output):
            at = _first_nan(recorder, part)
            if at is not None:
                raise Undecided(
                    f"output {number}, element {at}: its value is NaN, read outside an array or written; "
                    "there the function has no derivative"
                )


def _is_nan(equation: Any) -> bool:
    """Whether an equation is a constant with a NaN in it."""
    value = equation.params["value"] if equation.primitive is constant else None
    return value is not None and value.dtype == object and any(b.is_nan() for b in value.ravel().tolist())


def _first_nan(recorder: Recorder, output: Var) -> tuple[int, ...] | None:
    """The first element that is NaN; None where none is, or nothing is known of it."""
    if not output.is_float:
        return None
    try:
        (value,) = evaluate(recorder.program([output]), recorder.values, BITS, at_point=True)
    except ExactError:
        return None
    nan = [b.is_nan() for b in np.ravel(value).tolist()]
    return unraveled(nan.index(True), output.shape) if any(nan) else None
