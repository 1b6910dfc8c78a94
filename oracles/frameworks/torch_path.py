"""Whether torch takes the same path where it is watched: what it calls, compared with an unwatched run.

A dispatch mode sees the operators below autograd, so it changes what can be seen of it: torch's own code asks
for one (the gradients of prod and cumprod take another path), and so can a user's.
"""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

from oracles.exact.from_aten.call import words
from oracles.exact.from_aten.mode import DispatchMode, eagerly, handed_on

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # the newer profiler writes to the screen
    from torch.autograd import profiler_legacy

# What the engine does itself: it adds up gradients, and the elements of one that was broadcast.
ADDING = {"aten::sum", "aten::add", "aten::add_"}
# What moves numbers and computes none; which of them torch uses says nothing.
MOVES = frozenset(
    words(
        "empty empty_like empty_strided new_empty as_strided view _unsafe_view reshape _reshape_alias expand"
        " detach alias to _to_copy copy clone contiguous resize fill zero t transpose permute slice select"
        " squeeze unsqueeze narrow lift_fresh ones ones_like zeros zeros_like new_zeros scalar_tensor item"
        " _local_scalar_dense index_put"
    )
)
COMPILED = "Torch-Compiled Region"


class Path(NamedTuple):
    """What a run called: from Python (the user's code, and custom backwards), and within torch."""

    calls: Counter[str]
    kernels: Counter[str]


class Difference(NamedTuple):
    """Of a run from a watched one.

    Attributes:
        is_users: Whether Python code called something else, and not torch's own code.
        text: What was called, in words.
    """

    is_users: bool
    text: str


def difference(run: Callable[[], Any]) -> Difference | None:
    """What a run calls that it does not call where it is watched, or the other way round; None if nothing."""
    try:
        run()  # so that both find what a run leaves behind: buffers that are put back before each
        free = _path_of(run)
        with eagerly(), _Watching():  # type: ignore[no-untyped-call]
            watched = _path_of(run)
    except Exception as problem:  # another profiler is at work, or the run raises where it is watched
        return Difference(True, f"what it calls cannot be seen ({problem})")
    if any(name.startswith(COMPILED) for name in free.calls):
        return Difference(False, "it is compiled, and runs eagerly where it is recorded")
    for is_users, own, other in (True, free.calls, watched.calls), (False, free.kernels, watched.kernels):
        if own != other:
            calls = [(own - other, "where it runs"), (other - own, "where it is recorded")]
            told = [f"{_told(names)} only {where}" for names, where in calls if names]
            return Difference(is_users, f"it calls {' and '.join(told)}")
    return None


class _Watching(DispatchMode):  # type: ignore[no-untyped-call]
    """Lets every operator run."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return handed_on(func, args, kwargs or {})


def _path_of(run: Callable[[], Any]) -> Path:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with profiler_legacy.profile() as seen:  # type: ignore[no-untyped-call]
            run()
    calls, kernels = Counter[str](), Counter[str]()
    for event in seen.function_events:
        if event.cpu_parent is None:
            for name, from_python in _called(event, True):
                kernels[name] += name not in MOVES
                calls[name] += from_python
    return Path(+calls, +kernels)


def _called(event: Any, from_python: bool) -> Iterator[tuple[str, bool]]:
    """What an event calls, itself included, and whether Python did it."""
    name = event.name.removeprefix("aten::").removesuffix("_")
    node, engine = "::" not in event.name and "Backward" in name, name.startswith("autograd::engine")
    if engine:
        inside = from_python
    elif node:  # torch's own nodes are numbered
        inside = not name[-1].isdigit()
    else:
        inside = False
        if name != "detach":  # so the mode hands on what is a view
            yield name, from_python
    for child in _parts(event):
        adding = engine and child.name in ADDING
        yield from _called(child, inside and not adding)


def _parts(event: Any) -> Iterable[Any]:
    """What runs in an event; watched, that is what the watcher runs under the same name."""
    for child in event.cpu_children:
        if child.name == "PythonDispatchMode":
            yield from (part for own in child.cpu_children if own.name == event.name for part in _parts(own))
        else:
            yield child


def _told(names: Counter[str]) -> str:
    return ", ".join(sorted(names)[:3])
