"""Whether a rule by hand is JAX's: anybody may give a function of JAX's a rule of his own."""

from __future__ import annotations

import types
from collections.abc import Iterator, Mapping
from typing import Any

from oracles.exact.from_jaxpr.lines import is_library, place_of

RULES = ("jvp_jaxpr_fun", "fwd_jaxpr_thunk", "bwd")
PARTS = "jvps"  # what `defjvps` calls the rules that it is given, one for each argument
CALLS_PARTS = "custom_derivatives.py"  # JAX's, whoever wrote the parts
DEEP = 8  # functions around them


def is_rule_shipped(params: Mapping[str, Any]) -> bool:
    """Whether the rule of a `custom_jvp` or `custom_vjp` stands in JAX's files; False where nobody knows."""
    files = [file for name in RULES if name in params for file in _files(params[name])]
    return bool(files) and all(map(is_library, files))


def _files(rule: Any) -> Iterator[str]:
    """Where a rule, or each of its parts, stands."""
    place = place_of(rule)
    if CALLS_PARTS not in place:
        yield place
        return
    for part in _parts(rule, DEEP):
        yield part.__code__.co_filename if isinstance(part, types.FunctionType) else ""


def _parts(rule: Any, deep: int) -> Iterator[Any]:
    """The parts of a rule by `defjvps`, which JAX keeps in closures."""
    function = getattr(rule, "f", rule)
    if not isinstance(function, types.FunctionType) or not deep:
        return
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        try:
            held = cell.cell_contents
        except ValueError:  # empty
            continue
        if name == PARTS:
            yield from (part for part in held if part is not None)
        else:
            yield from _parts(held, deep - 1)
