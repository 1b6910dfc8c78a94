"""A job: what is done to items by a process that is anywhere, and what goes there and comes back.

Out goes the name of a function with its items; back comes plain data, which is checked.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Any, Generic, Protocol, TypeVar

import msgspec

from harness.runs.raised import staying
from harness.selection import Untrusted

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Job(Generic[Item, Result]):
    """What is done to items, wherever a process is.

    Attributes:
        do: A function of a module, which any process can import: the results of a batch, one an item.
        result: The type of a result, by which msgspec checks what arrives. It is plain data.
        failed: The result of an item that killed its process or outlasted the limit, with the reason.
        is_of: Whether a result is that of an item.
    """

    do: Callable[[list[Item]], list[Result]]
    result: Any
    failed: Callable[[Item, str], Result]
    is_of: Callable[[Item, Result], bool] = lambda item, result: True

    def request(self, items: list[Item]) -> bytes:
        """What `answer` reads. It names the function: the other process must be able to import it."""
        return pickle.dumps((self.do, items))

    def results(self, items: list[Item], answered: bytes) -> list[Result]:
        """What an answer holds.

        Raises:
            Untrusted: It is not one result for each item.
        """
        try:
            found: list[Result] = msgspec.msgpack.decode(answered, type=list[self.result])  # type: ignore[name-defined]
        except msgspec.MsgspecError as problem:
            raise Untrusted(f"a process answered what is no result: {problem}") from None
        if len(found) != len(items) or not all(map(self.is_of, items, found)):
            raise Untrusted(
                f"a process answered {len(found)} results of other items than the {len(items)} asked"
            )
        return found


def answer(request: bytes) -> bytes:
    """The answer to a request of a job, in the process that works."""
    with staying():  # pebble would raise it in the process that asked, and end that
        do, items = pickle.loads(request)
        return msgspec.msgpack.encode(do(items), enc_hook=_plain)


def _plain(value: Any) -> Any:
    """NumPy's single numbers as Python's."""
    if hasattr(value, "dtype") and hasattr(value, "item"):
        return value.item()
    raise TypeError(f"a result must be plain data, and it holds {type(value).__name__}")


class Fate(Enum):
    """What became of a batch that has no answer."""

    DIED = "its process died"
    LATE = "it took too long"
    KILLED = "its machine's worker died, again and again; nobody knows which batch killed it"
    LOST = "the connection was lost, and nobody is to blame"


@dataclass(frozen=True)
class Failure:
    """A batch came to nothing, and why."""

    fate: Fate
    why: str


@dataclass(eq=False)
class Unit(Generic[Item]):
    """A batch on its way.

    Attributes:
        items: At least one.
        request: What the other process reads.
        timeout_s: The most that it may take there.
        deaths: Of how many processes it was the last work.
        suspect: Whether it may have killed a worker: such units run one at a time.
    """

    items: list[Item]
    request: bytes
    timeout_s: float
    deaths: int = 0
    suspect: bool = False


class Pool(Protocol):
    """Processes that answer requests."""

    @property
    def room(self) -> int:
        """How many units it may hold: those at work, and few that wait."""

    @property
    def held(self) -> int:
        """How many it holds."""

    @property
    def joins(self) -> int:
        """How many items make a unit that is worth its way; smaller batches are joined."""

    def begin(self, unit: Unit[Any]) -> None:
        """Take a unit."""

    def ended(self) -> Iterator[tuple[Unit[Any], bytes | Failure]]:
        """The units that have ended, in the order in which they were begun; it waits for at least one."""
