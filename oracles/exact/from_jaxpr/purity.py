"""Whether the derivatives of a traced function are JAX's own, and so functions of its arguments alone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from jax.extend.core import ClosedJaxpr

from oracles.exact.from_jaxpr.rules import RULES
from oracles.exact.from_jaxpr.rules.control import CONTROL
from oracles.exact.from_jaxpr.tracing import is_library

PRIMITIVES = RULES.keys() - CONTROL.keys()
CALLS = {"jit", "pjit", "closed_call", "core_call", "checkpoint", "remat2"}


def is_pure(closed: ClosedJaxpr) -> bool:
    """Whether all in it is JAX's: no rule or callback of the user's, no donated memory, no loop or branch.

    The derivative of such a function keeps nothing, and is linear in the cotangent; in one argument alone it
    is the same. Of loops and branches JAX's derivative depends on which arguments move.
    """
    return not closed.jaxpr.effects and all(map(_is_jax, closed.jaxpr.eqns))


def _is_jax(equation: Any) -> bool:
    name, params = equation.primitive.name, equation.params
    if name in PRIMITIVES:
        return True
    inner = all(map(is_pure, _inside(params)))
    if name in CALLS:
        return inner and not any(params.get("donated_invars", ()))
    return name == "custom_jvp_call" and inner and _is_shipped(params)


def _is_shipped(params: dict[str, Any]) -> bool:
    """Whether a function and its rule both stand in JAX's files, by the names that JAX keeps of them."""
    written = (params["call_jaxpr"].jaxpr, params.get("jvp_jaxpr_fun"))
    about = [getattr(getattr(one, "debug_info", None), "func_src_info", None) or "" for one in written]
    files = [place.partition(" at ")[2] for place in about]
    # A rule of several parts (`defjvps`) is called by one of JAX's, whoever wrote the parts.
    return all(map(is_library, files)) and "custom_derivatives.py" not in files[1]


def _inside(params: dict[str, Any]) -> Iterator[ClosedJaxpr]:
    for inner in (params.get("jaxpr"), params.get("call_jaxpr")):
        if inner is not None:
            yield inner if isinstance(inner, ClosedJaxpr) else ClosedJaxpr(inner, ())
