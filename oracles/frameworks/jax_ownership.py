"""Whose code an equation of a jaxpr runs: JAX's own, or the caller's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from jax.extend.core import ClosedJaxpr

from oracles.exact.from_jaxpr.lines import is_library
from oracles.exact.from_jaxpr.rules import RULES
from oracles.exact.from_jaxpr.shipped import is_rule_shipped
from oracles.exact.from_jaxpr.tracing import user_frame
from oracles.exact.program.registered import definition_of

FOREIGN = frozenset({"pallas_call", "custom_partitioning"})
SOLVE = "custom_linear_solve"  # pulled back by solvers that the caller gives


def is_librarys(equation: Any) -> bool:
    """Whether all that it runs is JAX's code: an operation, or a function of its libraries."""
    inner, name = [*jaxprs(equation), *_solvers(equation)], equation.primitive.name
    known = name in RULES or (inner and name not in FOREIGN)  # another primitive may be anybody's
    if not known or definition_of("jax", name) is not None:
        return False
    return all(map(_is_of_library, inner)) and _has_no_rule_of_others(equation)


def _is_of_library(inner: Any) -> bool:
    """Whether a function is JAX's, and calls none that it was given."""
    jaxpr = getattr(inner, "jaxpr", inner)
    file, _, line = source(inner)[1].rpartition(":")
    return is_library(file) and all(
        _is_in(file, line, e) and _has_no_rule_of_others(e) and all(map(_is_of_library, jaxprs(e)))
        for e in jaxpr.eqns
    )


def _has_no_rule_of_others(equation: Any) -> bool:
    """Whether its rule, if it is a function of JAX's with a rule by hand, is JAX's too."""
    return not is_custom(equation) or is_rule_shipped(equation.params)


def _is_in(file: str, line: str, equation: Any) -> bool:
    """Whether the function that begins at a line wrote an equation, and no code of others within it.

    JAX may know the way to it from where a part of that function was traced, and kept, and no further.
    """
    codes = frames(equation)[0]
    for code in codes:
        if (code.co_filename, str(code.co_firstlineno)) == (file, line) or not is_library(code.co_filename):
            return is_library(code.co_filename)
    return bool(codes)


def _solvers(equation: Any) -> list[Any]:
    """What the caller gives to solve by: both ways are the caller's formula."""
    solvers = equation.params.get("jaxprs", ()) if equation.primitive.name == SOLVE else ()
    return [one for one in solvers if one is not None]


def jaxprs(equation: Any) -> list[Any]:
    """The jaxprs inside of it that run when it does."""
    found = [
        equation.params.get(name) for name in ("jaxpr", "call_jaxpr", "branches", "cond_jaxpr", "body_jaxpr")
    ]
    return [
        one for part in found if part is not None for one in (part if isinstance(part, tuple) else (part,))
    ]


def source(inner: Any) -> tuple[str, str]:
    """The name of the function that a jaxpr is of, and where it begins, as "file.py:12"; "" if unknown."""
    info = getattr(getattr(inner, "jaxpr", inner), "debug_info", None)
    name, _, where = str(getattr(info, "func_src_info", None) or "").partition(" at ")
    return name, where


def frames(equation: Any) -> tuple[list[Any], list[int]]:
    """The code that wrote an equation, the innermost first, and the instruction in each; none if unknown."""
    trace = equation.source_info.traceback
    return trace.raw_frames() if trace else ([], [])


def caller(codes: Sequence[Any]) -> int | None:
    """Which of these is the caller's innermost code; None if nobody knows."""
    return user_frame(code.co_filename for code in codes)


def is_custom(equation: Any) -> bool:
    """Whether it is a function with a rule by hand."""
    return equation.primitive.name in {"custom_vjp_call", "custom_jvp_call"}


def inside(equation: Any) -> ClosedJaxpr | None:
    """What the caller's own function runs that is jitted, or computed again where it is pulled back."""
    if equation.primitive.name not in {"jit", "remat2", "checkpoint"} or is_librarys(equation):
        return None
    found = equation.params["jaxpr"]
    return found if isinstance(found, ClosedJaxpr) else ClosedJaxpr(found, ())


def has_rules(inner: Any) -> bool:
    """Whether the caller may have a part in how some of it is differentiated."""
    jaxpr = getattr(inner, "jaxpr", inner)
    return any(
        e.primitive.name == SOLVE or (not is_librarys(e) and (_is_ruled(e) or any(map(has_rules, jaxprs(e)))))
        for e in jaxpr.eqns
    )


def _is_ruled(equation: Any) -> bool:
    """Whether what is not the library's has a rule of its own: a primitive of the caller's has one too."""
    return is_custom(equation) or equation.primitive.name in FOREIGN or not jaxprs(equation)
