"""What JAX's derivative of a traced function is free to do: little, where all in it is JAX's own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from jax.extend.core import ClosedJaxpr

from oracles.exact.from_jaxpr.draws import DRAWS
from oracles.exact.from_jaxpr.lines import is_in_library
from oracles.exact.from_jaxpr.rules import RULES
from oracles.exact.from_jaxpr.rules.control import CONTROL
from oracles.exact.from_jaxpr.shipped import is_rule_shipped
from oracles.exact.program.recording import FREE, NONE, Freedom

PRIMITIVES = RULES.keys() - CONTROL.keys()
CALLS = {"jit", "pjit", "closed_call", "core_call", "checkpoint", "remat2"}
BRANCHES = {"cond", "while", "scan"}  # JAX takes from them what moves, and differentiates that


def freedom_of(closed: ClosedJaxpr) -> Freedom:
    """What a derivative of this may do beside its formula."""
    if closed.jaxpr.effects:
        return FREE
    return _union(map(_of_equation, closed.jaxpr.eqns))


def _of_equation(equation: Any) -> Freedom:
    name, params = equation.primitive.name, equation.params
    if name in PRIMITIVES or name in DRAWS:
        return NONE
    inner = _union(map(freedom_of, inside(params)))
    if name in CALLS:
        return FREE if any(params.get("donated_invars", ())) else inner
    if name in BRANCHES:
        return Freedom(inner.keeps, chooses=True)
    if name == "custom_jvp_call" and _is_shipped(params):
        return inner
    if name in {"custom_jvp_call", "custom_vjp_call"}:  # what does not move is told as zeros, unless symbolic
        return Freedom(keeps=True, chooses=inner.chooses or params.get("symbolic_zeros", True))
    return FREE


def _union(each: Iterator[Freedom]) -> Freedom:
    found = list(each)
    return Freedom(any(one.keeps for one in found), any(one.chooses for one in found))


def _is_shipped(params: dict[str, Any]) -> bool:
    """Whether a function and its rule both stand in JAX's files, by the names that JAX keeps of them."""
    return is_in_library(params["call_jaxpr"].jaxpr) and is_rule_shipped(params)


def inside(params: dict[str, Any]) -> Iterator[ClosedJaxpr]:
    """The jaxprs that a call, a loop or a branch runs."""
    names = ("jaxpr", "call_jaxpr", "cond_jaxpr", "body_jaxpr", "fun_jaxpr")
    for inner in (*map(params.get, names), *params.get("branches", ())):
        if inner is not None:
            yield inner if isinstance(inner, ClosedJaxpr) else ClosedJaxpr(inner, ())
