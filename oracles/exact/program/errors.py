"""What the exact oracle says instead of guessing, and what a function must not make of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import numpy as np

from oracles.exact.program.program import Line


class ExactError(Exception):
    """The exact oracle cannot answer; the message says why and what to do.

    Attributes:
        line: The user's line that it is about, where that is known.
    """

    def __init__(self, *said: object, line: Line | None = None) -> None:
        super().__init__(*said)
        self.line = line
        raised = _raised.get()
        if raised is not None:
            raised.append(self)


def first_line(problem: Exception) -> str:
    """What an exception says, in one line, after its kind."""
    text = str(problem).strip().splitlines()
    return f"{type(problem).__name__}: {text[0]}" if text else type(problem).__name__


class Undecided(ExactError):
    """No precision within the limits decides a comparison or narrows an element (docs/limits.md)."""


MANY = 16  # elements: of more nobody reads which they are


class Turned(Undecided):
    """A branch is certainly another one than was recorded: no more bits change that."""

    @classmethod
    def from_(cls, expected: object, here: object) -> Turned:
        """Which was recorded, and what it is here; of many elements how many are others."""
        one, other = np.asarray(expected), np.asarray(here)
        if one.shape == other.shape and one.size > MANY:
            count = int(np.count_nonzero(one != other))
            return cls(f"the program was recorded where {count} of {one.size} branches took another side")
        return cls(f"the program was recorded where a branch took {expected}; here it is {here}")


class Pole(Undecided):
    """A function of exact numbers has no value there: 0 / 0, the logarithm of 0. More bits change nothing."""


class Unseen(Undecided):
    """Slopes agree on all sides that were seen, and there may be others. More bits change nothing."""


class Exhausted(Undecided):
    """The work that is allowed was done, and it was not enough."""


class Unsupported(ExactError):
    """An operation has no rule, or a value would leave the balls (docs/limits.md, `gradproof list ops`)."""


class Opaque(Unsupported):
    """No rule, or code outside the framework, for which a plain function may stand."""


_raised: ContextVar[list[ExactError] | None] = ContextVar("raised", default=None)


@contextmanager
def listening() -> Iterator[list[ExactError]]:
    """Inside, every such error is added to the list as it is made, whoever catches it."""
    raised: list[ExactError] = []
    token = _raised.set(raised)
    try:
        yield raised
    finally:
        _raised.reset(token)


@contextmanager
def uncaught() -> Iterator[None]:
    """Inside runs a user's function under recording: what is refused it must not answer by another path.

    `try: return float(x)`, `except TypeError: ...` computes one thing where it runs and another where it is
    recorded.

    Raises:
        Undecided: The function caught a refusal and returned.
        ExactError: The refusal, over which the function, or compiled code in it, raised an error of its own.
    """
    with listening() as raised:
        try:
            yield
        except ExactError:
            raise
        except Exception as error:
            if isinstance(error.__cause__, ExactError):
                raise error.__cause__ from None  # NumPy puts its own error over ours where it wants a number
            if not raised:
                raise
            raise raised[0] from None
    if raised:
        raise Undecided(
            "the function catches what is refused here, so it may take another path than where it runs: "
            f"{raised[0]}"
        ) from None
