"""NumPy as the recorded code sees it: `np` in the globals of the user's modules, for the time of one call.

Allocating functions make arrays that can take traced elements (see `memory`). Random numbers are refused:
they have no exact value; but where the seed is reset they are the same every time. Everything else is NumPy's
own, which hands traced arrays over by itself. All this holds in the user's code that the function may run, in
the recording thread: other threads that run the same code see NumPy as it is.
"""

from __future__ import annotations

import builtins
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType, ModuleType
from typing import Any

from oracles.exact.from_numpy.array import TracedArray
from oracles.exact.from_numpy.chance import seeds_set
from oracles.exact.from_numpy.held import Held, recording, standing, writable
from oracles.exact.from_numpy.libraries.distributions import Distribution, Frozen
from oracles.exact.from_numpy.libraries.sparse import products
from oracles.exact.from_numpy.numbers import Number
from oracles.exact.from_numpy.places import Builtin, Place, Search
from oracles.exact.from_numpy.stand_ins import Function, Module, Ufunc
from oracles.exact.from_numpy.substitutes import Substitutes
from oracles.exact.from_numpy.tape import Tape
from oracles.exact.program.reach import OURS, built_in

_one_at_a_time = threading.RLock()  # two recordings would put their substitutes over each other's


@contextmanager
def substituted(
    tape: Tape, function: Any, *others: Any, further: Mapping[int, Any] = MappingProxyType({})
) -> Iterator[Any]:
    """Inside the block the code that is reachable from the function sees the substitutes.

    The function itself, or what replaces it, is given. Afterwards what held them holds the originals again,
    and what the code stored of the recording (a layer's running mean, say) is what it was before.
    """
    substitutes, saved = Substitutes(tape, further), list[tuple[Place | Builtin, Any, Any]]()
    search = Search()
    _one_at_a_time.acquire()
    token, drawn, written = recording.set(tape), seeds_set.set(()), writable.set(substitutes.writable)
    imported = builtins.__import__
    try:
        # All are found before the first is written to: what we put in place is not searched itself.
        places = list(search.places([function, *others]))
        if search.tells_numbers_apart:
            substitutes.leave_numbers()
        for place in places:
            old = place.read()
            new = substitutes.of(old)
            if new is not None:
                saved.append((place, old, new))
                standing[id(new)] = new, old
                place.write(new)
        builtins.__import__ = _importing(imported, substitutes, search)
        with products():
            yield substitutes.of(function) or function
    finally:
        builtins.__import__ = imported
        for place, old, new in reversed(saved):
            if place.read() is new:
                place.write(old)
            standing.pop(id(new), None)
        search.forget(_is_ours)
        writable.reset(written)
        recording.reset(token)
        seeds_set.reset(drawn)
        _one_at_a_time.release()


def _is_ours(tree: Any) -> bool:
    """Whether something in it is of the recording alone."""
    if issubclass(type(tree), list | tuple | dict):
        base = built_in(tree)
        return any(map(_is_ours, dict.values(tree) if base is dict else base.__iter__(tree)))
    return type(tree) in (TracedArray, Held, Module, Function, Ufunc, Number, Distribution, Frozen)


def _importing(
    imported: Callable[..., ModuleType], substitutes: Substitutes, search: Search
) -> Callable[..., Any]:
    """What `import` does inside the user's functions: they see the substitutes too."""

    def new(name: str, globals: Any = None, locals: Any = None, fromlist: Any = (), level: int = 0) -> Any:
        found = imported(name, globals, locals, fromlist, level)
        known = globals or {}
        if not recording.get() or str(known.get("__file__")).startswith(OURS):
            return found
        return (substitutes.of(found) or found) if search.is_user(known.get("__name__")) else found

    return new
