"""The frameworks' own checkers, which run first and decide where nothing is proven."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from harness.checkers import HOMES

# What is called close under this tolerance is everything: only what is not a number's size is checked then.
LOOSE = {"atol": 1e30, "rtol": 0.0}
HOME = {name: home for home, names in HOMES.items() for name in names}
_originals: dict[str, Callable[..., Any]] = {}
_inside = ContextVar("inside", default=False)


def original(name: str) -> Callable[..., Any]:
    """A framework's own checker, whatever stands in its place by now."""
    if name not in _originals:
        keep_original(name, getattr(importlib.import_module(HOME[name]), name))
    return _originals[name]


def keep_original(name: str, function: Callable[..., Any]) -> None:
    """Remember the original before something else takes its place."""
    _originals.setdefault(name, function)


@contextmanager
def calling_originals() -> Iterator[None]:
    """Originals call each other: inside, a drop-in in the place of one is that one."""
    token = _inside.set(True)
    try:
        yield
    finally:
        _inside.reset(token)


def is_inside() -> bool:
    """Whether an original is at work, and a drop-in should be the original."""
    return _inside.get()


@dataclass(frozen=True)
class Outcome:
    """What an original returned or raised."""

    returned: Any = None
    raised: Exception | None = None

    @property
    def passed(self) -> bool:
        """Whether it found nothing."""
        return self.raised is None and self.returned is not False

    def again(self) -> Any:
        """Return that, or raise it."""
        if self.raised:
            raise self.raised
        return self.returned

    def words(self, error: type[Exception]) -> str:
        """Its message for what it rejects with this error, "" if it accepts it: suites look for it.

        Raises:
            Exception: It raised another error, which comes first.
        """
        if self.raised and not isinstance(self.raised, error):
            raise self.raised
        return f"{self.raised}\n" if self.raised else ""


def outcome(run: Callable[[], Any]) -> Outcome:
    """Run an original."""
    with calling_originals():
        try:
            return Outcome(run())
        except Exception as raised:
            return Outcome(raised=raised)
