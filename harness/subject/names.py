"""What the arrays of a function are called, and elements of them."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from types import FunctionType

from harness.subject.complex_pairs import ComplexName
from harness.subject.derivative import Function
from oracles.exact.program.trees import Tree

PARAMETERS = "parameters["  # so the names of a module's parameters begin


def names_of(function: Function, tree: Tree, places: Sequence[int]) -> tuple[str, ...]:
    """The arrays' names: the parameters' own, where the function tells them, and the path inside."""
    own = parameters_of(function)
    found = []
    for place in places:
        path = tree.names[place]
        which, rest = path[1 : path.index("]")], path[path.index("]") + 1 :]
        head, tail = rest[1 : rest.index("]")], rest[rest.index("]") + 1 :]
        if which == "1":
            found.append(head.strip("'\"") + tail)
        else:
            k = int(head)
            found.append((own[k] if k < len(own) else f"argument {k}") + tail)
    return tuple(found)


def name_of(function: Function) -> str:
    """What a function, a module or another object that is called is called itself."""
    while isinstance(function, partial):
        function = function.func
    with suppress(Exception):  # of its own `__getattr__`
        return _name_of(function)
    return type(function).__name__


def _name_of(function: Function) -> str:
    owner = getattr(function, "__self__", None)
    # The apply of an autograd.Function is its class, and an operator of `torch.library.custom_op` its code.
    named = owner if isinstance(owner, type) else getattr(function, "_init_fn", function)
    return str(getattr(named, "__name__", "") or type(function).__name__)


def parameters_of(function: Function) -> list[str]:
    """What the function calls its positional arguments, as far as it tells."""
    function = inspect.unwrap(function, stop=lambda one: hasattr(one, "argument_names"))
    if hasattr(function, "argument_names"):
        return list(function.argument_names)
    overload = getattr(function, "_opoverload", getattr(function, "default", function))
    if schema := getattr(overload, "_schema", None):  # an operator of torch's
        return [argument.name for argument in schema.arguments]
    owner = getattr(function, "__self__", None)
    rule = isinstance(owner, type) and hasattr(owner, "setup_context")  # the apply of an autograd.Function
    told = owner.forward if rule else getattr(function, "forward", function)  # type: ignore[union-attr]
    if type(told) is FunctionType and not {"__signature__", "__wrapped__"} & vars(told).keys():
        return list(told.__code__.co_varnames[: told.__code__.co_argcount])[rule:]  # without `ctx`
    try:
        found = [
            p.name
            for p in inspect.signature(told).parameters.values()
            if p.kind in {p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD}
        ]
    except (TypeError, ValueError):
        return []
    return found[1:] if rule and found[:1] == ["ctx"] else found


def place_of(name: str, at: tuple[int, ...]) -> str:
    """An element in words: "x[2, 3]"; of complex numbers "x[2, 3].imag"."""
    if isinstance(name, ComplexName):
        return name.at(at)
    return f"{name}[{', '.join(map(str, at))}]" if at else name
