"""What a function can change besides its arguments: put back before each evaluation, and after a check.

That is what is reached from it (`Reach`): attributes of objects and modules, lists and dictionaries,
variables of closures and globals that it names, arrays and tensors; and the process's random numbers and
settings.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from contextvars import ContextVar
from typing import Any, ParamSpec, TypeVar

from harness.subject.alone import alone
from harness.subject.signals import leaving
from harness.subject.state.chance import numpy_chance, python_chance
from harness.subject.state.containers import Cache, Contents
from harness.subject.state.found import Found, of_torch
from harness.subject.state.keeper import Keeper
from harness.subject.state.numbers import Numbers
from harness.subject.state.variables import Attributes, Coming
from oracles.exact.from_numpy.held import recording
from oracles.exact.from_numpy.writes import Writes, writable, written
from oracles.exact.program.errors import Unsupported
from oracles.exact.program.whole import whole

Logs = Contents | Cache | Attributes | Coming
P = ParamSpec("P")
R = TypeVar("R")


class State:
    """What functions reach, and what the process shares, as they are now.

    A hand-written gradient starts from where its last call left it, as any caller's would: what changes from
    call to call is found so. At the end it is put back, too. What code only adds to a list is a log, and
    stays, unless it shall go too (`logs`).
    """

    def __init__(self, functions: Iterable[Any], gradients: Iterable[Any] = (), logs: bool = False) -> None:
        self._roots = list(functions), list(gradients), logs
        functions, gradients, _ = self._roots
        found = Found(logs)
        items = found.items(functions)
        self._reached, own = found.keepers(items), found.items(gradients)
        self._left = found.keepers(own)
        self._begun = Found(logs=True).keepers(own)  # logs and variables included
        self._items = [*items, *own]
        self._arrays = [keeper for keeper in (*self._reached, *self._left) if isinstance(keeper, Numbers)]
        self._shared = [python_chance(), numpy_chance(), *of_torch("shared")]
        self._moved: list[Keeper] = []
        self._carries = False

    def keep(self, arrays: Iterable[Any]) -> None:
        """Put these back before each evaluation, too."""
        found = Found()
        self._reached += found.keepers(found.items(arrays))

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

    def begin_gradients(self) -> bool:
        """Put back what gradients by hand keep, as it was at the very beginning; whether it had moved."""
        came = [keeper.begin() for keeper in self._begun if isinstance(keeper, Logs)]
        return any([*came, *(keeper() for keeper in self._begun)])

    def written(self) -> list[Any]:
        """The arrays that evaluations were seen to write into."""
        return [keeper.array for keeper in self._arrays if keeper.is_written()]

    @contextmanager
    def carried(self) -> Iterator[bool]:
        """Whether evaluations leave anything behind; within, each finds what the last one left.

        The first finds what was there at the very beginning: what they kept in logs and caches is out, and
        what gradients by hand kept anywhere.
        """
        now = Found(logs=True).keepers(self._items)
        came = [keeper.begin() for keeper in self._reached if isinstance(keeper, Logs)]
        left = [*came, self.restart(), self.begin_gradients()]
        self._carries = True
        try:
            yield any(left)
        finally:
            self._carries = False
            for bring_back in now:
                bring_back()

    @contextmanager
    def as_begun(self) -> Iterator[None]:
        """Within, containers hold what they did at the beginning: what runs keep is numbers to a record."""
        grown = [keeper for keeper in self._reached if isinstance(keeper, Contents) and keeper.has_grown]
        elements = [keeper.elements for keeper in grown]
        for keeper in grown:
            keeper.begin()
        try:
            yield
        finally:
            for keeper, own in zip(grown, elements, strict=True):
                keeper.hold(own)

    @contextmanager
    def after(self, run: Callable[[], object]) -> Iterator[bool]:
        """Whether a run leaves anything behind; within, evaluations start from what it leaves."""
        now = dict(vars(self))
        logs = [keeper for keeper in self._reached if isinstance(keeper, Contents)]
        with self.as_begun():
            self.restart()
            run()
            leaves = self.restart() or any(keeper.has_grown for keeper in logs)
            if leaves:
                run()
                vars(self).update(vars(State(*self._roots)))
            try:
                yield leaves
            finally:
                vars(self).update(now)
                for keeper in logs:
                    keeper.begin()
                self.restart()
                self.begin_gradients()

    @contextmanager
    def within(self, context: AbstractContextManager[object]) -> Iterator[None]:
        """Within this context, which may change what is reached, evaluations start from what it made."""
        now = dict(vars(self))
        with context:
            vars(self).update(vars(State(*self._roots)))
            try:
                yield
            finally:
                vars(self).update(now)

    def aside(self) -> AbstractContextManager[None]:
        """Within, all that is reached may change; after it, it is as it was before."""
        functions, gradients, _ = self._roots
        return unchanged([*functions, *gradients])

    def restore(self) -> None:
        """Put everything back; what was made once stays with a log that grew, which may know of it."""
        for keeper in (*self._reached, *self._left, *self._shared):
            keeper()
            if isinstance(keeper, Contents):
                keeper.without_ours()
        every = (*self._reached, *self._begun)
        if not any(isinstance(keeper, Contents) and keeper.has_more for keeper in every):
            for keeper in every:
                if isinstance(keeper, Attributes | Coming):
                    keeper.begin()


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
        before = ExitStack()
        try:
            whole.begun += 1
            with whole:
                before.callback(_now.reset, _now.set(state))
                before.callback(written.reset, written.set(Writes(state.written)))
            return check(*args, **kwargs)
        finally:
            whole.begun += 1
            with whole:
                before.close()
                state.restore()

    return kept


def _is_code(value: Any) -> bool:
    """Whether it may change something: a function, a layer or a network."""
    return callable(value) or any(callable(getattr(value, name, None)) for name in ("forward", "gradient"))
