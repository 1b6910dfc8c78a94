"""The function of JAX's that equations are of, and the line in the caller's code that calls it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import jax

from oracles.exact.program.program import Line
from oracles.frameworks.jax_ownership import caller, frames, jaxprs, source

PUBLIC = {"nn": "jax.nn", "numpy": "jnp", "scipy": "jax.scipy", "lax": "jax.lax", "ops": "jax.ops"}


def named(equations: Sequence[Any]) -> tuple[str, Line | None]:
    """The function that the caller called, and the caller's line."""
    wrote = equations[0]
    codes, at = frames(wrote)
    own = caller(codes)
    place = None
    if own is not None:
        line = wrote.source_info.traceback.code_addr2line(codes[own], at[own])
        place = Line(codes[own].co_filename, line)
    return public(wrote) or f"lax.{equations[-1].primitive.name}", place


def public(equation: Any) -> str:
    """The outermost public function of JAX that wrote an equation, as far as it is known; "" if none did."""
    codes = frames(equation)[0]
    inner = codes[: caller(codes)]
    inside = jaxprs(equation)
    called, file = source(inside[0]) if inside else ("", "")
    for name, home in [*((c.co_name, c.co_filename) for c in reversed(inner)), (called, file)]:
        module = _module(home)
        if module and _is_public(module, name):
            return f"{module}.{name}"
    return ""


def _module(file: str) -> str:
    """The public module of one of JAX's files; "" if it has none."""
    home = file.rpartition(":")[0] or file
    part = home.partition("/jax/_src/")[2].partition("/")[0].removesuffix(".py")
    module = PUBLIC.get(part, "")
    return f"{module}.{os.path.basename(home).removesuffix('.py')}" if module == "jax.scipy" else module


def _is_public(module: str, name: str) -> bool:
    found: Any = jax
    with suppress(AttributeError):
        for part in {"jnp": "numpy"}.get(module, module.removeprefix("jax.")).split("."):
            found = getattr(found, part)
        return callable(getattr(found, name))
    return False
