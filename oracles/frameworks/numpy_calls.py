"""NumPy's and SciPy's functions that a run calls, seen through an array that says what is done with it."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from oracles.exact.program.program import Line
from oracles.exact.program.user_modules import OURS
from oracles.frameworks.calls import Call, Mend, Watched, is_code


class _Run:
    """What was called so far, and what calls are to give instead."""

    def __init__(self, mend: Mend) -> None:
        self.mend = mend
        self.calls: list[Call] = []

    def of(self, owner: str, name: str, function: Callable[..., Any], args: Any, options: Any) -> Any:
        """Call a library's function on plain arrays."""
        given, keywords = _plain(list(args)), _plain(dict(options))
        places = [k for k, a in enumerate(given) if _is_floating(a)]
        code = any(map(is_code, _leaves([given, keywords])))
        if not places or code or keywords.get("out") is not None:
            return self.watching(function(*given, **keywords))

        def alone(*operands: Any) -> Any:
            whole = list(given)
            for place, operand in zip(places, operands, strict=True):
                whole[place] = operand
            return function(*whole, **keywords)

        operands = tuple(np.array(given[k]) for k in places)
        call = Call(len(self.calls), owner, name, _line(), alone, operands)
        result = function(*given, **keywords)
        several = isinstance(result, tuple | list)
        parts = list(result) if several else [result]
        if all(map(_is_floating, parts)):
            self.calls.append(call)
            parts = list(self.mend(call) or parts)
        return self.watching(type(result)(parts) if several else parts[0])

    def watching(self, result: Any) -> Any:
        """The result, whose use is seen too."""
        if isinstance(result, tuple | list):
            return type(result)(map(self.watching, result))
        if not _is_floating(result):
            return result
        seen = np.asarray(result).view(_Seen)
        seen.run = self
        return seen


class _Seen(np.ndarray[Any, Any]):
    """An array that says what NumPy and SciPy compute of it."""

    run: _Run | None = None

    def __array_finalize__(self, made_of: Any) -> None:
        self.run = getattr(made_of, "run", None)

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *args: Any, **kwargs: Any) -> Any:
        run = _run_of([*args, *(kwargs.get("out") or ())])
        name = ufunc.__name__ if method == "__call__" else f"{ufunc.__name__}.{method}"
        function = ufunc if method == "__call__" else getattr(ufunc, method)
        for owner, home in (("numpy", "numpy"), ("scipy", "scipy.special")):
            if getattr(sys.modules.get(home), ufunc.__name__, None) is ufunc:
                prefix = "np" if owner == "numpy" else home
                return run.of(owner, f"{prefix}.{name}", function, args, kwargs)
        return run.watching(function(*_plain(list(args)), **_plain(kwargs)))  # somebody else's

    def __array_function__(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        owner = str(getattr(func, "__module__", "numpy") or "numpy").partition(".")[0]
        name = f"{'np' if owner == 'numpy' else func.__module__}.{func.__name__}"
        return _run_of(_leaves([args, kwargs])).of(owner, name, func, args, kwargs)


def watched(derivative: Callable[..., Any], inputs: Sequence[Any], mend: Mend) -> Watched:
    """Run a gradient of copies of arrays, into which it may write, and see what it calls."""
    run = _Run(mend)

    def copied(array: Any) -> Any:
        return run.watching(array.copy("K") if isinstance(array, np.ndarray) else array)

    given = [tuple(map(copied, a)) if isinstance(a, tuple) else copied(a) for a in inputs]
    found = derivative(*given)
    parts = found if isinstance(found, tuple | list) else (found,)
    seen = all(isinstance(g, _Seen) for g in parts)  # what converts its arrays computes out of sight
    return Watched(tuple(None if g is None else np.array(g) for g in parts), tuple(run.calls), seen)


def _is_floating(value: Any) -> bool:
    kind = getattr(getattr(value, "dtype", None), "name", "")
    return isinstance(value, np.ndarray | np.generic) and "float" in kind


def _leaves(value: Any) -> list[Any]:
    if isinstance(value, dict):
        value = list(value.values())
    return [leaf for part in value for leaf in _leaves(part)] if isinstance(value, list | tuple) else [value]


def _run_of(leaves: Sequence[Any]) -> _Run:
    return next(leaf.run for leaf in leaves if isinstance(leaf, _Seen) and leaf.run is not None)


def _plain(value: Any) -> Any:
    """The same of plain arrays, on the same memory."""
    if isinstance(value, dict):
        return {key: _plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(map(_plain, value))
    return value.view(np.ndarray) if isinstance(value, _Seen) else value


def _line() -> Line | None:
    """The line of the user's that is running."""
    home = os.path.dirname(np.__file__) + os.sep
    frame: Any = sys._getframe(1)
    while frame is not None and frame.f_code.co_filename.startswith((home, *OURS)):
        frame = frame.f_back
    return Line(frame.f_code.co_filename, frame.f_lineno) if frame else None
