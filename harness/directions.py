"""What a derivative is contracted with: as the user gave it, or drawn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from harness.frameworks import on_host
from harness.inputs.arrays import Array, signed
from oracles.exact.program.program import Var
from oracles.exact.program.trees import flatten


def levels_of(cotangent: Any, count: int) -> list[Any]:
    """What the user gave for each of so many derivatives, the innermost first; None where nothing.

    Raises:
        ValueError: There is another number of them.
    """
    if count == 1 or cotangent is None:
        return [cotangent] if count == 1 else [None] * count
    given = list(cotangent)
    if len(given) != count:
        raise ValueError(f"{count} derivatives, one of the other, take {count} directions; got {len(given)}")
    return given


def contracted(
    given: Any, outputs: Sequence[Var], arrays: Sequence[Array], rng: np.random.Generator
) -> list[Array]:
    """One cotangent per output: as given, or 1 for a single number, or random signs and sizes.

    Raises:
        ValueError: The given ones have other shapes.
    """
    if given is None and [v.shape for v in outputs] == [()]:
        return [np.ones((), dtype_named(outputs[0].dtype, arrays))]
    if given is None:
        return [signed(rng, dtype_named(v.dtype, arrays), v.shape) for v in outputs]
    return _fitting("cotangent", given, [(v.shape, dtype_named(v.dtype, arrays)) for v in outputs])


def along(given: Any, moving: Sequence[Array], rng: np.random.Generator) -> list[Array]:
    """One tangent per differentiated array: as given, or random.

    Raises:
        ValueError: The given ones have other shapes.
    """
    if given is None:
        return [signed(rng, a.dtype, a.shape) for a in moving]
    return _fitting("tangent", given, [(a.shape, a.dtype) for a in moving])


def _fitting(what: str, given: Any, wanted: Sequence[tuple[tuple[int, ...], np.dtype[Any]]]) -> list[Array]:
    leaves = [leaf for leaf in flatten("numpy", given)[0] if leaf is not None]
    found = [on_host(leaf) for leaf in leaves]
    if [a.shape for a in found] != [shape for shape, _ in wanted]:
        if len(wanted) == len(found) == 1:
            raise ValueError(
                f"the {what} has shape {found[0].shape}; the function's value has {wanted[0][0]}"
            )
        raise ValueError(
            f"the {what}s have shapes {[a.shape for a in found]}; wanted are {[s for s, _ in wanted]}"
        )
    return [a.astype(dtype, copy=False) for a, (_, dtype) in zip(found, wanted, strict=True)]


def dtype_named(name: str, arrays: Sequence[Array]) -> np.dtype[Any]:
    """The dtype of that name; bfloat16 is the one that an argument has."""
    return next((a.dtype for a in arrays if a.dtype.name == name), None) or np.dtype(name)
