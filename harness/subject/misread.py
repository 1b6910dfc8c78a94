"""What is passed in another form than a check takes it: a class for its objects, numbers for arrays."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from harness.subject.derivative import Function
from oracles.exact.program.words import many


def refuse_classes(f: Function) -> None:
    """Say so where a class of torch's was passed for what it makes.

    Raises:
        ValueError: It was.
    """
    if not isinstance(f, type) or "torch" not in sys.modules:
        return
    torch = sys.modules["torch"]
    if issubclass(f, torch.autograd.Function):
        raise ValueError(f"f must be a function, got the class {f.__name__}: pass {f.__name__}.apply")
    if issubclass(f, torch.nn.Module):
        raise ValueError(f"f must be a module, got the class {f.__name__}: pass {f.__name__}(...)")


def refuse_numbers(f: Function, args: Sequence[Any]) -> None:
    """Say so where a list of numbers was given for the arguments, and the function takes another number.

    Raises:
        ValueError: It was.
    """
    if not isinstance(args, list) or len(args) < 2 or not all(type(arg) in {float, int} for arg in args):
        return
    takes = f.nin if isinstance(f, np.ufunc) else _most(f)
    if takes is not None and takes < len(args):
        raise ValueError(
            f"args must be a tuple of {many(takes, 'argument')}, got {len(args)} numbers: for one array of "
            "these pass (np.array(args),)"
        )


def _most(f: Function) -> int | None:
    """How many positional arguments a function takes at most; None if nobody can tell."""
    try:
        parameters = inspect.signature(f, follow_wrapped=False).parameters.values()
    except (TypeError, ValueError):
        return None
    if any(p.kind is p.VAR_POSITIONAL for p in parameters):
        return None
    return sum(p.kind in {p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD} for p in parameters)


def tell_of_lists(problem: Exception, args: Sequence[Any], name_of: Callable[[int], str]) -> None:
    """Add to an error of types that an argument is a list of numbers, with which no array code computes."""
    lists = [
        k
        for k, arg in enumerate(args)
        if type(arg) is list and arg and all(type(x) in {float, int} for x in arg)
    ]
    if type(problem) is TypeError and lists and problem.args:
        name = name_of(lists[0]).partition("[")[0]
        said = f"argument {lists[0]} ({name}) is a list of numbers; for an array pass np.array({name})"
        problem.args = (f"{problem.args[0]}; {said}", *problem.args[1:])
