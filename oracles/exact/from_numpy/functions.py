"""How a call of a NumPy function on traced arrays is answered.

In this order: what only asks about shapes and dtypes is NumPy's own; what moves, writes or allocates elements
is NumPy's own on tokens; what has only exact integers is NumPy's own on their values; the rest has a rule in
RULES, the tables in `rules/`, or is unsupported.
"""

from __future__ import annotations

import functools
import inspect
from typing import Any

import numpy as np

from oracles.exact.from_numpy import memory
from oracles.exact.from_numpy.array import TracedArray, any_moving, first_tape, lift, swap, values, wrap
from oracles.exact.from_numpy.indexing import decided
from oracles.exact.from_numpy.proxy import allocators
from oracles.exact.from_numpy.rules.special import SPECIAL
from oracles.exact.from_numpy.tables import RULES
from oracles.exact.from_numpy.tape import Tape, line, spread, unsupported, words
from oracles.exact.program.primitives.choices import select
from oracles.exact.program.program import Var
from oracles.exact.program.registered import definition_of

ASKS = frozenset(
    words(
        "shape ndim size result_type can_cast iscomplexobj isrealobj iscomplex isreal may_share_memory "
        "shares_memory common_type min_scalar_type array_repr array_str array2string einsum_path "
        "diag_indices_from tril_indices_from triu_indices_from"
    )
)
ALLOCATES = frozenset(words("zeros_like ones_like empty_like full_like zeros ones empty full"))


def dispatch(function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """The answer to function(*args, **kwargs), some of which are traced."""
    name = f"{function.__module__}.{function.__name__}".removeprefix("numpy.")
    if name in ASKS:
        return function(*values(args), **values(kwargs))
    tape = first_tape((args, kwargs))
    tape.recorder.calls(name, line())
    bound = _signature(function).bind(*args, **kwargs)
    out = bound.arguments.pop("out", None)
    result = _answer(tape, name, function, bound.args, bound.kwargs)
    return result if out is None else store(tape, out, result)


@functools.cache
def _signature(function: Any) -> inspect.Signature:
    return inspect.signature(function)


def _answer(tape: Tape, name: str, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    if name in memory.WRITES:
        return memory.write(tape, function, memory.WRITES[name], args, kwargs)
    if name in ALLOCATES:
        return allocators(tape)[name](*args, **kwargs)
    if name in SPECIAL:
        special = SPECIAL[name](tape, *args, **kwargs)
        if special is not NotImplemented:
            return special
    if name in memory.MOVES:
        return memory.move(tape, function, memory.MOVES[name], args, kwargs)
    if not any_moving(tape, (args, kwargs)):
        with np.errstate(all="ignore"):
            return function(*decided(args), **{k: decided(v) for k, v in kwargs.items()})
    if name not in RULES:
        own = definition_of("numpy", function)
        if own is None:
            raise no_rule(f"np.{name}")
        return own(*args, **kwargs)
    return apply(tape, function, RULES[name], args, kwargs)


def apply(tape: Tape, function: Any, rule: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """NumPy's own result for shape, dtype and layout, and the rule's for the record."""
    with np.errstate(all="ignore"):
        value = function(*values(args), **values(kwargs))
    recorded = rule(*swap(args, _recorded), **swap(kwargs, _recorded))
    if isinstance(recorded, Var):
        return wrap(tape, value, recorded)
    parts = [wrap(tape, v, r) for v, r in zip(value, recorded, strict=True)]
    return type(value)(*parts) if hasattr(value, "_fields") else type(value)(parts)


def store(tape: Tape, out: Any, result: Any, where: Any = True) -> Any:
    """Write a result into the array given as `out`."""
    if not isinstance(out, TracedArray):
        raise unsupported(f"traced elements would be written into a plain array; {memory.MAKE_INSIDE}")
    source = result if isinstance(result, TracedArray) else lift(tape, result, np.asarray(result).dtype)
    if np.broadcast_shapes(out.shape, source.shape) != out.shape:
        raise ValueError(f"non-broadcastable output operand {out.shape} for a result of shape {source.shape}")
    if isinstance(where, TracedArray) and tape.recorder.known(where.recorded) is None:
        np.copyto(out.value, source.value, "same_kind", where.value)
        flags = spread(where.recorded, out.shape)
        old, new = out.recorded, tape.recorder.broadcast(lift(tape, source, out.dtype).recorded, out.shape)
        out.tokens[...] = tape.register(select(flags, new, old), out.value)
        return out
    where = decided(where)
    np.copyto(out.value, source.value, "same_kind", where)
    np.copyto(out.tokens, lift(tape, source, out.dtype).tokens, where=where)
    return out


def no_rule(name: str) -> Exception:
    """What an operation without a rule raises."""
    return unsupported(
        f"{name} has no rule; define it with harness.register_rule (to add it to gradproof: one entry in "
        "oracles/exact/from_numpy/rules, composed from program/functions.py and the primitives)"
    )


def _recorded(x: TracedArray) -> Any:
    """What a rule gets: a recorded value, or plain NumPy for exact integers."""
    known = None if x.is_float else x.tape.recorder.known(x.recorded)
    return x.recorded if known is None else known
