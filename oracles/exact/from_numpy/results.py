"""The result of a call: NumPy's own with what a rule records, or written into an array given as `out`."""

from __future__ import annotations

from typing import Any

import numpy as np

from oracles.exact.from_numpy.array import TracedArray
from oracles.exact.from_numpy.gather import spread
from oracles.exact.from_numpy.indexing import decided
from oracles.exact.from_numpy.making import lift, wrap
from oracles.exact.from_numpy.nested import swap, values
from oracles.exact.from_numpy.parts import Part
from oracles.exact.from_numpy.tape import Tape, is_written
from oracles.exact.from_numpy.writes import refused
from oracles.exact.program.complex import Complex, choose, each_part
from oracles.exact.program.primitives import select
from oracles.exact.program.program import Var


def apply(tape: Tape, function: Any, rule: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """NumPy's own result for shape, dtype and layout, and the rule's for the record."""
    with np.errstate(all="ignore"):
        value = function(*values(args), **values(kwargs))
    recorded = rule(*swap(args, _recorded), **swap(kwargs, _recorded))
    if isinstance(recorded, Var | Complex):
        return wrap(tape, value, recorded)
    parts = [wrap(tape, v, r) for v, r in zip(value, recorded, strict=True)]
    return type(value)(*parts) if hasattr(value, "_fields") else type(value)(parts)


def _recorded(x: TracedArray) -> Any:
    """What a rule gets: a recorded value, or plain NumPy for exact integers."""
    known = None if x.is_float else x.tape.recorder.known(x.recorded)
    return x.recorded if known is None else known


def store(tape: Tape, out: Any, result: Any, where: Any = True) -> Any:
    """Write a result into the array given as `out`."""
    if not isinstance(out, TracedArray):
        raise refused(out)
    if type(out) is Part:
        out[...] = store(tape, out.copy(), result, where)
        return out
    source = result if isinstance(result, TracedArray) else lift(tape, result, np.asarray(result).dtype)
    if np.broadcast_shapes(out.shape, source.shape) != out.shape:
        raise ValueError(f"non-broadcastable output operand {out.shape} for a result of shape {source.shape}")
    moving = isinstance(where, TracedArray) and tape.recorder.known(where.recorded) is None
    if moving and is_written(out.tokens):
        np.copyto(out.in_numpy, source.in_numpy, "same_kind", where.in_numpy)
        flags = spread(where.recorded, out.shape)
        new = lift(tape, source, out.dtype).recorded
        old, new = out.recorded, each_part(lambda v: tape.recorder.broadcast(v, out.shape), new)
        chosen = choose(flags, new, old) if isinstance(old, Complex) else select(flags, new, old)
        out.tokens[...] = tape.register(chosen, out.in_numpy)
        return out
    where = decided(where)  # also where some of `out` is not written yet
    np.copyto(out.in_numpy, source.in_numpy, "same_kind", where)
    np.copyto(out.tokens, lift(tape, source, out.dtype).tokens, where=where)
    return out
