"""Pallas kernels that are interpreted (`interpret=True`): what their interpreter makes of them is JAX.

It loops over the grid, slices the blocks, runs the kernel with its references as values, and writes the
blocks back. So a kernel becomes a call of a jaxpr like any other, and its literals find their partners.
"""

from __future__ import annotations

import sys
from functools import partial
from typing import Any

import jax
from jax.extend.core import ClosedJaxpr

KERNEL = "pallas_call"


def with_kernels_read(closed: ClosedJaxpr) -> ClosedJaxpr:
    """The same program, in which each such kernel is a call of what it computes; as it is without any."""
    if "jax.experimental.pallas" not in sys.modules:
        return closed
    jaxpr = _read(closed.jaxpr)
    return closed if jaxpr is closed.jaxpr else ClosedJaxpr(jaxpr, closed.consts)


def _read(jaxpr: Any) -> Any:
    equations = list(map(_equation, jaxpr.eqns))
    same = all(new is old for new, old in zip(equations, jaxpr.eqns, strict=True))
    return jaxpr if same else jaxpr.replace(eqns=equations)


def _equation(equation: Any) -> Any:
    if equation.primitive.name == KERNEL:
        return _kernel(equation)
    params = {name: _parameter(value) for name, value in equation.params.items()}
    same = all(params[name] is value for name, value in equation.params.items())
    return equation if same else equation.replace(params=params)


def _parameter(value: Any) -> Any:
    if isinstance(value, ClosedJaxpr):
        return with_kernels_read(value)
    if type(value) in (tuple, list):
        parts = list(map(_parameter, value))
        same = all(new is old for new, old in zip(parts, value, strict=True))
        return value if same else type(value)(parts)
    return _read(value) if hasattr(value, "eqns") else value


def _kernel(equation: Any) -> Any:
    """What a kernel computes; itself where it is not interpreted, or is not for this interpreter."""
    params = dict(equation.params)
    if params.pop("interpret", None) is not True:
        return equation
    avals = [jax.ShapeDtypeStruct(v.aval.shape, v.aval.dtype) for v in equation.invars]  # type: ignore[no-untyped-call]
    try:
        from jax._src.pallas.hlo_interpreter import pallas_call_hlo_interpret
        from jax.extend.core.primitives import closed_call_p

        closed = jax.make_jaxpr(partial(pallas_call_hlo_interpret, **params))(*avals)
    except Exception:  # semaphores, another version: the kernel has no rule, and is named
        return equation
    return equation.replace(primitive=closed_call_p, params={"call_jaxpr": closed})
