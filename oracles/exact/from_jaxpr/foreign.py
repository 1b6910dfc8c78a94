"""Primitives of other libraries: each is what its `impl` computes, where JAX can trace that.

An `impl` of floating numbers that were detached before the call, which a rule of JAX's differentiates all the
same, hides what it is a function of: lineax solves by factors, and differentiates by the matrix.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import jax
from jax.extend.core import ClosedJaxpr
from jax.interpreters import ad

from oracles.exact.from_jaxpr.call import Eqn, Rule
from oracles.exact.from_jaxpr.freedom import inside
from oracles.exact.from_jaxpr.rules.references import traced
from oracles.exact.program.complex import vars_of
from oracles.exact.program.errors import Opaque
from oracles.exact.program.program import Var
from oracles.exact.program.recording import Recorder

INTERNAL = "jax._src."  # where JAX's own are; what it gives to users says that it is of jax.numpy or jax.lax
WITHOUT_A_KEY = "rng_uniform"  # draws others in every run


def is_pure(equation: Any) -> bool:
    """Whether it gives the same in every run, and does nothing else."""
    return bool(equation.invars) and not equation.effects and equation.primitive.name != WITHOUT_A_KEY


def implementation(equation: Any) -> Rule | None:
    """The rule of a primitive by its own `impl`; None of JAX's own, and of what cannot be traced."""
    primitive = equation.primitive
    impl = getattr(primitive.impl, "func", primitive.impl)
    if str(getattr(impl, "__module__", "")).startswith(INTERNAL):
        return None
    coded = partial(primitive.impl, **equation.params)
    avals = [jax.ShapeDtypeStruct(v.aval.shape, v.aval.dtype) for v in equation.invars]  # type: ignore[no-untyped-call]
    try:
        closed = jax.make_jaxpr(coded)(*avals)
    except Exception:  # somebody's code: of NumPy, or compiled
        return None
    return None if _calls(closed, primitive) else partial(_by, primitive, coded)


def _by(primitive: Any, coded: Any, call: Eqn, *operands: Any) -> Sequence[Any]:
    parts = [part for v in operands for part in vars_of(v)]
    ruled = primitive in ad.primitive_jvps and not call.tested
    if ruled and any(_is_detached(call.recorder, v) for v in parts):
        raise Opaque(
            f"JAX's primitive {primitive.name} has a derivative of its own, and gets numbers that are "
            "detached: say what it computes with gradproof.register_rule"
        )
    return traced(call, coded, *operands)


def _is_detached(recorder: Recorder, v: Var) -> bool:
    return v.is_float and not recorder.depends(v) and not recorder.is_fixed(v)


def _calls(closed: ClosedJaxpr, primitive: Any) -> bool:
    """Whether it calls the primitive again."""
    return any(
        e.primitive is primitive or any(_calls(part, primitive) for part in inside(e.params))
        for e in closed.jaxpr.eqns
    )
