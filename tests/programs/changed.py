"""Mistakes in a gradient whose forward stays: those that a check must find."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from tests.programs.program import Program, Step

Changed = tuple[str, Program]
# The identity with a wrong pullback, from the cotangent g.
JAX = """@jax.custom_vjp
def mistake(u):
    return u


mistake.defvjp(lambda u: (u, None), lambda _, g: (CHANGE,))"""
TORCH = """class mistake(torch.autograd.Function):
    @staticmethod
    def forward(ctx, u):
        return u.clone()

    @staticmethod
    def backward(ctx, g):
        return CHANGE"""
CALLS = {"jax": "{out} = mistake({0})", "torch": "{out} = mistake.apply({0})"}
TEMPLATES = {"jax": JAX, "torch": TORCH}
CHANGES = {
    "sign": {"jax": "-g", "torch": "-g"},
    "factor": {"jax": "g * FACTOR", "torch": "g * FACTOR"},
    "shifted index": {"jax": "jnp.roll(g, 1)", "torch": "torch.roll(g.flatten(), 1).view(g.shape)"},
    "one element": {"jax": "g.ravel().at[0].set(0).reshape(g.shape)",
                    "torch": "torch.cat([0 * g.flatten()[:1], g.flatten()[1:]]).view(g.shape)"},
}  # fmt: skip
FINE = {
    "float64": 10,
    "float32": 10,
    "float16": 6,
    "bfloat16": 6,
}  # a factor 1 + 2^-k is a number of the dtype


def mistaken(program: Program, framework: str, dtype: str, rng: random.Random) -> Changed | None:
    """The program with a mistake: in one of its own rules, or in an identity somewhere; None if it has no place.

    What writes in place cares whose memory a value is, so no identity comes between.
    """
    program = program.needed()
    rules = [k for k, s in enumerate(program.steps) if s.wrong]
    if rules and rng.randrange(2):
        return "dropped term", replace(program, mistaken=rng.choice(rules))
    if any(s.writes for s in program.steps):
        return None
    names = sorted({*program.results, *(name for s in program.steps for name in s.operands)})
    name, kind = rng.choice(names), rng.choice(list(CHANGES))
    change = CHANGES[kind][framework].replace("FACTOR", repr(1 + 2.0 ** -FINE[dtype]))
    text = TEMPLATES[framework].replace("CHANGE", change)
    step = Step(f"mistake: {kind}", (name,), name, {**CALLS, "exact": "", "numpy": ""}, {framework: text}, {})
    at = 1 + max((k for k, s in enumerate(program.steps) if s.result == name), default=-1)
    steps = (*program.steps[:at], step, *program.steps[at:])
    return kind, replace(program, steps=steps)


def jacobian_vjp(columns: list[list[Any]], dtypes: list[Any]) -> Callable[..., tuple[Any, ...]]:
    """A gradient by hand: the cotangents times a Jacobian, which is written down.

    Args:
        columns: For each argument, for each result, the derivatives: an array of the result's shape and then the
            argument's.
        dtypes: Of the arguments.
    """

    def vjp(g: Any, *_: Any) -> tuple[Any, ...]:
        cotangents = g if isinstance(g, tuple) else (g,)
        return tuple(
            sum(
                (np.tensordot(c.astype(np.float64), j, c.ndim) for c, j in zip(cotangents, own, strict=True)),
                np.zeros(own[0].shape[cotangents[0].ndim :]),
            ).astype(dtype)
            for own, dtype in zip(columns, dtypes, strict=True)
        )

    return vjp


def changed_columns(columns: list[list[Any]], rng: random.Random) -> tuple[str, list[list[Any]]]:
    """The same Jacobian with a mistake."""
    kind = rng.choice(list(CHANGES))
    found = [[j.copy() for j in own] for own in columns]
    own = rng.choice(found)
    for j in own:
        flat = j.reshape(-1)
        if kind == "sign":
            j *= -1
        elif kind == "factor":
            j *= 1 + 2.0**-10
        elif kind == "shifted index":
            flat[:] = np.roll(flat, 1)
        elif flat.size:
            flat[np.argmax(np.abs(flat))] = 0
    return kind, found
