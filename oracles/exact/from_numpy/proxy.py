"""NumPy as the recorded code sees it: `np` in the globals of the user's modules, for the time of one call.

Allocating functions make arrays that can take traced elements (see `memory`). Random numbers are refused:
they have no exact value; but where the seed is reset they are the same every time. Everything else is NumPy's
own, which hands traced arrays over by itself. All this holds in the user's code that the function may run, in
the recording thread: other threads that run the same code see NumPy as it is, and so do modules that are
loaded meanwhile (see `loading`).
"""

from __future__ import annotations

import builtins
import sys
import threading
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from types import MappingProxyType, ModuleType
from typing import Any

from oracles.exact.from_numpy.array import is_traced
from oracles.exact.from_numpy.chance import seeds_set
from oracles.exact.from_numpy.held import Held, recording, standing
from oracles.exact.from_numpy.libraries.distributions import Distribution, Frozen
from oracles.exact.from_numpy.libraries.sparse import products
from oracles.exact.from_numpy.loading import loading
from oracles.exact.from_numpy.numbers import Number
from oracles.exact.from_numpy.places import Builtin, Place, Search
from oracles.exact.from_numpy.stand_ins import Function, Module, Ufunc
from oracles.exact.from_numpy.substitutes import Substitutes
from oracles.exact.from_numpy.tape import Tape
from oracles.exact.from_numpy.writes import writable
from oracles.exact.program.containers import built_in_kind, values_of
from oracles.exact.program.user_modules import OURS
from oracles.exact.program.whole import whole

_one_at_a_time = threading.RLock()  # two recordings would put their substitutes over each other's


@contextmanager
def substituted(
    tape: Tape, function: Any, *others: Any, further: Mapping[int, Any] = MappingProxyType({})
) -> Iterator[Any]:
    """Inside the block the code that is reachable from the function sees the substitutes.

    The function itself, or what replaces it, is given. Afterwards what held them holds the originals again,
    and what the code stored of the recording (a layer's running mean, say) is what it was before.
    """
    substitutes = Substitutes(tape, further)
    places = _Places(substitutes, [function, *others])
    before = ExitStack()
    with _one_at_a_time:
        try:
            whole.begun += 1
            with whole:
                before.callback(recording.reset, recording.set(tape))
                before.callback(seeds_set.reset, seeds_set.set(()))
                before.callback(writable.reset, writable.set(substitutes.writable))
                places.fill()
            with loading(lambda: recording.get() is tape, places.lifted):
                yield substitutes.of(function) or function
        finally:
            whole.begun += 1
            with whole, before:
                places.empty()
                # What is begun again starts from what was there: it broke off, halfway through the code.
                places.search.forget(_is_data if substitutes.writable.is_refused else _is_ours)


class _Places:
    """Where the substitutes stand.

    Attributes:
        search: Finds the places.
    """

    def __init__(self, substitutes: Substitutes, roots: list[Any]) -> None:
        self._substitutes, self._roots = substitutes, roots
        self._saved: list[tuple[Place | Builtin, Any, Any]] = []
        self._import, self._hook, self._is_hooked = builtins.__import__, self._importing, False
        self._products = ExitStack()
        self._loaded = 0
        self.search = Search()

    def fill(self) -> None:
        """Put the substitutes in place: in what is found, and where they were."""
        # All are found before the first is written to: what we put in place is not searched itself.
        before, places = self._saved, list[Place | Builtin]()
        if len(sys.modules) != self._loaded:
            self._substitutes.look_again()
            places += self.search.places(self._roots, self._substitutes.replacer_for)
            self._loaded = len(sys.modules)
            if self.search.tells_types_apart:
                self._substitutes.leave_types()
        self._saved = []
        for place in places:
            self._replace(place)
        for place, old, _ in before:
            if place.read() is old:
                self._replace(place)
        if not self._is_hooked:
            self._import, builtins.__import__ = builtins.__import__, self._hook
            self._is_hooked = True
        self._products.enter_context(products())

    def empty(self) -> None:
        """Put the originals back."""
        if builtins.__import__ is self._hook:  # the code may have put its own around it
            builtins.__import__ = self._import
            self._is_hooked = False
        self._products.close()
        for place, old, new in reversed(self._saved):
            if place.read() is new:
                place.write(old)
            standing.pop(id(new), None)

    @contextmanager
    def lifted(self) -> Iterator[None]:
        """Inside the block the originals stand in their places; then the substitutes, in new ones too."""
        if recording.get() is None:
            yield
            return
        token = recording.set(None)
        self.empty()
        try:
            yield
        finally:
            recording.reset(token)
            self.fill()

    def _replace(self, place: Place | Builtin) -> None:
        old = place.read()
        new = self._substitutes.of(old)
        if new is not None:
            self._saved.append((place, old, new))
            standing[id(new)] = new, old
            place.write(new)

    def _importing(
        self, name: str, globals: Any = None, locals: Any = None, fromlist: Any = (), level: int = 0
    ) -> Any:
        """What `import` does inside the user's functions: they see the substitutes too."""
        found = self._import(name, globals, locals, fromlist, level)
        known = globals or {}
        if not recording.get() or str(known.get("__file__")).startswith(OURS):
            return found
        is_followed = self.search.is_user(known.get("__name__"))
        return (self._substitutes.of(found) or found) if is_followed else found


def _is_data(value: Any) -> bool:
    """Whether it is neither code nor a module, which is loaded once."""
    return not callable(value) and not issubclass(type(value), ModuleType)


def _is_ours(tree: Any) -> bool:
    """Whether something in it is of the recording alone."""
    if issubclass(type(tree), list | tuple | dict | deque):
        return any(map(_is_ours, values_of(built_in_kind(type(tree)), tree)))
    return is_traced(tree) or type(tree) in (Held, Module, Function, Ufunc, Number, Distribution, Frozen)
