"""The numbers that a function and its gradient by hand both read, and are not given: of a closure, a global.

A test writes `gamma = np.ones(5)` beside its functions, or an object holds it. To both it is a constant, and
they are written for any.
"""

from __future__ import annotations

import functools
import types
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from harness.subject.patience import Endless, ending
from oracles.exact.program.code_names import names_in
from oracles.exact.program.reach import Reach, cells
from oracles.exact.program.trees import Derived, dtype_of
from oracles.frameworks.operands import MOST, may_hide

Function = Callable[..., Any]
PATIENCE_S = 2.0  # for a run elsewhere
CACHE = type(functools.cache(len))


class Place(NamedTuple):
    """Where code finds a number: a cell of a closure, or an entry of a namespace or a container."""

    where: Any
    key: Any
    name: str

    def read(self) -> Any:
        """What it holds."""
        return self.where.cell_contents if isinstance(self.where, types.CellType) else self.where[self.key]

    def write(self, value: Any) -> None:
        """Let it hold something else."""
        if isinstance(self.where, types.CellType):
            self.where.cell_contents = value
        else:
            self.where[self.key] = value


class Variable(NamedTuple):
    """A number, or an array of them.

    Attributes:
        name, value: What it is called, and is.
        places: All that hold it.
        is_read: Whether the gradient reads it, too.
    """

    name: str
    value: Any
    places: tuple[Place, ...]
    is_read: bool


@dataclass(frozen=True)
class WithVariables(Derived):
    """A function that takes variables as keywords, too."""

    function: Function
    variables: tuple[Variable, ...]

    @property
    def __wrapped__(self) -> Function:
        return self.function

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """What the function returns where they are these."""
        with _written([(variable, kwargs.pop(variable.name)) for variable in self.variables]):
            return self.function(*args, **kwargs)

    @property
    def origins(self) -> tuple[Any, ...]:
        """The function."""
        return (self.function,)


@contextmanager
def _written(values: Iterable[tuple[Variable, Any]]) -> Iterator[None]:
    before = [(place, place.read(), value) for variable, value in values for place in variable.places]
    for place, _, value in before:
        place.write(value)
    try:
        yield
    finally:
        for place, own, _ in before:
            place.write(own)


def variables_of(function: Function, rule: Function, taken: Iterable[str]) -> list[Variable]:
    """What the function reads, may hide a mistake and can be another number.

    None where the rule reads a number of its own: it may be made of one of these, as an inverse of a scale.

    Args:
        function, rule: They.
        taken: The names that none may have.
    """
    of_function, of_rule = _Read(function), _Read(rule)
    if of_function.keeps or of_rule.keeps or not of_rule.numbers() <= of_function.numbers():
        return []
    names, found = set(taken), list[Variable]()
    for key, own in of_function.places.items():
        places = {(id(p.where), p.key): p for p in (*own, *of_rule.places.get(key, ()))}
        first = next(iter(places.values()))
        value, name = first.read(), first.name
        if key in of_function.elsewhere | of_rule.elsewhere or not _hides(value):
            continue
        while name in names:
            name += "'"
        names.add(name)
        found.append(Variable(name, value, tuple(places.values()), key in of_rule.places))
    return found[:MOST]


def unwritten(variables: Sequence[Variable], runs: Iterable[Callable[[], Any]]) -> list[Variable]:
    """Those that nothing writes into, or replaces, in these runs; none if one never ends."""
    before = [[(p, p.read(), _content(p.read())) for p in v.places] for v in variables]
    for run in runs:
        try:
            ending(run, PATIENCE_S)
        except Endless:
            return []
        except Exception:
            continue
    same = [all(p.read() is own and _content(own) == told for p, own, told in each) for each in before]
    return [variable for variable, is_same in zip(variables, same, strict=True) if is_same]


class _Read:
    """What code reads: the places of its numbers, by their identity; a float's is that of its place.

    Attributes:
        places: They.
        elsewhere: The identities of arrays that are held where nothing can be replaced, as in a tuple.
        keeps: Whether it keeps results, by `functools.cache`.
    """

    def __init__(self, root: Function) -> None:
        reach = Reach()
        items = list(reach.items([root]))
        functions = _called(root, [i for i in items if type(i) is types.FunctionType])
        names = frozenset[str]().union(*(names_in(f.__code__) for f in functions))
        self.keeps = any(type(item) is CACHE for item in items)
        self.places: dict[Any, list[Place]] = {}
        for function in functions:
            if reach.is_user(function.__globals__.get("__name__")):
                self._in_function(function)
        for item in items:
            if type(item) is types.FunctionType:
                continue
            if type(item) is dict or type(item) is list:
                self._in_container(item)
            elif isinstance(item, types.ModuleType):
                if reach.is_users_module(item):
                    self._in_namespace(vars(item), names)
            elif not isinstance(item, type):
                for own in reach.namespaces(item):
                    self._in_namespace(own, names)
        held = {id(item) for item in items if _is_array(item)}
        self.elsewhere = held - self.places.keys()

    def numbers(self) -> set[Any]:
        """The identities of all its numbers."""
        return self.places.keys() | self.elsewhere

    def _in_function(self, function: types.FunctionType) -> None:
        code, known = function.__code__, function.__globals__
        filled = set(map(id, cells(function)))
        for name, cell in zip(code.co_freevars, function.__closure__ or (), strict=True):
            if id(cell) in filled:
                self._note(Place(cell, None, name))
        self._in_namespace(known, names_in(code))

    def _in_namespace(self, namespace: dict[str, Any], names: Iterable[str]) -> None:
        for name in sorted(namespace.keys() & names):
            self._note(Place(namespace, name, name))

    def _in_container(self, container: Any) -> None:
        keys = list(container) if type(container) is dict else range(len(container))
        for key in keys:
            self._note(Place(container, key, str(key)))

    def _note(self, place: Place) -> None:
        value = place.read()
        if _is_array(value):
            self.places.setdefault(id(value), []).append(place)
        elif type(value) is float:
            self.places.setdefault((id(place.where), place.key), []).append(place)


def _called(root: Function, functions: Sequence[types.FunctionType]) -> list[types.FunctionType]:
    """The functions that one calls, itself among them: of a class those alone that are named."""
    roots = set(map(id, _functions_of(root)))
    found = [f for f in functions if id(f) in roots or f.__name__ == "<lambda>"] if roots else list(functions)
    while True:
        names = frozenset[str]().union(*(names_in(f.__code__) for f in found))
        ids = set(map(id, found))
        more = [f for f in functions if id(f) not in ids and (f.__name__ in names or _is_special(f))]
        if not more:
            return found
        found += more


def _functions_of(root: Any) -> list[types.FunctionType]:
    """The functions that are called where this one is, none where nobody knows."""
    if type(root) is types.FunctionType:
        return [root]
    inside = (
        root.origins
        if isinstance(root, Derived)
        else [getattr(root, "__func__", None), getattr(root, "func", None)]
    )
    return [function for own in inside if own is not None for function in _functions_of(own)]


def _is_special(function: types.FunctionType) -> bool:
    """Whether syntax calls it, as `__matmul__`; a constructor is named by its class."""
    name = function.__name__
    return name.startswith("__") and name.endswith("__") and name != "__init__"


def _is_array(value: Any) -> bool:
    return bool(dtype_of(value)) and not isinstance(value, np.generic | types.ModuleType)


def _hides(value: Any) -> bool:
    """Whether a mistake may not show where it is that."""
    if type(value) is float:
        return may_hide(value)
    if type(value) is np.ndarray:
        return value.dtype.kind in "fc" and may_hide(value)
    return False


def _content(value: Any) -> Any:
    return value if type(value) is float else np.asarray(value).tobytes()
