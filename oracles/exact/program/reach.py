"""What code may run and change: the functions, objects and containers that are reached from a function."""

from __future__ import annotations

import argparse
import builtins
import collections
import functools
import importlib
import operator
import sys
import threading
import types
import weakref
from collections.abc import Callable, Iterable, Iterator
from contextvars import ContextVar
from typing import Any

import numpy as np

from oracles.exact.program.code_names import BY_NAME, names_in, names_of_code, words_in
from oracles.exact.program.containers import CONTAINERS, built_in_kind, values_of
from oracles.exact.program.trees import Derived
from oracles.exact.program.user_modules import COMPUTING, asks, is_user

LARGE = 1000  # containers with more elements are not searched for code
# Of the standard library, and the user's in them.
HOLDERS = (
    *(types.SimpleNamespace, argparse.Namespace, threading.local),
    *(collections.UserDict, collections.UserList, collections.ChainMap),
    *(weakref.WeakKeyDictionary, weakref.WeakValueDictionary, weakref.WeakSet),
)
NAMING = frozenset({"__module__", "__qualname__", "__doc__"})  # what a class is called is no name for code
PLAIN = (str, bytes, int, float, complex, type(None), np.generic)  # what leads nowhere and does not change
BOUND = (types.BuiltinMethodType, types.MethodWrapperType)  # of a list, a variable of a context, ...
IMPORTING = frozenset({"import_module", "__import__"})
GETTERS = (operator.attrgetter, operator.methodcaller)
FINDERS = {
    id(function): function.__name__
    for function in (getattr, setattr, vars, globals, eval, importlib.import_module, __import__, *GETTERS)
}

_ABSENT = object()
Successors = Callable[[Any], list[Any]]


class Reach:
    """Finds the user's code that a function may run: what it names, what its objects and closures hold.

    The user's code is all but a few libraries, wherever it lies: installed it is judged like a checkout. A
    module or an optimizer of torch, and a mock, is the user's whoever wrote its class.
    """

    FOLLOWED: tuple[str, ...] = ()  # modules of the libraries, by how they begin, that are the user's too

    def __init__(self) -> None:
        # By the identity of a type: what its objects lead to, and their slots. Its hash may be anything.
        self._successors: dict[int, tuple[type, Successors | None]] = {}
        self._slots: dict[int, tuple[type, list[str]]] = {}
        # And whether all its objects keep variables of the user's.
        self._owning: dict[int, tuple[type, bool]] = {}

    def is_user(self, module: Any) -> bool:
        """Whether a module of this name is the user's; what a class calls its module may be anything."""
        return is_user(module if isinstance(module, str) else "", self.FOLLOWED)

    def items(self, roots: list[Any]) -> Iterator[Any]:
        """Everything that is reached, each once: functions, objects, containers (see `Walk`)."""
        return Walk(self).items(roots)

    def namespaces(self, item: Any) -> list[Any]:
        """Where an object of the user's keeps its variables: dictionaries, and the cells of closures."""
        kind = type(item)
        if kind is types.FunctionType:
            return [item.__globals__, *cells(item)] if self.is_user(item.__globals__.get("__name__")) else []
        if kind is list or kind is tuple or kind is dict:
            return []
        own = None if issubclass(kind, types.ModuleType | type) else attributes(item)
        if own is None:
            return []
        known = self._owning.get(id(kind))
        if known is None:
            is_owning = issubclass(kind, HOLDERS) or self.is_user(kind.__module__)
            known = self._owning[id(kind)] = kind, is_owning
        is_own = known[1] or not own.keys().isdisjoint(("_parameters", "param_groups", "_mock_children"))
        if not is_own and str(kind.__module__).startswith("scipy.optimize."):
            # What `minimize(jac=True)` makes of a function keeps what that gave last.
            is_own = any(map(self._is_users, own.values()))
        return [own] if is_own else []

    def successors_of(self, kind: type) -> Successors | None:
        """How to find what an object of this type leads to; None if it is plain."""
        known = self._successors.get(id(kind))
        if known is None:
            known = self._successors[id(kind)] = kind, self._successors_for(kind)
        return known[1]

    def _successors_for(self, kind: type) -> Successors | None:
        if issubclass(kind, PLAIN):
            return None
        if issubclass(kind, np.ndarray):
            return lambda item: list(item.flat) if item.dtype == object and item.size <= LARGE else []
        if issubclass(kind, Derived):
            return lambda item: list(item.origins)
        if issubclass(kind, types.MethodType):
            return lambda item: [item.__func__, item.__self__]
        if kind in BOUND:
            return lambda item: [item.__self__]
        if issubclass(kind, staticmethod | classmethod):
            return lambda item: [item.__func__]
        if issubclass(kind, property):
            return lambda item: [item.fget]
        if issubclass(kind, functools.cached_property):
            return lambda item: [item.func]
        if issubclass(kind, functools.partial | functools.partialmethod):
            return lambda item: [item.func, item.args, item.keywords]
        if issubclass(kind, weakref.ref):
            return lambda item: [item()]
        if kind in GETTERS:
            return lambda item: [*item.__reduce__()]
        if issubclass(kind, CONTAINERS):
            return functools.partial(_elements, built_in_kind(kind))
        if kind is types.FunctionType:
            return self._of_function
        if issubclass(kind, type):
            return self._of_class
        if issubclass(kind, types.ModuleType):
            return lambda item: []
        if kind is ContextVar:
            return lambda item: [item.get(None)]
        if self.is_user(kind.__module__):
            return lambda item: [kind, *(attributes(item) or {}).values(), *self.slots(item).values()]
        return self._of_object

    def _of_function(self, item: types.FunctionType) -> list[Any]:
        return [
            *(c.cell_contents for c in cells(item)),
            *(item.__defaults__ or ()),
            *(item.__kwdefaults__ or {}).values(),
            vars(item).get("__wrapped__"),
            *self._named(item),
        ]

    def _of_class(self, item: type) -> list[Any]:
        if not self.is_user(item.__module__):
            return []
        kept = [v for name, v in vars(item).items() if name not in NAMING]
        return [*kept, *item.__bases__, type(item)]

    def _of_object(self, item: Any) -> list[Any]:
        own = attributes(item) or {}
        # A library's wrapper of a function holds it, and others beside it: the rules of `jax.custom_vjp`, the
        # kernels of `torch.library.custom_op`.
        wraps = callable(item) and not own.keys().isdisjoint(("__wrapped__", "_init_fn"))
        wrapped = [v for v in (*own.values(), *own.get("_backend_fns", {}).values()) if wraps and callable(v)]
        held = (value for own in self.namespaces(item) for value in own.values())
        return [*wrapped, type(item), *held]

    def slots(self, item: Any) -> dict[str, Any]:
        """What an object of the user's keeps in slots."""
        if not (names := self.has_slots(type(item))):
            return {}
        found = {name: attribute(item, name, _ABSENT) for name in names}
        return {name: value for name, value in found.items() if value is not _ABSENT}

    def has_slots(self, kind: type) -> list[str]:
        """The slots that objects of a type of the user's have, filled or not."""
        known = self._slots.get(id(kind))
        if known is None:
            known = self._slots[id(kind)] = kind, self._slots_of(kind)
        return known[1]

    def _slots_of(self, kind: type) -> list[str]:
        if not self.is_user(kind.__module__):
            return []
        each = [(base, vars(base).get("__slots__", ())) for base in kind.__mro__]
        return [_slot(base, n) for base, own in each for n in ([own] if isinstance(own, str) else own)]

    def _named(self, function: types.FunctionType) -> list[Any]:
        """The globals that a function names, and the modules that it imports."""
        known = function.__globals__
        if not self.is_user(_home(function)) or asks(_home(function)):
            return []
        said, package = names_of_code(function.__code__), str(known.get("__package__") or "")
        imported = [n for name in said.imported for n in (name, f"{package}.{name}")]
        return [
            *(known[n] for n in said.names if n in known),
            *(sys.modules[n] for n in imported if n in sys.modules),
        ]

    def of_module(self, module: types.ModuleType, names: set[str]) -> list[Any]:
        """What bears these names in a module: of one that is not the user's, what is the user's alone."""
        inside = [vars(module)[n] for n in vars(module).keys() & names]
        return inside if self.is_user(module.__name__) else list(filter(self._is_users, inside))

    def _is_users(self, value: Any) -> bool:
        """Whether it is a module, a function or a method of the user's."""
        value = value.__func__ if type(value) is types.MethodType else value
        if type(value) is types.FunctionType:
            return self.is_user(value.__globals__.get("__name__"))
        return self.is_users_module(value)

    def is_users_module(self, value: Any) -> bool:
        """Whether it is a module of the user's."""
        return issubclass(type(value), types.ModuleType) and self.is_user(value.__name__)

    def searched(
        self, function: types.FunctionType, inside: list[Any], names: set[str]
    ) -> dict[int, dict[str, Any]]:
        """The namespaces, by identity, in which a function may look for a name that no code has."""
        modules = list(filter(self.is_users_module, inside))
        for module in modules:  # and the modules inside that it names
            more = filter(self.is_users_module, self.of_module(module, names))
            modules += [m for m in more if all(m is not other for other in modules)]
        found = [vars(module) for module in modules]
        found += [function.__globals__] if "globals" in names else []
        return {id(namespace): namespace for namespace in found}

    def loaded(self, names: Iterable[str]) -> list[Any]:
        """The user's modules of these names."""
        return [sys.modules[name] for name in names if name in sys.modules and self.is_user(name)]


class Walk:
    """What is reached from some roots, and then from further ones what these add.

    Of the user's modules that is what any code that is reached names, however it comes to the module. Where
    code finds things by strings, as `getattr` does, all strings that are reached are such names; and all
    functions are reached of a module that this code names itself, or that an object holds.
    """

    def __init__(self, reach: Reach) -> None:
        self._reach = reach
        # Python's own names and modules are nobody's to change, whoever holds them.
        self._seen: dict[int, Any] = {id(own): own for own in (vars(builtins), sys.modules)}
        self._names, self._strings, self._read = set[str](), set[str](), set[str]()
        self._codes, self._imports = list[types.CodeType](), False
        # By identity modules, those that objects hold, and namespaces of which all functions are reached.
        self._modules, self._held = dict[int, types.ModuleType](), dict[int, types.ModuleType]()
        self._whole = dict[int, dict[str, Any]]()
        # What was looked up: these names in these modules, and all of these namespaces.
        self._asked, self._known, self._searched = set[str](), set[int](), set[int]()

    def items(self, roots: list[Any]) -> Iterator[Any]:
        """Everything that is reached and was not before, each once: functions, objects, containers."""
        waiting, seen, successors_of = list(roots), self._seen, self._reach.successors_of
        while waiting:
            while waiting:
                item = waiting.pop()
                kind = type(item)  # isinstance asks the object, which may have no answer
                if kind is str:
                    self._strings.add(item)
                elif id(item) not in seen and (successors := successors_of(kind)) is not None:
                    seen[id(item)] = item
                    waiting += self._look(item, kind, successors(item))
                    yield item
            found = self._by_names()
            waiting = [v for v in found if id(v) not in self._seen and not issubclass(type(v), PLAIN)]
            waiting += {v for v in found if type(v) is str} - self._strings

    def _look(self, item: Any, kind: type, inside: list[Any]) -> list[Any]:
        """What an item leads to; the names that it has are noted."""
        if kind is types.FunctionType and self._reach.is_user(_home(item)) and not asks(_home(item)):
            return self._look_into(item, inside)
        if not FINDERS.keys().isdisjoint(map(id, inside)):  # by whichever name
            self._names |= {FINDERS[id(v)] for v in inside if id(v) in FINDERS}
        if issubclass(kind, types.ModuleType):
            self._modules[id(item)] = item
        elif id(types.ModuleType) in map(id, map(type, inside)):
            self._held |= {id(v): v for v in inside if type(v) is types.ModuleType}
        return inside

    def _look_into(self, function: types.FunctionType, inside: list[Any]) -> list[Any]:
        """What a function of the user's leads to."""
        own = {FINDERS[id(v)] for v in inside if id(v) in FINDERS} | names_in(function.__code__)
        if _home(function).startswith(COMPUTING):
            own -= BY_NAME | IMPORTING
        else:
            self._codes.append(function.__code__)
        if not IMPORTING.isdisjoint(own) or {"sys", "modules"} <= own:
            self._imports = True
            named = [v for v in inside if type(v) is str]
            inside = [*inside, *self._reach.loaded([*named, *names_of_code(function.__code__).strings])]
        if not BY_NAME.isdisjoint(own):
            self._whole |= self._reach.searched(function, inside, own)
        self._names |= own
        return inside

    def _by_names(self) -> list[Any]:
        """What the names and strings so far lead to, and did not before."""
        reach = self._reach
        found: list[Any] = reach.loaded(self._strings) if self._imports else []
        if not BY_NAME.isdisjoint(self._names):
            texts = self._strings - self._read
            self._names |= words_in(texts).union(*(names_of_code(code).words for code in self._codes))
            self._read |= texts
            self._codes.clear()
            self._whole |= {id(vars(m)): vars(m) for m in self._held.values() if reach.is_users_module(m)}
        new = self._names - self._asked
        for key, module in self._modules.items():
            found += reach.of_module(module, new if key in self._known else self._names)
        for key in self._whole.keys() - self._searched:
            # Numbers that are named so are found by their names alone.
            found += [v for v in self._whole[key].values() if callable(v) or reach.is_users_module(v)]
        self._asked |= new
        self._known |= self._modules.keys()
        self._searched |= self._whole.keys()
        return found


def _home(function: types.FunctionType) -> str:
    """The name of the module in which a function was made; "" where it has none."""
    name = function.__globals__.get("__name__")
    return name if isinstance(name, str) else ""


def attribute(item: Any, name: str, default: Any = None) -> Any:
    """An object's attribute, the default where it has none or raises whatever it likes."""
    try:
        return getattr(item, name, default)
    except Exception:
        return default


def attributes(item: Any) -> dict[str, Any] | None:
    """The dictionary of an object's attributes, found without asking the object; None if it has none."""
    try:
        if type(item) is threading.local:  # each thread has its own
            return vars(item)
        own = object.__getattribute__(item, "__dict__")
    except Exception:
        return None
    return own if isinstance(own, dict) else None


def _slot(kind: type, name: str) -> str:
    """What Python calls a slot: of a private one the name has that of its class before it."""
    is_private = name.startswith("__") and not name.endswith("__")
    return f"_{kind.__name__.lstrip('_')}{name}" if is_private else name


def _elements(base: Any, container: Any) -> list[Any]:
    """What a container of a kind of Python's, or derived from it, holds; nothing of a large one."""
    if base.__len__(container) > LARGE:
        return []
    return list(values_of(base, container))


def cells(function: types.FunctionType) -> list[types.CellType]:
    """The variables of a closure that hold something."""
    return [c for c in function.__closure__ or () if _is_filled(c)]


def _is_filled(cell: types.CellType) -> bool:
    try:
        return cell.cell_contents is not None
    except ValueError:
        return False
