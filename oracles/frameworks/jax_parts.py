"""The parts of a jaxpr: the equations that one place in the caller's code wrote, each part a function."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby, takewhile
from typing import Any

from jax.extend.core import ClosedJaxpr, Literal, jaxpr_as_fun

from oracles.exact.from_jaxpr.lines import is_library
from oracles.frameworks.jax_names import public
from oracles.frameworks.jax_ownership import caller, frames, inside, is_custom, is_librarys


def by_place(equations: Sequence[Any]) -> Iterator[list[Any]]:
    """The equations, those together that one place in the caller's code wrote at once, or one function.

    That is JAX's own, where no code of the caller's calls it: it is what is asked about.
    """
    for (place, name), found in groupby(equations, _writer):
        group = list(found)
        alone = any(not is_librarys(e) or inside(e) is not None or _is_of_rule(e) for e in group)
        if alone or not (place or name):
            yield from ([e] for e in group)
            continue
        if place is None:
            yield group
            continue
        size = _period([e.primitive.name for e in group])  # a loop comes back to its place
        yield from (group[k : k + size] for k in range(0, len(group), size))


def _writer(equation: Any) -> tuple[Any, str]:
    """The place that wrote an equation, or else the function."""
    place = _place(equation)
    return place, "" if place else public(equation)


def _period(names: list[str]) -> int:
    return next(n for n in range(1, len(names) + 1) if names == names[:n] * (len(names) // n))


def _place(equation: Any) -> tuple[Any, int] | None:
    """The instruction of the caller's that wrote an equation; None if JAX does not know it."""
    codes, at = frames(equation)
    own = caller(codes)
    return None if own is None else (codes[own], at[own])


def _within_library(equation: Any) -> list[Any]:
    """The code of JAX's that wrote an equation, up to the first of others."""
    return list(takewhile(lambda code: is_library(code.co_filename), frames(equation)[0]))


def _is_of_rule(equation: Any) -> bool:
    """Whether a custom rule wrote it: JAX says then where that rule's function was called, and not more."""
    files = (os.path.basename(code.co_filename) for code in _within_library(equation))
    return "custom_derivatives.py" in files and not is_custom(equation)


def part_of(jaxpr: Any, equations: Sequence[Any]) -> tuple[list[Any], list[Any], Callable[..., Any]]:
    """What some equations read, what of theirs others read, and the function from the one to the other."""
    written = dict.fromkeys(v for e in equations for v in e.outvars)
    read = (v for e in equations for v in e.invars if not isinstance(v, Literal) and v not in written)
    later = _read_elsewhere(jaxpr, equations)
    ins, outs = list(dict.fromkeys(read)), [v for v in written if v in later]
    names = jaxpr.debug_info.with_unknown_names()
    own = jaxpr.replace(constvars=[], invars=ins, outvars=outs, eqns=list(equations), debug_info=names)
    function: Callable[..., Any] = jaxpr_as_fun(ClosedJaxpr(own, ()))
    return ins, outs, function


def _read_elsewhere(jaxpr: Any, equations: Sequence[Any]) -> set[Any]:
    own = set(map(id, equations))
    elsewhere = {v for e in jaxpr.eqns if id(e) not in own for v in e.invars if not isinstance(v, Literal)}
    return elsewhere | {v for v in jaxpr.outvars if not isinstance(v, Literal)}
