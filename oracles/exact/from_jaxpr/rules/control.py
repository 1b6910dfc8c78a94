"""JAX's primitives that contain jaxprs: calls, branches, loops, linear solves.

Calls are followed, loops unrolled; a branch or the end of a loop is decided by balls, with a guard.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import jax
import numpy as np
from jax._src.lax import lax  # what a ragged product means has no public name
from jax.extend.core import ClosedJaxpr

from oracles.exact.from_jaxpr.call import Eqn, Rule, constant_of_any
from oracles.exact.from_jaxpr.keys import Key, aval_of
from oracles.exact.from_jaxpr.rules.callbacks import CALLBACKS
from oracles.exact.from_jaxpr.rules.folds import FOLDS
from oracles.exact.from_jaxpr.rules.references import REFERENCES, traced
from oracles.exact.from_jaxpr.rules.solves import linear_solve
from oracles.exact.from_jaxpr.rules.sparse import SPARSE
from oracles.exact.from_jaxpr.tracing import WIDE, x64_for
from oracles.exact.program.complex import Complex, each_part
from oracles.exact.program.errors import Unsupported
from oracles.exact.program.primitives import select
from oracles.exact.program.primitives.arrays import concatenate, reshape
from oracles.exact.program.program import Array, Var

LONGEST = 100_000  # steps of a loop


def _inline(name: str) -> Rule:
    def rule(call: Eqn, *operands: Var) -> Sequence[Var]:
        inner = call.params[name]
        closed = inner if isinstance(inner, ClosedJaxpr) else ClosedJaxpr(inner, ())
        return call.interpret(call.recorder, closed, operands)

    return rule


def _expanded(call: Eqn, *operands: Var) -> Sequence[Var]:
    """An operation with rules of its own (`custom_root`, since JAX 0.12): what it says that it computes."""
    primitive = call.params["_prim"]
    given = list(map(aval_of, operands))
    with x64_for(any(v.dtype in WIDE for v in operands)):
        closed = jax.make_jaxpr(lambda *flat: primitive.expand(*jax.tree.unflatten(primitive.in_tree, flat)))(
            *given
        )
    return call.interpret(call.recorder, closed, operands)


def _cond(call: Eqn, which: Var, *operands: Var) -> Sequence[Var]:
    branches = call.params["branches"]
    chosen = int(np.clip(int(call.recorder.decide(which)), 0, len(branches) - 1))
    return call.interpret(call.recorder, branches[chosen], operands)


def _while(call: Eqn, *operands: Var) -> Sequence[Var]:
    """Step by step; a test of several elements stops each of them at its own time."""
    recorder, p = call.recorder, call.params
    first, second = p["cond_nconsts"], p["body_nconsts"]
    of_test, of_body = list(operands[:first]), list(operands[first : first + second])
    state = list(operands[first + second :])
    for _ in range(LONGEST):
        (test,) = call.interpret(recorder, p["cond_jaxpr"], of_test + state)
        going = recorder.decide(test)
        if not going.any():
            return state
        new = call.interpret(recorder, p["body_jaxpr"], of_body + state)
        state = new if going.all() else [_where(going, x, y) for x, y in zip(new, state, strict=True)]
    raise Unsupported(f"a loop of more than {LONGEST} steps")


def _where(leading: Array, x: Any, y: Any) -> Any:
    """x or y by a mask over the leading axes."""
    return each_part(partial(_where_real, leading), x, y)


def _where_real(leading: Array, x: Any, y: Any) -> Any:
    mask = np.broadcast_to(leading.reshape(leading.shape + (1,) * (len(x.shape) - leading.ndim)), x.shape)
    if isinstance(x, Key):
        return Key(jax.numpy.where(mask, x.value, y.value))
    return select(x.builder.constant(mask.copy()), x, y)


def _lengths(params: dict[str, Any]) -> tuple[int, int]:
    """How many operands of a scan stay as they are, and how many are carried from step to step."""
    if "ft_in" not in params:
        return params["num_consts"], params["num_carry"]
    constants, carried, _ = params["ft_in"].unpack()  # as JAX has it since 0.12
    return len(constants), len(carried)


def _scan(call: Eqn, *operands: Var) -> Sequence[Var]:
    """The body for each slice along the first axis."""
    p, recorder = call.params, call.recorder
    if p["length"] > LONGEST:
        raise Unsupported(f"a loop of more than {LONGEST} steps")
    constants, carried = _lengths(p)
    fixed, rest = operands[:constants], operands[constants:]
    state, sequences = list(rest[:carried]), rest[carried:]
    slices: list[list[Var]] = [[] for _ in range(p["length"])]
    for x in sequences:
        for row, part in zip(slices, _rows(x), strict=True):
            row.append(part)
    found = []
    for row in reversed(slices) if p["reverse"] else slices:
        out = call.interpret(recorder, p["jaxpr"], [*fixed, *state, *row])
        state = out[:carried]
        found.append(out[carried:])
    if p["reverse"]:
        found.reverse()
    if not found:
        avals = [v.aval for v in call.outvars[carried:]]
        return [*state, *(constant_of_any(recorder, np.zeros(a.shape), str(a.dtype)) for a in avals)]
    return [*state, *(each_part(_stacked, *ys) for ys in zip(*found, strict=True))]


def _stacked(*rows: Any) -> Any:
    if isinstance(rows[0], Key):
        return Key(jax.numpy.stack([y.value for y in rows]))
    return concatenate([reshape(y, (1, *y.shape)) for y in rows], 0)


def _rows(x: Any) -> list[Any]:
    """The slices along the first axis, by halves, so that the transpose adds up small arrays."""
    if isinstance(x, Complex):
        return [Complex(*both) for both in zip(_rows(x.re), _rows(x.im), strict=True)]
    if isinstance(x, Key):
        return list(map(Key, x.value))
    n = x.shape[0]
    if n <= 1:
        return [reshape(x, x.shape[1:])] if n else []
    return _rows(x[: n // 2]) + _rows(x[n // 2 :])


def _ragged_dot(call: Eqn, *operands: Var) -> Sequence[Var]:
    """JAX's own definition, by masks."""
    return traced(call, partial(lax._ragged_dot_general_impl, **call.params), *operands)


CONTROL: dict[str, Rule] = {
    **dict.fromkeys(("jit", "pjit", "checkpoint", "remat2"), _inline("jaxpr")),
    **dict.fromkeys(
        ("closed_call", "core_call", "custom_jvp_call", "custom_vjp_call", "eval_jaxpr"),
        _inline("call_jaxpr"),
    ),
    "custom_vjp_call_jaxpr": _inline("fun_jaxpr"),
    "custom_vmap_call": _inline("call"),  # which `vmap` would have replaced by its rule
    "call_hi_primitive": _expanded,
    "cond": _cond,
    "while": _while,
    "scan": _scan,
    "custom_linear_solve": linear_solve,
    "ragged_dot_general": _ragged_dot,
    **dict.fromkeys(("optimization_barrier", "device_put"), lambda call, *xs: xs),
    **dict.fromkeys(("debug_callback", "debug_print"), lambda call, *xs: ()),
    **FOLDS,
    **REFERENCES,
    **CALLBACKS,
    **SPARSE,
}
