"""What is done whole or not at all: an interrupt that comes meanwhile waits until it is done."""

from __future__ import annotations

from collections.abc import Callable
from threading import local


class _Whole(local):
    """A context for steps that must not be left half done, such as putting back what was replaced.

    Python runs handlers of signals in the main thread, and may do so at each call. So what begins is counted
    in the statement before, which is no call: `whole.begun += 1`, then `with whole:`. A handler that is
    given to `after` meanwhile waits until the context is left.
    """

    begun = 0

    def __init__(self) -> None:
        self._waiting: list[Callable[[], object]] = []

    def __enter__(self) -> None:
        pass

    def __exit__(self, *raised: object) -> None:
        self.begun -= 1
        while self._waiting and not self.begun:
            self._waiting.pop(0)()

    def after(self, handler: Callable[[], object]) -> object:
        """What the handler gives; nothing yet where it has to wait."""
        if not self.begun:
            return handler()
        self._waiting.append(handler)
        return None


whole = _Whole()
