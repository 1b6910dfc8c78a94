"""What a function can change besides its arguments: put back before each evaluation, and after a check.

That is what is reached from it (`Reach`): attributes of objects and modules, lists and dictionaries,
variables of closures and globals that it names, arrays and tensors; and the process's random numbers and
settings.
"""

from __future__ import annotations

import ctypes
import functools
import operator
import random
import sys
import types
from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, ParamSpec, TypeVar

import numpy as np

from harness.subject.alone import alone
from harness.subject.signals import leaving
from oracles.exact.from_numpy.held import recording, standing, writable, written
from oracles.exact.program.errors import Unsupported
from oracles.exact.program.reach import LARGE, Reach, Walk, attribute, attributes, names_in

Keeper = Callable[[], bool]  # puts one thing back, and says whether it was another
OURS = ("harness", "gradproof", "oracles")
P = ParamSpec("P")
R = TypeVar("R")
_GENERATORS = (np.random.Generator, np.random.RandomState, random.Random)
# How each kind of container, and what is derived from it, is filled: a Counter's own `update` adds.
_FILL: dict[Any, Callable[[Any, Any], None]] = {
    list: list.extend,
    deque: deque.extend,
    set: set.update,
    OrderedDict: OrderedDict.update,
    dict: dict.update,
}
_ABSENT = object()


class State:
    """What functions reach, and what the process shares, as they are now.

    A hand-written gradient starts from where its last call left it, as any caller's would: what changes from
    call to call is found so. Lists and variables outside of objects that it writes into are its log, and what
    a function only adds to a list is: it stays, unless it shall go too (`logs`).
    """

    def __init__(self, functions: Iterable[Any], gradients: Iterable[Any] = (), logs: bool = False) -> None:
        found = _Found(logs)
        self._reached, self._left = found.keepers(functions), found.keepers(gradients, variables=False)
        self._arrays = [keeper for keeper in (*self._reached, *self._left) if isinstance(keeper, _Numbers)]
        self._shared = [_python_chance(), _numpy_chance(), *_of_torch("shared")]
        self._moved: list[Keeper] = []
        self._carries = False

    def keep(self, arrays: Iterable[Any]) -> None:
        """Put these back before each evaluation, too."""
        self._reached += _Found().keepers(arrays)

    def settle(self) -> None:
        """After an evaluation: what it moved of what the process shares is put back before each one."""
        moved = [keeper for keeper in self._shared if keeper()]
        self._moved += [keeper for keeper in moved if keeper not in self._moved]

    def restart(self) -> bool:
        """Put back what an evaluation may depend on; whether anything that is reached had moved."""
        for keeper in self._moved:
            keeper()
        moved = [] if self._carries else [keeper for keeper in self._reached if keeper()]
        if (own := writable.get()) is not None:
            own.rewind()
        return bool(moved)

    def written(self) -> list[Any]:
        """The arrays that evaluations were seen to write into."""
        return [keeper.array for keeper in self._arrays if keeper.is_written()]

    @contextmanager
    def carried(self) -> Iterator[bool]:
        """Whether evaluations leave anything behind; within, each finds what the last one left.

        The first finds what was there at the very beginning: what they kept in logs and caches is out.
        """
        logs = [log for keeper in self._reached if isinstance(keeper, _Contents) and (log := keeper.begin())]
        left = self.restart() or bool(logs)
        self._carries = True
        try:
            yield left
        finally:
            self._carries = False
            for bring_back in logs:
                bring_back()

    def restore(self) -> None:
        """Put everything back."""
        for keeper in (*self._reached, *self._left, *self._shared):
            keeper()
            if isinstance(keeper, _Contents):
                keeper.without_ours()


_now: ContextVar[State | None] = ContextVar("_now", default=None)


def current() -> State:
    """The state of the check that runs."""
    return _now.get() or State(())


@contextmanager
def unchanged(roots: Iterable[Any]) -> Iterator[None]:
    """Within, everything that is reached may change, logs included; after it, it is as it was before."""
    state = State(roots, logs=True)
    try:
        yield
    finally:
        state.restore()


def leaving_no_trace(check: Callable[P, R]) -> Callable[P, R]:
    """A check that leaves all that its functions can change as it was, also where it raises."""

    @functools.wraps(check)
    def kept(*args: P.args, **kwargs: P.kwargs) -> R:
        __tracebackhide__ = True
        with alone(), leaving():
            return restoring(*args, **kwargs)

    def restoring(*args: P.args, **kwargs: P.kwargs) -> R:
        __tracebackhide__ = True
        given = {name: one for name, one in [*enumerate(args), *kwargs.items()] if _is_code(one)}
        gradients = [given.pop(name) for name in ("vjp", "residual_vjp", "grad") if name in given]
        inside = Unsupported("a check inside a checked function: take it out, and call it by itself")
        if recording.get() is not None:
            raise inside
        try:
            state = State(given.values(), gradients)
        except Unsupported:
            if _now.get() is None:
                raise
            raise inside from None
        token, seen = _now.set(state), written.set(state.written)
        try:
            return check(*args, **kwargs)
        finally:
            written.reset(seen)
            _now.reset(token)
            state.restore()

    return kept


def _is_code(value: Any) -> bool:
    """Whether it may change something: a function, a layer or a network."""
    return callable(value) or any(callable(getattr(value, name, None)) for name in ("forward", "gradient"))


class _Found:
    """What is reached of a check's code.

    What a gradient reaches beside the functions is its own.
    """

    def __init__(self, logs: bool = False) -> None:
        """With `logs` what only grew is put back too."""
        self._all, self._reach = logs, Reach()
        self._walk = Walk(self._reach)
        self._logs: dict[int, _Contents] = {}  # by the container's identity

    def keepers(self, roots: Iterable[Any], variables: bool = True) -> list[Keeper]:
        """What puts back what is reached from these, and was not before.

        Without `variables` it is what stands in objects alone.
        """
        items = [item for item in self._walk.items(list(roots)) if not _is_machinery(item)]
        functions = [item for item in items if type(item) is types.FunctionType]
        others = [item for item in items if type(item) is not types.FunctionType]
        owned = [own for item in others for own in self._reach.namespaces(item)]
        held = {id(value) for own in owned for value in own.values()}
        for key in held & self._logs.keys():
            self._logs[key].whole = True
        found = [_variables(own, own, whole=True) for own in owned]
        found += _of_functions(functions, self._reach) if variables else ()
        for item in others:
            found += self._of_item(item, held, variables)
        return found

    def _of_item(self, item: Any, held: set[int], variables: bool) -> Iterable[Keeper]:
        kind = type(item)  # isinstance asks the object, which may have no answer
        if kind is tuple or kind is frozenset:
            return ()
        if container := _container(kind):
            if not (self._all or (container.__len__(item) <= LARGE and (variables or id(item) in held))):
                return ()
            whole = self._all or id(item) in held or issubclass(kind, deque | Counter)
            contents = _Contents(item, whole)
            if not whole:
                self._logs[id(item)] = contents
            return [contents]
        if issubclass(kind, type):
            return [_attributes(item, _plain(item))] if self._reach.is_user(item.__module__) else ()
        if kind is np.ndarray:
            keeper = _elements if item.dtype == object else _Numbers
            return [keeper(item)] if item.flags.writeable else ()
        if issubclass(kind, _GENERATORS):
            return [_generator(item)]
        slots = self._reach.slots(item)
        return [
            *([_attributes(item, slots)] if slots else ()),
            *(_of_torch("reached", item) if attribute(item, "__class__") else ()),
        ]


def _is_machinery(item: Any) -> bool:
    """Whether it is code, or an object, of ours: what watches a check goes on while that is put back."""
    is_function = type(item) is types.FunctionType
    home: Any = item.__globals__.get("__name__") if is_function else type(item).__module__
    return isinstance(home, str) and home.partition(".")[0] in OURS


def _of_functions(functions: list[types.FunctionType], reach: Reach) -> Iterator[Keeper]:
    """The variables of their closures, the globals that they name, and their attributes."""
    named: dict[int, tuple[dict[str, Any], set[str]]] = {}  # by the identity of a namespace
    yield _bare([function for function in functions if not vars(function)])
    for function in functions:
        yield from filter(None, map(_cell, function.__closure__ or ()))
        if vars(function):
            yield _variables(vars(function), vars(function), whole=True)
        known = function.__globals__
        if reach.is_user(known.get("__name__")):  # a library's wrapper takes the name of what it wraps
            names = names_in(function.__code__)
            values: list[Any] = [known[name] for name in names & known.keys()]
            modules = [value for value in values if issubclass(type(value), types.ModuleType)]
            for namespace in (known, *(vars(m) for m in modules if reach.is_user(m.__name__))):
                named.setdefault(id(namespace), (namespace, set()))[1].update(names)
    for namespace, whole in named.values():
        yield _variables(namespace, whole.intersection(namespace))


def _of_torch(what: str, *item: Any) -> Iterable[Keeper]:
    if "torch" not in sys.modules:
        return ()
    from oracles.frameworks import torch_state

    found: Iterable[Keeper] = getattr(torch_state, what)(*item)
    return found


def _is_data(value: Any) -> bool:
    """Whether a variable holds numbers, and not code, which is replaced while NumPy is recorded."""
    return not callable(value) and not issubclass(type(value), (types.ModuleType, *_GENERATORS))


def _container(kind: type) -> Any:
    """The kind of container that it is or is derived from, None of another type."""
    return next((base for base in _FILL if issubclass(kind, base)), None)


class _Contents:
    """The elements of a list, set or dictionary.

    Attributes:
        whole: Whether what only came to them goes too: otherwise that is a log.
    """

    def __init__(self, container: Any, whole: bool) -> None:
        self._kind = _container(type(container))
        self._container, self.whole = container, whole
        self._before = self._now()
        self._parts = self._flat()

    def __call__(self) -> bool:
        """Put back what is no log."""
        parts = self._flat()
        if len(parts) == len(self._parts) and all(map(operator.is_, parts, self._parts)):
            return False
        now = self._now()
        same = len(now) >= len(self._before) and all(map(_is_same, now, self._before))
        if same and (len(now) == len(self._before) or not self.whole):
            return False
        self.hold(self._before)
        return True

    def without_ours(self) -> None:
        """Take what watched the user's code out of what came to a log."""
        count = len(self._before)
        if self._kind.__len__(self._container) <= count:
            return
        now = self._now()
        kept = [*now[:count], *(element for element in now[count:] if not _is_ours(element))]
        if len(kept) < len(now):
            self.hold(kept)

    def begin(self) -> Callable[[], None] | None:
        """Take out what came to it; gives what brings that back, None where nothing came."""
        now = self._now()
        if len(now) == len(self._before):
            return None
        self.hold(self._before)
        return functools.partial(self.hold, now)

    def hold(self, elements: list[Any]) -> None:
        """Have these elements and no others."""
        self._kind.clear(self._container)
        _FILL[self._kind](self._container, elements)

    def _now(self) -> list[Any]:
        of = self._kind.items if issubclass(self._kind, dict) else self._kind.__iter__
        return list(of(self._container))

    def _flat(self) -> list[Any]:
        """The elements themselves: the items of a dictionary are made anew."""
        if not issubclass(self._kind, dict):
            return self._now()
        return [*self._kind.keys(self._container), *self._kind.values(self._container)]


def _is_ours(tree: Any) -> bool:
    """Whether something in it is an array that watches the user's code."""
    kind = type(tree)
    if kind in (list, tuple, dict):
        return any(map(_is_ours, tree.values() if kind is dict else tree))
    return issubclass(kind, np.ndarray) and kind.__module__.startswith("oracles.")


def _is_same(now: Any, before: Any) -> bool:
    """Whether it is what it was, or what stands for it where NumPy code is recorded."""
    if now is before or (id(now) in standing and standing[id(now)][1] is before):
        return True
    if type(now) is tuple and type(before) is tuple:  # the items of a dictionary are made anew
        return len(now) == len(before) and all(map(_is_same, now, before))
    return (attributes(now) or {}).get("stands_for", _ABSENT) is before


def _variables(namespace: dict[str, Any], names: Iterable[str], whole: bool = False) -> Keeper:
    """Variables of this name; `whole`: new ones go."""
    before = {name: namespace[name] for name in names if _is_data(namespace[name])}
    known = set(namespace)
    values = list(before.values())

    def put_back() -> bool:
        if (namespace.keys() == known if whole else before.keys() <= namespace.keys()) and all(
            map(operator.is_, map(namespace.__getitem__, before), values)
        ):
            return False
        moved = [name for name, value in before.items() if not _is_same(namespace.get(name, _ABSENT), value)]
        new = (
            [name for name, value in namespace.items() if name not in known and _is_data(value)]
            if whole
            else []
        )
        for name in moved:
            namespace[name] = before[name]
        for name in new:
            del namespace[name]
        return bool(moved or new)

    return put_back


def _attributes(owner: Any, now: Mapping[str, Any]) -> Keeper:
    """Attributes of a class, or of slots."""
    before = {name: value for name, value in now.items() if _is_data(value)}

    def put_back() -> bool:
        moved = [name for name, value in before.items() if not _is_same(getattr(owner, name, _ABSENT), value)]
        for name in moved:
            setattr(owner, name, before[name])
        return bool(moved)

    return put_back


def _plain(kind: type) -> dict[str, Any]:
    """The attributes of a class that hold numbers."""
    plain = (bool, int, float, str, list, tuple, dict, set, np.ndarray)
    return {n: v for n, v in vars(kind).items() if isinstance(v, plain) and not n.startswith("__")}


def _bare(functions: list[types.FunctionType]) -> Keeper:
    """Functions without attributes: new ones go."""

    def put_back() -> bool:
        new = [
            (own, name) for own in filter(None, map(vars, functions))
            for name, value in own.items() if _is_data(value)
        ]  # fmt: skip
        for own, name in new:
            del own[name]
        return bool(new)

    return put_back


def _cell(cell: types.CellType) -> Keeper | None:
    """A variable of a closure, if it holds numbers."""

    def read() -> Any:
        try:
            return cell.cell_contents
        except ValueError:
            return _ABSENT

    before = read()
    if before is _ABSENT or not _is_data(before):
        return None

    def put_back() -> bool:
        if _is_same(read(), before):
            return False
        cell.cell_contents = before
        return True

    return put_back


def _elements(array: Any) -> Keeper:
    """What an array of objects holds."""
    before = array.copy()

    def put_back() -> bool:
        if all(map(_is_same, array.flat, before.flat)):
            return False
        array[...] = before
        return True

    return put_back


class _Numbers:
    """The numbers of an array; whether a run wrote into it is remembered."""

    def __init__(self, array: Any) -> None:
        self.array, self._before, self._written = array, array.copy(), False

    def __call__(self) -> bool:
        if np.array_equal(self.array, self._before):  # where there is a NaN it is written anew, the same
            return False
        self._written = self.is_written()
        self.array[...] = self._before
        return True

    def is_written(self) -> bool:
        """Whether it was or is another."""
        has_nan = self.array.dtype.kind in "fc"
        return self._written or not np.array_equal(self.array, self._before, equal_nan=has_nan)


def _kept(read: Callable[[], Any], write: Callable[[Any], Any], told: Callable[[Any], Any]) -> Keeper:
    """What is read and written by functions, and told apart by what is `told` of it."""
    before = read()
    content = told(before)

    def put_back() -> bool:
        if told(read()) == content:
            return False
        write(before)
        return True

    return put_back


def _generator(generator: Any) -> Keeper:
    if isinstance(generator, random.Random):
        return _kept(generator.getstate, generator.setstate, lambda state: state)
    if isinstance(generator, np.random.RandomState):
        return _kept(generator.get_state, generator.set_state, repr)
    bits = generator.bit_generator
    return _kept(lambda: bits.state, lambda state: setattr(bits, "state", state), repr)


def _python_chance() -> Keeper:
    return _kept(random.getstate, random.setstate, lambda state: state)


def _numpy_chance() -> Keeper:
    """NumPy's shared random numbers."""
    read, write, bits = np.random.get_state, np.random.set_state, np.random.mtrand._rand._bit_generator
    before: Any = read()

    def told(state: Any) -> tuple[Any, ...]:
        return state[1].tobytes(), *state[2:]

    def put_back() -> bool:
        if told(read()) == told(before):
            return False
        write(before)
        return True

    if before[3] or type(bits) is not np.random.MT19937:
        return put_back
    words = _twister(bits)

    def looked_at() -> bool:
        # NumPy takes 50 us to list them; with no normal number beside them, whatever is drawn moves them.
        same = np.random.mtrand._rand._bit_generator is bits and _twister(bits) == words
        return not same and put_back()

    return looked_at


def _twister(bits: Any) -> bytes:
    """The memory of NumPy's shared generator: 624 words and where it is in them."""
    return ctypes.string_at(bits.ctypes.state_address, 4 * 625)
