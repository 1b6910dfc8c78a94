"""What code may run and change: the functions, objects and containers that are reached from a function."""

from __future__ import annotations

import argparse
import dis
import functools
import importlib
import operator
import os
import re
import sys
import types
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from oracles.exact.program.trees import Derived

# What computes is known by its rules, and what tests or shows computes nothing that is differentiated.
FRAMEWORKS = {"numpy", "scipy", "flint", "ml_dtypes", "jax", "jaxlib", "torch"}
TOOLS = {"_pytest", "pytest", "hypothesis", "pandas", "sympy", "mpmath", "matplotlib", "IPython", "rich"}
# They keep what they compile in objects that a check must not put back.
COMPILERS = {"numba", "llvmlite", "triton", "cffi"}
NOT_USER = sys.stdlib_module_names | FRAMEWORKS | TOOLS | COMPILERS
# Ours: what computes, and what looks at an object before it runs.
OWN = ("oracles.exact", "harness.subject.state", "harness.subject.finding", "harness.subject.pairs")
LARGE = 1000  # containers with more elements are not searched for code
HOLDERS = (types.SimpleNamespace, argparse.Namespace)  # of the standard library, and the user's in them
NAMING = frozenset({"__module__", "__qualname__", "__doc__"})  # what a class is called is no name for code
PLAIN = (str, bytes, int, float, complex, type(None), np.generic)  # what leads nowhere and does not change
CONTAINERS = (list, tuple, set, frozenset, dict)
# What gives by its name, a string, what no code names: a variable, and a module.
BY_NAME = frozenset(
    {"getattr", "setattr", "attrgetter", "methodcaller", "vars", "globals"}
    | {"__dict__", "getmembers", "eval", "exec"}
)
IMPORTING = frozenset({"import_module", "__import__"})
GETTERS = (operator.attrgetter, operator.methodcaller)
FINDERS = {
    id(function): function.__name__
    for function in (getattr, setattr, vars, globals, eval, importlib.import_module, __import__, *GETTERS)
}


_ABSENT = object()
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

    def is_user(self, module: Any) -> bool:
        """Whether a module of this name is the user's; what a class calls its module may be anything."""
        name = module if isinstance(module, str) else ""
        return name.partition(".")[0] not in NOT_USER and not name.startswith(OWN)

    def items(self, roots: list[Any]) -> Iterator[Any]:
        """Everything that is reached, each once: functions, objects, containers.

        Of the user's modules that is what any code that is reached names, however it comes to the module.
        Where code finds things by strings, as `getattr` does, all strings that are reached are such names;
        and all functions are reached of a module that this code names itself, or that an object holds.
        """
        seen: dict[int, Any] = {}
        waiting, modules, whole = list(roots), list[types.ModuleType](), dict[int, dict[str, Any]]()
        names, strings, read, codes = set[str](), set[str](), set[str](), list[types.CodeType]()
        held, imports = list[types.ModuleType](), False
        while waiting:
            while waiting:
                item = waiting.pop()
                kind = type(item)  # isinstance asks the object, which may have no answer
                if kind is str:
                    strings.add(item)
                if id(item) in seen or issubclass(kind, PLAIN):
                    continue
                seen[id(item)] = item
                inside = self._inside(item)
                own = {FINDERS[id(v)] for v in inside if id(v) in FINDERS}  # by whichever name
                if kind is types.FunctionType and self.is_user(name := item.__globals__.get("__name__")):
                    own |= names_in(item.__code__)
                    if str(name).startswith("harness."):  # ours, which runs the user's
                        own -= BY_NAME | IMPORTING
                    else:
                        codes.append(item.__code__)
                    if not IMPORTING.isdisjoint(own) or {"sys", "modules"} <= own:
                        imports = True
                        named = [v for v in inside if type(v) is str]
                        inside += self._loaded([*named, *_strings(item.__code__)])
                    if not BY_NAME.isdisjoint(own):
                        whole |= self._searched(item, inside, own)
                elif issubclass(kind, types.ModuleType):
                    modules.append(item)
                else:
                    held += [v for v in inside if type(v) is types.ModuleType]
                waiting += inside
                names |= own
                yield item
            found: list[Any] = self._loaded(strings) if imports else []
            if not BY_NAME.isdisjoint(names):
                texts = strings.union(*map(_strings, codes))
                names |= _words(texts - read)
                read |= texts
                codes.clear()
                whole |= {id(vars(m)): vars(m) for m in held if self._is_users_module(m)}
            found += [v for module in modules for v in self._of_module(module, names)]
            found += [v for own in whole.values() for v in own.values() if self._may_be_asked_for(v)]
            waiting = [v for v in found if id(v) not in seen and not issubclass(type(v), PLAIN)]
            waiting += {v for v in found if type(v) is str} - strings

    def namespaces(self, item: Any) -> list[Any]:
        """Where an object of the user's keeps its variables: dictionaries, and the cells of closures."""
        kind = type(item)
        if kind is types.FunctionType:
            return [item.__globals__, *_cells(item)] if self.is_user(item.__globals__.get("__name__")) else []
        own = None if issubclass(kind, types.ModuleType | type) else attributes(item)
        if own is None:
            return []
        theirs = not own.keys().isdisjoint(("_parameters", "param_groups", "_mock_children"))
        return [own] if theirs or issubclass(kind, HOLDERS) or self.is_user(kind.__module__) else []

    def _inside(self, item: Any) -> list[Any]:
        """What an object leads to."""
        kind = type(item)
        if issubclass(kind, np.ndarray):
            return list(item.flat) if item.dtype == object and item.size <= LARGE else []
        if issubclass(kind, Derived):
            return list(item.origins)
        if issubclass(kind, types.MethodType):
            return [item.__func__, item.__self__]
        if issubclass(kind, staticmethod | classmethod):
            return [item.__func__]
        if issubclass(kind, property):
            return [item.fget]
        if issubclass(kind, functools.cached_property):
            return [item.func]
        if issubclass(kind, functools.partial | functools.partialmethod):
            return [item.func, item.args, item.keywords]
        if kind in GETTERS:
            return [*item.__reduce__()]
        if issubclass(kind, CONTAINERS):
            base = built_in(item)
            if base.__len__(item) > LARGE:
                return []
            return list(dict.values(item) if base is dict else base.__iter__(item))
        if kind is types.FunctionType:
            found = [c.cell_contents for c in _cells(item)] + [
                *(item.__defaults__ or ()),
                *(item.__kwdefaults__ or {}).values(),
            ]
            return [*found, vars(item).get("__wrapped__"), *self._named(item)]
        if issubclass(kind, type):
            if not self.is_user(item.__module__):
                return []
            return [*(v for name, v in vars(item).items() if name not in NAMING), *item.__bases__]
        if issubclass(kind, types.ModuleType):
            return []
        own = attributes(item) or {}
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
        found = {name: attribute(item, name, _ABSENT) for name in names}
        return {name: value for name, value in found.items() if value is not _ABSENT}

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
        inside = [vars(module)[n] for n in vars(module).keys() & names]
        return inside if self.is_user(module.__name__) else list(filter(self._is_users_module, inside))

    def _is_users_module(self, value: Any) -> bool:
        return issubclass(type(value), types.ModuleType) and self.is_user(value.__name__)

    def _searched(
        self, function: types.FunctionType, inside: list[Any], names: set[str]
    ) -> dict[int, dict[str, Any]]:
        """The namespaces, by identity, in which a function may look for a name that no code has."""
        modules = list(filter(self._is_users_module, inside))
        for module in modules:  # and the modules inside that it names
            more = filter(self._is_users_module, self._of_module(module, names))
            modules += [m for m in more if all(m is not other for other in modules)]
        found = [vars(module) for module in modules]
        found += [function.__globals__] if "globals" in names else []
        return {id(namespace): namespace for namespace in found}

    def _loaded(self, names: Iterable[str]) -> list[Any]:
        """The user's modules of these names."""
        return [sys.modules[name] for name in names if name in sys.modules and self.is_user(name)]

    def _may_be_asked_for(self, value: Any) -> bool:
        """Whether a variable holds code: numbers that are named so are found by their names alone."""
        return callable(value) or self._is_users_module(value)


def attribute(item: Any, name: str, default: Any = None) -> Any:
    """An object's attribute, the default where it has none or raises whatever it likes."""
    try:
        return getattr(item, name, default)
    except Exception:
        return default


def attributes(item: Any) -> dict[str, Any] | None:
    """The dictionary of an object's attributes, found without asking the object; None if it has none."""
    try:
        own = object.__getattribute__(item, "__dict__")
    except Exception:
        return None
    return own if isinstance(own, dict) else None


def built_in(container: Any) -> Any:
    """The kind of Python's that a container is: its own methods may answer otherwise, or not at all."""
    return next(base for base in CONTAINERS if issubclass(type(container), base))


def names_in(code: types.CodeType) -> set[str]:
    """The names that code uses: globals and attributes, and what it finds by a string that it has."""
    inner = [c for c in code.co_consts if isinstance(c, types.CodeType)]
    own = set(code.co_names)
    own |= set() if BY_NAME.isdisjoint(own) else _words(_strings(code))
    return own.union(*map(names_in, inner))


def _strings(code: types.CodeType) -> Iterator[str]:
    """The strings that code has."""
    for const in code.co_consts:
        if isinstance(const, types.CodeType):
            yield from _strings(const)
        else:
            yield from (each for each in (const if type(const) is tuple else (const,)) if type(each) is str)


def _words(strings: Iterable[str]) -> set[str]:
    """The names in strings, as in "sub.name"; what is long is a text."""
    return {word for string in strings if len(string) <= 100 for word in re.findall(r"[^\W\d]\w*", string)}


def _cells(function: types.FunctionType) -> list[types.CellType]:
    return [c for c in function.__closure__ or () if _is_filled(c)]


def _is_filled(cell: types.CellType) -> bool:
    try:
        return cell.cell_contents is not None
    except ValueError:
        return False
