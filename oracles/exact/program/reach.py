"""What code may run and change: the functions, objects and containers that are reached from a function."""

from __future__ import annotations

import argparse
import dis
import functools
import os
import sys
import types
from collections.abc import Iterator
from typing import Any

import numpy as np

from oracles.exact.program.trees import Derived

# What computes is known by its rules, and what tests or shows computes nothing that is differentiated.
FRAMEWORKS = {"numpy", "scipy", "flint", "ml_dtypes", "jax", "jaxlib", "torch"}
TOOLS = {"_pytest", "pytest", "hypothesis", "pandas", "sympy", "mpmath", "matplotlib", "IPython", "rich"}
# They keep what they compile in objects that a check must not put back.
COMPILERS = {"numba", "llvmlite", "triton", "cffi"}
NOT_USER = sys.stdlib_module_names | FRAMEWORKS | TOOLS | COMPILERS
LARGE = 1000  # containers with more elements are not searched for code
HOLDERS = (types.SimpleNamespace, argparse.Namespace)  # of the standard library, and the user's in them
PLAIN = (str, bytes, int, float, complex, type(None), np.generic)  # what leads nowhere and does not change


_HOME = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
# Where our own files lie, as the beginnings of their paths: a message names no line of these.
OURS = (
    os.path.join(_HOME, "harness", ""),
    os.path.join(_HOME, "gradproof", ""),
    os.path.join(_HOME, "gradproof_pytest.py"),
    *(os.path.join(_HOME, "oracles", room, "") for room in ("exact", "frameworks")),
)


class Reach:
    """Finds the user's code that a function may run: what it names, what its objects and closures hold.

    The user's code is all but a few libraries, wherever it lies: installed it is judged like a checkout. A
    module or an optimizer of torch, and a mock, is the user's whoever wrote its class.
    """

    def is_user(self, module: str | None) -> bool:
        """Whether a module of this name is the user's."""
        name = module or ""
        return name.partition(".")[0] not in NOT_USER and not name.startswith("oracles.exact")

    def items(self, roots: list[Any]) -> Iterator[Any]:
        """Everything that is reached, each once: functions, objects, containers.

        Of the user's modules that is what any code that is reached names, however it comes to the module.
        """
        seen: dict[int, Any] = {}
        waiting, names, modules = list(roots), set[str](), list[types.ModuleType]()
        while waiting:
            while waiting:
                item = waiting.pop()
                if id(item) in seen or isinstance(item, PLAIN):
                    continue
                seen[id(item)] = item
                waiting += self._inside(item)
                if isinstance(item, types.FunctionType) and self.is_user(item.__globals__.get("__name__")):
                    names |= names_in(item.__code__)
                if isinstance(item, types.ModuleType):
                    modules.append(item)
                yield item
            found = (v for module in modules for v in self._of_module(module, names))
            waiting = [v for v in found if id(v) not in seen and not isinstance(v, PLAIN)]

    def namespaces(self, item: Any) -> list[Any]:
        """Where an object of the user's keeps its variables: dictionaries, and the cells of closures."""
        if isinstance(item, types.FunctionType):
            return [item.__globals__, *_cells(item)] if self.is_user(item.__globals__.get("__name__")) else []
        own = None if isinstance(item, types.ModuleType | type) else getattr(item, "__dict__", None)
        if not isinstance(own, dict):
            return []
        theirs = not own.keys().isdisjoint(("_parameters", "param_groups", "_mock_children"))
        users = theirs or isinstance(item, HOLDERS) or self.is_user(type(item).__module__)
        return [own] if users else []

    def _inside(self, item: Any) -> list[Any]:
        """What an object leads to."""
        if isinstance(item, np.ndarray):  # traced arrays pass for such
            return []
        if isinstance(item, Derived):
            return list(item.origins)
        if isinstance(item, types.MethodType):
            return [item.__func__, item.__self__]
        if isinstance(item, staticmethod | classmethod):
            return [item.__func__]
        if isinstance(item, property):
            return [item.fget]
        if isinstance(item, functools.partial):
            return [item.func, item.args, item.keywords]
        if isinstance(item, list | tuple | set | frozenset | dict):
            return [] if len(item) > LARGE else list(item.values() if isinstance(item, dict) else item)
        if isinstance(item, types.FunctionType):
            found = [c.cell_contents for c in _cells(item)] + [
                *(item.__defaults__ or ()),
                *(item.__kwdefaults__ or {}).values(),
            ]
            return [*found, getattr(item, "__wrapped__", None), *self._named(item)]
        if isinstance(item, type):
            return [*vars(item).values(), *item.__bases__] if self.is_user(item.__module__) else []
        if isinstance(item, types.ModuleType):
            return []
        own = getattr(item, "__dict__", {})
        # A library's wrapper of a function holds it, and others beside it: the rules of `jax.custom_vjp`.
        wrapped = [v for v in own.values() if callable(v)] if callable(item) and "__wrapped__" in own else []
        held = (value for own in self.namespaces(item) for value in own.values())
        return [*wrapped, type(item), *held, *self.slots(item).values()]

    def slots(self, item: Any) -> dict[str, Any]:
        """What an object of the user's keeps in slots."""
        if not self.is_user(type(item).__module__):
            return {}
        each = [vars(kind).get("__slots__", ()) for kind in type(item).__mro__]
        names = [name for own in each for name in ([own] if isinstance(own, str) else own)]
        return {name: getattr(item, name) for name in names if hasattr(item, name)}

    def _named(self, function: types.FunctionType) -> list[Any]:
        """The globals that a function names, and the user's modules that it imports."""
        known = function.__globals__
        if not self.is_user(known.get("__name__")):
            return []
        found = [known[n] for n in names_in(function.__code__) if n in known]
        return [*found, *self._imported(function.__code__, str(known.get("__package__") or ""))]

    def _imported(self, code: types.CodeType, package: str) -> list[types.ModuleType]:
        """The user's modules that code imports where it runs, and that are loaded."""
        if dis.opmap["IMPORT_NAME"] not in code.co_code[::2]:
            own = []
        else:
            named = [n for name in code.co_names for n in (name, f"{package}.{name}")]
            own = [sys.modules[n] for n in named if n in sys.modules and self.is_user(n)]
        inner = [c for c in code.co_consts if isinstance(c, types.CodeType)]
        return [*own, *(m for c in inner for m in self._imported(c, package))]

    def _of_module(self, module: types.ModuleType, names: set[str]) -> list[Any]:
        """What bears these names in a module: of one that is not the user's, the user's modules alone."""
        inside = [vars(module)[n] for n in names if n in vars(module)]
        if self.is_user(module.__name__):
            return inside
        return [m for m in inside if isinstance(m, types.ModuleType) and self.is_user(m.__name__)]


def names_in(code: types.CodeType) -> set[str]:
    """The names that code uses: globals, and attributes."""
    inner = [c for c in code.co_consts if isinstance(c, types.CodeType)]
    return set(code.co_names).union(*map(names_in, inner))


def _cells(function: types.FunctionType) -> list[types.CellType]:
    return [c for c in function.__closure__ or () if _is_filled(c)]


def _is_filled(cell: types.CellType) -> bool:
    try:
        return cell.cell_contents is not None
    except ValueError:
        return False
