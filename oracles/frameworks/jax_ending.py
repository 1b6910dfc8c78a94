"""Whether a derivative runs a compiled loop that ends by what it is contracted with.

A solver in a gradient may wait until its steps are below 1e-6. Along a cotangent a million times as large
rounding never lets it, and what XLA runs nothing can stop. A loop that also counts its turns ends.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
from jax._src.core import jaxprs_in_params  # what an operation runs has no public name
from jax.extend.core import Jaxpr, Literal

from oracles.exact.from_jaxpr.freedom import inside

SAME = {"convert_element_type", "broadcast_in_dim", "reduce_or"}  # of a truth: still that, or that of some


def ends_by(derivative: Callable[..., Any], directions: Sequence[Any], *inputs: Any) -> bool:
    """Whether `derivative(directions, *inputs)` has a loop that ends by its directions alone.

    Raises:
        Exception: What the derivative raises where its directions are traced.
    """
    closed = jax.make_jaxpr(lambda along: derivative(along, *inputs))(tuple(directions))
    _, ends = _followed(closed.jaxpr, [True] * len(closed.jaxpr.invars))
    return ends


def _followed(jaxpr: Jaxpr, given: Sequence[bool]) -> tuple[list[bool], bool]:
    """Which results move with those that are `given`, and whether a loop ends by them alone."""
    moved, ends = _moved(jaxpr, given)
    return _are_in(jaxpr.outvars, moved), ends


def _moved(jaxpr: Jaxpr, given: Sequence[bool]) -> tuple[set[Any], bool]:
    moved, ends = {v for v, moves in zip(jaxpr.invars, given, strict=True) if moves}, False
    for equation in jaxpr.eqns:
        flags = _are_in(equation.invars, moved)
        if any(flags):
            results, own = _through(equation, flags)
            moved.update(v for v, moves in zip(equation.outvars, results, strict=True) if moves)
            ends |= own
    return moved, ends


def _are_in(values: Sequence[Any], moved: set[Any]) -> list[bool]:
    return [not isinstance(v, Literal) and v in moved for v in values]


def _through(equation: Any, flags: list[bool]) -> tuple[list[bool], bool]:
    """The same of one operation."""
    name, params = equation.primitive.name, equation.params
    if name == "while":
        first, second = params["cond_nconsts"], params["cond_nconsts"] + params["body_nconsts"]
        of_test, of_body, state = flags[:first], flags[first:second], flags[second:]
        state, ends = _repeated(params["body_jaxpr"].jaxpr, of_body, state, [])
        test = params["cond_jaxpr"].jaxpr
        moved, _ = _moved(test, [*of_test, *state])
        return state, ends or _goes_on(test, test.outvars[0], moved)
    if name == "scan":
        first, second = params["num_consts"], params["num_consts"] + params["num_carry"]
        return _repeated(params["jaxpr"].jaxpr, flags[:first], flags[first:second], flags[second:])
    everything = [True] * len(equation.outvars)
    if name == "cond":
        each = [_followed(branch.jaxpr, flags[1:]) for branch in params["branches"]]
        some = [any(moves) for moves in zip(*(results for results, _ in each), strict=True)]
        return everything if flags[0] else some, any(ends for _, ends in each)
    calls = [one.jaxpr for one in inside(params)]
    if len(calls) == 1 and len(calls[0].invars) == len(flags):
        return _followed(calls[0], flags)
    # A linear solve, say: whatever of it moves.
    return everything, any(_followed(one, [True] * len(one.invars))[1] for one in jaxprs_in_params(params))


def _repeated(
    body: Jaxpr, constants: list[bool], state: list[bool], rows: list[bool]
) -> tuple[list[bool], bool]:
    """The same of a loop's body, after as many turns as change something."""
    while True:
        results, ends = _followed(body, [*constants, *state, *rows])
        after = [a or b for a, b in zip(state, results[: len(state)], strict=True)]
        if after == state:
            return [*state, *results[len(state) :]], ends
        state = after


def _goes_on(test: Jaxpr, going: Any, moved: set[Any]) -> bool:
    """Whether nothing but what moves ends a loop: of `a and b`, what does not move ends it too."""
    made = {v: e for e in test.eqns for v in e.outvars}
    if going not in moved:
        return False
    equation = made.get(going)
    if equation is None:
        return True
    name = equation.primitive.name
    if name == "and":
        return all(not isinstance(v, Literal) and _goes_on(test, v, moved) for v in equation.invars)
    if name in SAME:
        return _goes_on(test, equation.invars[0], moved)
    calls = [one.jaxpr for one in inside(equation.params)]
    if len(calls) == 1 and len(calls[0].invars) == len(equation.invars):
        within, _ = _moved(calls[0], _are_in(equation.invars, moved))
        return _goes_on(calls[0], calls[0].outvars[equation.outvars.index(going)], within)
    return True
