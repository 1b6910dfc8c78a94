"""Random numbers: a draw is a function of its key, and from a key that is known JAX itself draws.

What it draws is data: bits and keys, and what a function of JAX's own (`jax.random.normal`) makes of them, to
the last bit. Keys are no numbers, so that they pass through a program beside its values.
"""

from __future__ import annotations

from typing import Any

from jax.extend.core import ClosedJaxpr

from oracles.exact.from_jaxpr.keys import is_key
from oracles.exact.from_jaxpr.lines import is_in_library
from oracles.exact.from_jaxpr.rules.control import CONTROL
from oracles.exact.program.errors import Unsupported

_NAMES = "seed wrap unwrap split fold_in clone bits gamma"
DRAWS = frozenset({"threefry2x32", "rng_bit_generator", *(f"random_{name}" for name in _NAMES.split())})
CALLS = frozenset({"jit", "pjit"})


def draws(equation: Any) -> bool:
    """Whether an equation works with keys, and is no call, loop or branch of the user's."""
    name = equation.primitive.name
    if name in DRAWS:
        return True
    if not any(is_key(v.aval) for v in (*equation.invars, *equation.outvars)):
        return False
    return name not in CONTROL or _is_librarys(equation)


def is_followed(equation: Any) -> bool:
    """Whether an equation has parts, which are known where the whole is not."""
    return equation.primitive.name in CONTROL


def unknown(equation: Any) -> Unsupported:
    """Why JAX cannot draw: a number that the draw needs moves with the inputs."""
    name = equation.primitive.name
    if name == "random_gamma":
        return Unsupported(
            "random_gamma: a draw whose parameter moves with the inputs has a derivative by it that is "
            "implicit, and has no rule; only fixed parameters are known"
        )
    return Unsupported(
        f"{name}: the key of random numbers depends on an input that is differentiated; it has to be known"
    )


def _is_librarys(equation: Any) -> bool:
    """Whether an equation calls a function of JAX's own."""
    if equation.primitive.name not in CALLS:
        return False
    inner = equation.params["jaxpr"]
    return is_in_library(inner.jaxpr if isinstance(inner, ClosedJaxpr) else inner)
