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


def of_variables(namespace: dict[str, Any], names: Iterable[str], coming: Set[str] | None = None) -> Keeper:
    """Variables of these names; new ones go, or of them those in `coming` alone."""
    before = {name: namespace[name] for name in names if is_data(namespace[name])}
    known = set(namespace)
    values = list(before.values())

    def put_back() -> bool:
        same = len(namespace) == len(known) and before.keys() <= namespace.keys()
        if same and all(map(operator.is_, map(namespace.__getitem__, before), values)):
            return False
        moved = [name for name, value in before.items() if not is_same(namespace.get(name, ABSENT), value)]
        new = namespace.keys() - known if coming is None else (namespace.keys() & coming) - known
        new = {name for name in new if is_data(namespace[name])}
        for name in moved:
            namespace[name] = before[name]
        for name in new:
            del namespace[name]
        return bool(moved or new)

    return put_back


def of_attributes(owner: Any, read: Callable[[], Mapping[str, Any]]) -> Keeper:
    """Attributes of a class, or of slots; new ones go, but for Python's own."""
    known = dict(read())
    before = {name: value for name, value in known.items() if is_data(value)}

    def put_back() -> bool:
        now = read()
        if now.keys() == known.keys() and all(map(operator.is_, now.values(), known.values())):
            return False
        moved = [name for name, value in before.items() if not is_same(now.get(name, ABSENT), value)]
        new = [name for name, value in now.items() if name not in known and is_data(value)]
        new = [name for name in new if not name.startswith("__")]
        for name in moved:
            setattr(owner, name, before[name])
        for name in new:
            delattr(owner, name)
        return bool(moved or new)

    return put_back


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
