"""Variables: of namespaces, classes, slots, closures and contexts."""

from __future__ import annotations

import operator
import types
from collections.abc import Callable, Iterable, Mapping, Set
from contextvars import ContextVar
from typing import Any

from harness.subject.state.chance import GENERATORS
from harness.subject.state.keeper import Keeper
from oracles.exact.from_numpy.held import standing
from oracles.exact.program.reach import attributes

ABSENT = object()


def is_data(value: Any) -> bool:
    """Whether a variable holds numbers, and not code, which is replaced while NumPy is recorded."""
    return not callable(value) and not issubclass(type(value), (types.ModuleType, *GENERATORS))


def is_same(now: Any, before: Any) -> bool:
    """Whether it is what it was, or what stands for it where NumPy code is recorded."""
    if now is before or (id(now) in standing and standing[id(now)][1] is before):
        return True
    if type(now) is tuple and type(before) is tuple:  # the items of a dictionary are made anew
        return len(now) == len(before) and all(map(is_same, now, before))
    return (attributes(now) or {}).get("stands_for", ABSENT) is before


def of_variables(namespace: dict[str, Any], names: Iterable[str], whole: bool = True) -> Keeper:
    """Variables of these names; if they are the `whole` namespace, new ones go."""
    before = {name: namespace[name] for name in names if is_data(namespace[name])}
    known = set(namespace)
    values = list(before.values())

    def put_back() -> bool:
        if (namespace.keys() == known if whole else before.keys() <= namespace.keys()) and all(
            map(operator.is_, map(namespace.__getitem__, before), values)
        ):
            return False
        moved = [name for name, value in before.items() if not is_same(namespace.get(name, ABSENT), value)]
        new = [n for n, value in namespace.items() if n not in known and is_data(value)] if whole else []
        for name in moved:
            namespace[name] = before[name]
        for name in new:
            del namespace[name]
        return bool(moved or new)

    return put_back


class Attributes:
    """Attributes of a class, or of slots.

    What was None or not there, and is made once, stays as a log does: a registry may know of it.
    """

    def __init__(self, owner: Any, read: Callable[[], Mapping[str, Any]]) -> None:
        self._owner, self._read, self._known = owner, read, dict(read())
        self._kind = type if isinstance(owner, type) else object  # an owner may refuse, or watch
        self._before = {n: v for n, v in self._known.items() if v is not None and is_data(v)}

    def __call__(self) -> bool:
        """Put back what was there."""
        now, known = self._read(), self._known
        if now.keys() == known.keys() and all(map(operator.is_, now.values(), known.values())):
            return False
        moved = [name for name, value in self._before.items() if not is_same(now.get(name, ABSENT), value)]
        self._hold({name: self._before[name] for name in moved})
        return bool(moved)

    def begin(self) -> bool:
        """Take out what was made; whether anything was."""
        made = {
            name for name, value in self._read().items()
            if value is not None and self._known.get(name) is None and is_data(value)
            and not name.startswith("__")
        }  # fmt: skip
        self._hold(dict.fromkeys(made & self._known.keys()))
        for name in made - self._known.keys():
            self._kind.__delattr__(self._owner, name)
        return bool(made)

    def _hold(self, values: Mapping[str, Any]) -> None:
        for name, value in values.items():
            self._kind.__setattr__(self._owner, name, value)


class Coming:
    """Globals that code names, and that are not there: one that is made stays, as a log does."""

    def __init__(self, namespace: dict[str, Any], names: Set[str]) -> None:
        self._namespace, self._names = namespace, names - namespace.keys()

    def __call__(self) -> bool:
        """Leave them."""
        return False

    def begin(self) -> bool:
        """Take out those that came; whether any did."""
        made = [name for name in self._names & self._namespace.keys() if is_data(self._namespace[name])]
        for name in made:
            del self._namespace[name]
        return bool(made)


def bare(functions: list[types.FunctionType]) -> Keeper:
    """Functions without attributes: new ones go."""

    def put_back() -> bool:
        new = [
            (own, name) for own in filter(None, map(vars, functions))
            for name, value in own.items() if is_data(value)
        ]  # fmt: skip
        for own, name in new:
            del own[name]
        return bool(new)

    return put_back


def of_cell(cell: types.CellType) -> Keeper | None:
    """A variable of a closure, if it holds numbers."""

    def read() -> Any:
        try:
            return cell.cell_contents
        except ValueError:
            return ABSENT

    before = read()
    if before is ABSENT or not is_data(before):
        return None

    def put_back() -> bool:
        if is_same(read(), before):
            return False
        cell.cell_contents = before
        return True

    return put_back


def of_context(variable: ContextVar[Any]) -> list[Keeper]:
    """A context variable that has a value: none can be taken from it again."""
    try:
        before = variable.get()
    except LookupError:
        return []

    def put_back() -> bool:
        if is_same(variable.get(), before):
            return False
        variable.set(before)
        return True

    return [put_back]
