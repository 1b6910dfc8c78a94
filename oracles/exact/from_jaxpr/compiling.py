"""What JAX compiles while a check runs is compiled once: equal programs, to the last option.

JAX knows a program again by the identity of what was traced. A scan whose body is a new closure in each call
is another one in each run of a check, and is the same to the compiler.
"""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock
from typing import Any

from jax._src import cache_key, compiler  # what it compiles has no public name

from oracles.exact.from_jaxpr.meanwhile import Meanwhile

MOST = 64  # programs that are kept
_compile = compiler.compile_or_get_cached
_made: OrderedDict[tuple[int, str], Any] = OrderedDict()  # each keeps its backend alive
_keeping = Lock()


def _once(
    backend: Any, computation: Any, devices: Any, options: Any, callbacks: Any, *more: Any, **named: Any
) -> Any:
    key = None if callbacks else _key(backend, computation, devices, options)
    if key is None:
        return _compile(backend, computation, devices, options, callbacks, *more, **named)
    with _keeping:
        found = _made.pop(key, None)
    if found is None:
        found = _compile(backend, computation, devices, options, callbacks, *more, **named)
    with _keeping:
        _made[key] = found
        while len(_made) > MOST:
            _made.popitem(last=False)
    return found


def _key(backend: Any, computation: Any, devices: Any, options: Any) -> tuple[int, str] | None:
    """The same for equal programs; None of one that calls Python, whose address it has in it.

    None, too, where another version of JAX knows its programs otherwise: then each is compiled.
    """
    try:
        if "callback" in computation.operation.get_asm(large_elements_limit=1):
            return None
        return id(backend), cache_key.get(computation, devices, options, backend)
    except (AttributeError, TypeError):
        return None


compiling_once = Meanwhile(
    lambda: setattr(compiler, "compile_or_get_cached", _once),
    lambda: setattr(compiler, "compile_or_get_cached", _compile),
)
