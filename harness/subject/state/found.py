"""What is reached of a check's code, and what puts each thing back."""

from __future__ import annotations

import sys
import types
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping
from contextvars import ContextVar
from typing import Any

import numpy as np

from harness.subject.state.chance import GENERATORS, of_generator
from harness.subject.state.containers import CACHE, Cache, Contents, base_of
from harness.subject.state.keeper import OURS, Keeper
from harness.subject.state.numbers import Numbers, of_elements
from harness.subject.state.variables import Attributes, Coming, bare, of_cell, of_context, of_variables
from oracles.exact.program.code_names import names_in
from oracles.exact.program.reach import Reach, Walk, attribute

MOST = 100_000  # elements: a larger container is not looked through before each evaluation


class Found:
    """What is reached of a check's code.

    What a gradient reaches beside the functions is its own.
    """

    def __init__(self, logs: bool = False) -> None:
        """With `logs` what only grew is put back too."""
        self._all, self._reach = logs, Reach()
        self._walk = Walk(self._reach)
        self._logs: dict[int, Contents] = {}  # by the container's identity

    def items(self, roots: Iterable[Any]) -> list[Any]:
        """What is reached from these, and was not before."""
        return [item for item in self._walk.items(list(roots)) if not _is_machinery(item)]

    def keepers(self, items: list[Any]) -> list[Keeper]:
        """What puts it back."""
        functions = [item for item in items if type(item) is types.FunctionType]
        modules = [item for item in items if self._reach.is_users_module(item)]
        others = [item for item in items if type(item) is not types.FunctionType]
        owned = [own for item in others for own in self._reach.namespaces(item)]
        parts = [*(own for item in others for own in self._parts(item)), *owned]
        held = {id(value) for own in parts for value in own.values()}
        for key in held & self._logs.keys():
            self._logs[key].whole = True
        found = [of_variables(own, own) for own in owned]
        found += _of_functions(functions, modules, self._reach)
        for item in others:
            found += self._of_item(item, held)
        return found

    def _parts(self, item: Any) -> Iterable[Mapping[str, Any]]:
        """What a class of the user's holds, or an object in slots."""
        kind = type(item)
        if issubclass(kind, type):
            return [vars(item)] if self._reach.is_user(item.__module__) else ()
        return [self._reach.slots(item)] if self._reach.has_slots(kind) else ()

    def _of_item(self, item: Any, held: set[int]) -> Iterable[Keeper]:
        kind = type(item)  # isinstance asks the object, which may have no answer
        if kind is tuple or kind is frozenset:
            return ()
        if issubclass(kind, np.ndarray) and not issubclass(kind, np.memmap):  # which may be a large file
            array = item if kind is np.ndarray else np.ndarray.view(item, np.ndarray)
            keeper = of_elements if array.dtype == object else Numbers
            return [keeper(array)] if array.flags.writeable else ()
        if base := base_of(kind):
            if base.__len__(item) > MOST:
                return ()
            whole = self._all or id(item) in held or issubclass(kind, deque | Counter)
            contents = Contents(item, whole)
            if not whole:
                self._logs[id(item)] = contents
            return [contents]
        if issubclass(kind, type):
            return [Attributes(item, lambda: vars(item))] if self._reach.is_user(item.__module__) else ()
        if issubclass(kind, GENERATORS):
            return [of_generator(item)]
        if kind is ContextVar:
            return of_context(item)
        if kind is CACHE:
            return [Cache(item)] if self._reach.is_user(attribute(item, "__module__")) else ()
        return [
            *([Attributes(item, lambda: self._reach.slots(item))] if self._reach.has_slots(kind) else ()),
            *(of_torch("reached", item) if attribute(item, "__class__") else ()),
        ]


def _is_machinery(item: Any) -> bool:
    """Whether it is code, or an object, of ours: what watches a check goes on while that is put back."""
    is_function = type(item) is types.FunctionType
    home: Any = item.__globals__.get("__name__") if is_function else type(item).__module__
    return isinstance(home, str) and home.partition(".")[0] in OURS


def _of_functions(
    functions: list[types.FunctionType], modules: list[types.ModuleType], reach: Reach
) -> Iterator[Keeper]:
    """The variables of their closures, the globals that they name, there and in modules, and attributes."""
    named: dict[int, tuple[dict[str, Any], set[str]]] = {}  # by the identity of a namespace
    yield bare([function for function in functions if not vars(function)])
    for function in functions:
        yield from filter(None, map(of_cell, function.__closure__ or ()))
        if vars(function):
            yield of_variables(vars(function), vars(function))
        known = function.__globals__
        if reach.is_user(known.get("__name__")):  # a library's wrapper takes the name of what it wraps
            named.setdefault(id(known), (known, set()))[1].update(names_in(function.__code__))
    every = set[str]().union(*(names for _, names in named.values()))
    for module in modules:
        named.setdefault(id(vars(module)), (vars(module), set()))[1].update(every)
    for namespace, whole in named.values():
        yield of_variables(namespace, whole.intersection(namespace), whole=False)
        yield Coming(namespace, whole)


def of_torch(what: str, *item: Any) -> Iterable[Keeper]:
    """What torch knows of this, if it is loaded."""
    if "torch" not in sys.modules:
        return ()
    from oracles.frameworks import torch_state

    found: Iterable[Keeper] = getattr(torch_state, what)(*item)
    return found
