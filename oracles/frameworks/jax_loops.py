"""Loops and branches of a jaxpr, step by step, for who looks into what they run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
from jax.extend.core import ClosedJaxpr, jaxpr_as_fun

LONGEST = 64  # steps that are looked into

Forward = Callable[[ClosedJaxpr, list[Any]], list[Any]]  # runs a jaxpr of slots
Move = Callable[[Callable[..., Any], list[Any]], Any]  # gives the slot of what only moves numbers


def unrolled(equation: Any, given: list[Any], forward: Forward, move: Move) -> list[Any] | None:
    """The results of a loop or a branch; None for another operation, and for a loop that is too long.

    Args:
        equation: The operation.
        given: The slots that it reads, which have a `value` each.
        forward, move: What its parts run with.
    """
    match equation.primitive.name:
        case "cond":
            branches = equation.params["branches"]
            chosen = min(max(int(given[0].value), 0), len(branches) - 1)
            return forward(branches[chosen], given[1:])
        case "scan":
            return _scanned(equation.params, given, forward, move)
        case "while":
            return _repeated(equation.params, given, forward)
    return None


def _scanned(params: dict[str, Any], given: list[Any], forward: Forward, move: Move) -> list[Any] | None:
    length, first, states = params["length"], params["num_consts"], params["num_carry"]
    if not 0 < length <= LONGEST:
        return None
    constants, carry, rows = given[:first], given[first : first + states], given[first + states :]
    written: list[Sequence[Any]] = []
    for k in reversed(range(length)) if params["reverse"] else range(length):
        read = [move(lambda x, k=k: x[k], [x]) for x in rows]
        found = forward(params["jaxpr"], [*constants, *carry, *read])
        carry = found[:states]
        written.append(found[states:])
    written = written[::-1] if params["reverse"] else written
    columns = map(list, zip(*written, strict=True))
    return [*carry, *(move(lambda *parts: jax.numpy.stack(parts), column) for column in columns)]


def _repeated(params: dict[str, Any], given: list[Any], forward: Forward) -> list[Any] | None:
    """A loop that ends by its numbers; it has a derivative in forward mode alone."""
    first, second = params["cond_nconsts"], params["body_nconsts"]
    of_test, of_body, state = given[:first], given[first : first + second], given[first + second :]
    test = jaxpr_as_fun(params["cond_jaxpr"])
    for _ in range(LONGEST):
        (going,) = test(*(slot.value for slot in (*of_test, *state)))
        if jax.numpy.ndim(going):
            return None  # batched: each element stops at its own time
        if not going:
            return state
        state = forward(params["body_jaxpr"], [*of_body, *state])
    return None
