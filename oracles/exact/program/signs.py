"""The sign of a zero, which exact numbers do not have: known of what is given, written or moved."""

from __future__ import annotations

import numpy as np

from oracles.exact.program.primitives import compare
from oracles.exact.program.primitives.arithmetic import constant, convert_, detach_, neg, no_grad_
from oracles.exact.program.primitives.arrays import broadcast_, concatenate_, permute_, reshape_, take_
from oracles.exact.program.primitives.choices import abs_, signed_
from oracles.exact.program.program import Array, Var

_MOVES = (broadcast_, reshape_, permute_, take_)


def negative(x: Var, minus: Array | None = None) -> Var:
    """Whether x is below 0 or is -0.0, as `signbit` says; undecided at a zero whose sign is not known.

    `minus`: where a zero in it would be -0.0, if that is known of what it was made of.
    """
    minus = minus_zeros(x) if minus is None else np.broadcast_to(minus, x.shape)
    if minus is None:
        return compare("lt", x.builder.emit(signed_, (x,), x.shape, x.dtype), 0.0)
    below = compare("lt", x, 0.0)
    if not minus.any():
        return below
    not_above = x.builder.elementwise("and", compare("le", x, 0.0), x.builder.constant(minus), dtype="bool")
    return x.builder.elementwise("or", below, not_above, dtype="bool")


def minus_zeros(x: Var) -> Array | None:
    """Where a zero in x would be -0.0; None if that is not known."""
    equation = x.builder.definitions.get(x)
    if equation is None:
        given = x.builder.given(x)
        return None if given is None else np.signbit(given.astype(np.float64))
    primitive, operands = equation.primitive, equation.operands
    if primitive is constant:
        value = equation.params["value"]
        return np.signbit(value) if value.dtype.kind == "f" else np.zeros(x.shape, bool)
    if primitive is abs_ or (primitive is convert_ and not operands[0].is_float):
        return np.zeros(x.shape, bool)
    if primitive is concatenate_:
        parts = [minus_zeros(v) for v in operands]
        known = [p for p in parts if p is not None]
        return np.concatenate(known, equation.params["axis"]) if len(known) == len(parts) else None
    if primitive not in (detach_, no_grad_, convert_, neg, *_MOVES):
        return None
    inner, places = minus_zeros(operands[0]), [x.builder.known(v) for v in operands[1:]]
    if inner is None or any(p is None for p in places):
        return None
    if primitive in _MOVES:
        return np.asarray(primitive.evaluate(inner, *places, **equation.params))
    return ~inner if primitive is neg else inner
