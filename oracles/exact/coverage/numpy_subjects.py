"""NumPy's and SciPy's functions with arguments of a dtype: those of their names in `jax_functions`."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Iterator
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from oracles.exact.coverage.jax_functions import TABLE
from oracles.exact.coverage.subject import Subject
from oracles.exact.program.trees import is_floating

HOMES = {
    "jax.numpy": "numpy",
    "jax.numpy.linalg": "numpy.linalg",
    "jax.scipy.special": "scipy.special",
}


class _Call(NamedTuple):
    function: Any
    args: tuple[Any, ...]
    kwargs: dict[str, Any]


@cache
def _calls() -> dict[str, _Call]:
    found = {}
    for module, names, args, *kwargs in TABLE:
        for name in names.split() if module in HOMES else ():
            function = getattr(importlib.import_module(HOMES[module]), name, None)
            if callable(function) and not inspect.isclass(function):
                found[f"{HOMES[module]}.{name}"] = _Call(function, args, *(kwargs or [{}]))
    return found


def names() -> list[str]:
    """Those that this NumPy and this SciPy have."""
    return list(_calls())


def subjects(name: str, dtype: str) -> Iterator[Subject]:
    """The function with its arguments in the table, the floating ones in this dtype."""
    import ml_dtypes

    call, own = _calls()[name], np.dtype(ml_dtypes.bfloat16 if dtype == "bfloat16" else dtype)
    moving: list[Any] = []

    def cast(x: Any) -> Any:
        """Lists of arrays, too; what moves is put in its place when the function is called."""
        if isinstance(x, list):
            return [cast(part) for part in x]
        if isinstance(x, np.ndarray) and is_floating(x):
            moving.append(x.astype(own))
            return _Moving(len(moving) - 1)
        return x

    args, kwargs = [cast(x) for x in call.args], {k: cast(v) for k, v in call.kwargs.items()}

    def function(*arrays: Any) -> Any:
        def placed(x: Any) -> Any:
            if isinstance(x, list):
                return [placed(part) for part in x]
            return arrays[x.place] if isinstance(x, _Moving) else x

        found = call.function(*map(placed, args), **{k: placed(v) for k, v in kwargs.items()})
        return list(found) if isinstance(found, tuple) else found

    if moving:
        yield Subject(name, function, tuple(moving))


class _Moving(NamedTuple):
    """Stands for an array that moves."""

    place: int
