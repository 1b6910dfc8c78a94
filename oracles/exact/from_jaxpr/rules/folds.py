"""JAX's reductions by a function of two numbers: `lax.reduce`, and windows of it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np
from jax.extend.core import ClosedJaxpr, jaxpr_as_fun

from oracles.exact.enclose.evaluate import evaluate
from oracles.exact.from_jaxpr.call import Eqn, Rule
from oracles.exact.from_jaxpr.rules.windows import positions_of
from oracles.exact.from_jaxpr.tracing import x64_for
from oracles.exact.program.complex import Complex, each_part, vars_of
from oracles.exact.program.errors import ExactError, Unsupported
from oracles.exact.program.primitives.arrays import concatenate, constant_value, index, reshape, take
from oracles.exact.program.program import Var
from oracles.exact.program.recording import Recorder

LONGEST = 10_000  # numbers that are combined
BITS = 256
PROBES = (0.7310585786300049, -1.6180339887498949, 11.25)  # at which the initial value is tried


def _reduce(call: Eqn, *operands: Any) -> Sequence[Any]:
    """Combined one after another, from the initial values on; XLA may take any order."""
    half = len(operands) // 2
    arrays, initial, axes = operands[:half], operands[half:], call.params["dimensions"]
    shape = arrays[0].shape
    rest, length = [a for a in range(len(shape)) if a not in axes], math.prod(shape[a] for a in axes)

    def rows(x: Var) -> Var:
        moved = index(x, lambda p: np.transpose(p, [*rest, *axes]))
        return reshape(moved, (*(shape[a] for a in rest), length))

    return _folded(call, [each_part(rows, x) for x in arrays], initial)


def _reduce_window(call: Eqn, *operands: Any) -> Sequence[Any]:
    """The same in each window; what lies in the padding is the initial value."""
    half = len(operands) // 2
    arrays, initial = operands[:half], operands[half:]
    at = positions_of(call, arrays[0])
    at = at.reshape(*at.shape[: arrays[0].ndim], -1)

    def rows(x: Var, first: Var) -> Var:
        both = concatenate([reshape(x, (x.size,)), reshape(first, (1,))], 0)
        return take(both, np.where(at < 0, x.size, at))

    return _folded(call, [each_part(rows, x, v) for x, v in zip(arrays, initial, strict=True)], initial)


def _folded(call: Eqn, rows: Sequence[Any], initial: Sequence[Any]) -> Sequence[Any]:
    """The function of the parameters along the last axis of each array."""
    inner = call.params["jaxpr"]
    closed = inner if isinstance(inner, ClosedJaxpr) else ClosedJaxpr(inner, call.params.get("consts", ()))
    shape, length = rows[0].shape[:-1], rows[0].shape[-1]
    state = [each_part(lambda v: call.recorder.broadcast(v, shape), v) for v in initial]
    if length > LONGEST:
        raise Unsupported(f"a reduction of more than {LONGEST} steps")
    if not _is_free(call, closed, initial):
        raise Unsupported(
            "lax.reduce and reduce_window may use their initial value more than once, which would make a "
            "difference here; let it be one that changes nothing, as 0 in a sum"
        )
    combine: Any = jaxpr_as_fun(closed)
    for _ in shape:
        combine = jax.vmap(combine)
    avals = [jax.core.ShapedArray(shape, np.dtype(v.dtype)) for v in (*state, *rows)]
    with x64_for(any(v.dtype in {"float64", "complex128"} for v in state)):
        spread = jax.make_jaxpr(combine)(*avals)
    columns = [[each_part(_column(k), x) for x in rows] for k in range(length)]
    for column in columns:
        state = call.interpret(call.recorder, spread, [*state, *column])
    return state


def _column(k: int) -> Callable[[Var], Var]:
    return lambda v: v[..., k]


def _is_free(call: Eqn, closed: ClosedJaxpr, initial: Sequence[Any]) -> bool:
    """Whether it makes no difference how often the initial values are used, at some numbers."""
    known = [[constant_value(part) for part in vars_of(v)] for v in initial]
    if any(number is None for parts in known for number in parts):
        return False
    return all(_is_free_at(call, closed, initial, known, probe) for probe in PROBES)


def _is_free_at(call: Eqn, closed: ClosedJaxpr, initial: Sequence[Any], known: Any, probe: float) -> bool:
    recorder = Recorder()

    def number(value: Any, like: Var) -> Var:
        return recorder.constant(np.asarray(value).reshape(()), like.dtype)

    def other(like: Var) -> Var:
        return number(probe if like.is_float else like.dtype == "bool", like)

    first = [
        Complex(*map(number, parts, vars_of(v))) if isinstance(v, Complex) else number(parts[0], v)
        for parts, v in zip(known, initial, strict=True)
    ]
    try:
        once = call.interpret(recorder, closed, [*first, *(each_part(other, v) for v in initial)])
        twice = call.interpret(recorder, closed, [*first, *once])
        flat = [[part for v in found for part in vars_of(v) if part.is_float] for found in (once, twice)]
        gaps = [a - b for a, b in zip(*flat, strict=True)]
        found = evaluate(recorder.program(gaps), recorder.values, BITS)
    except ExactError:
        return False
    return all(
        b.contains(0) and b.rad() < 2.0 ** (-BITS // 2) for gap in found for b in np.ravel(gap).tolist()
    )


FOLDS: dict[str, Rule] = {"reduce": _reduce, "reduce_window": _reduce_window}
