"""Which arguments are differentiated: those that `argnums` names, or all that can be."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from harness.subject.objects import instead_of
from oracles.exact.program.complex import REAL
from oracles.exact.program.program import FLOATS
from oracles.exact.program.trees import dtype_of, is_floating
from oracles.exact.program.words import many, shown


def is_moving(leaf: Any) -> bool:
    """Whether a leaf is an array that can be differentiated: of real or of complex floating numbers."""
    return is_floating(leaf) or dtype_of(leaf).startswith("complex")


def chosen_arguments(leaves: Sequence[Sequence[Any]], argnums: int | Sequence[int] | None) -> list[int]:
    """The differentiated arguments: those with floating arrays; Python numbers only if nothing else is.

    Raises:
        ValueError: There is none, or `argnums` names something else.
    """
    floating = [k for k, own in enumerate(leaves) if any(map(is_moving, own))]
    numbers = [k for k, own in enumerate(leaves) if any(type(leaf) is float for leaf in own)]
    known = ", ".join([*sorted(FLOATS), *REAL])
    strange = {k: told for k, own in enumerate(leaves) for leaf in own if (told := _unjudged(leaf))}
    if not floating and not numbers:
        if strange:
            ((place, (dtype, near)), *_) = strange.items()
            raise ValueError(
                f"an argument must be an array of {known}, got {dtype}: pass argument {place} as "
                f'x.astype("{near}")'
            )
        kinds = ", ".join(dtype_or_type(x) for own in leaves for x in own) or "none"
        advice = next(filter(None, (instead_of(x, "x") for own in leaves for x in own)), _floating(leaves))
        raise ValueError(
            f"an argument must be an array of {known}, got {kinds}{': ' if advice else ''}{advice}"
        )
    if argnums is None:
        for place, (dtype, near) in strange.items():
            raise ValueError(
                f"argument {place} must be an array of {known}, got {dtype}: pass "
                f'x.astype("{near}"), or name the arguments to differentiate with argnums='
            )
        return floating or numbers
    one = isinstance(argnums, int | np.integer)
    if not one and not isinstance(argnums, list | tuple | range | np.ndarray):
        raise ValueError(f"argnums must be numbers of arguments, from 0, got {shown(argnums)}")
    asked = [argnums] if one else list(argnums)  # type: ignore[arg-type]
    if not asked:
        raise ValueError("argnums must name an argument, got none: leave it out for all floating ones")
    allowed = ", ".join(map(str, sorted({*floating, *numbers})))
    chosen = []
    for k in asked:
        if isinstance(k, bool) or not isinstance(k, int | np.integer):
            raise ValueError(f"argnums must be numbers of arguments, from 0, got {k!r}")
        at = int(k) + len(leaves) if k < 0 else int(k)
        if at not in floating and at not in numbers:
            raise ValueError(
                f"argnums must be among the floating arguments, {allowed}, got {k}{_what(leaves, at)}"
            )
        if at in chosen:
            raise ValueError(f"argnums must name each argument once, got {k} twice")
        chosen.append(at)
    return chosen


def _floating(leaves: Sequence[Sequence[Any]]) -> str:
    """What to pass for the first argument of whole numbers, or ""."""
    for k, own in enumerate(leaves):
        if len(own) == 1 and type(own[0]) is int:
            return f"pass argument {k} as {float(own[0])}"
        if len(own) == 1 and dtype_of(own[0]).startswith(("int", "uint")):
            how = ".double()" if type(own[0]).__module__ == "torch" else ".astype(float)"
            return f"pass argument {k} as x{how}"
    return ""


def _unjudged(leaf: Any) -> tuple[str, str] | None:
    """The dtype of NumPy's floating numbers that are wide, or in the other byte order, and which to take."""
    if not isinstance(leaf, np.ndarray | np.generic) or leaf.dtype.kind not in "fc" or is_moving(leaf):
        return None
    near = leaf.dtype.newbyteorder("=").name
    return str(leaf.dtype), near if near in {*FLOATS, *REAL} else "float64"


def _what(leaves: Sequence[Sequence[Any]], k: int) -> str:
    if not isinstance(k, int) or not 0 <= k < len(leaves):
        return f", and the function has {many(len(leaves), 'argument')}"
    kinds = set(map(dtype_or_type, leaves[k]))
    return f", which holds {', '.join(sorted(kinds)) or 'nothing'}"


def dtype_or_type(leaf: Any) -> str:
    """The dtype of an array, or the type of what is none, as messages say it."""
    if hasattr(leaf, "dtype"):
        return str(leaf.dtype).removeprefix("torch.")
    return "None" if leaf is None else type(leaf).__name__
