"""What a worker of a Dask cluster does: it hands each unit to a process of its own, which may die or hang.

So a unit ends here as it would with `--jobs`, and the worker itself, which computes nothing, stays. Each of
its threads has one process. Nothing heavy is imported.
"""

from __future__ import annotations

import multiprocessing
import os
import socket
import threading
import time
import traceback

import msgspec
from msgspec.structs import replace

from harness.runs.jobs import Failure, Fate, Unit
from harness.runs.processes import Processes, end_with_parent

_own = threading.local()
DAEMON = (
    "its nanny allows it no processes of its own: start it with `dask worker --no-nanny`, or set "
    "DASK_DISTRIBUTED__WORKER__DAEMON=False for it"
)


class Order(msgspec.Struct, frozen=True):
    """What a client asks.

    Attributes:
        request: As `jobs.answer` reads it.
        timeout_s: The most that it may take.
        environment: The client's variables that decide numbers, such as OMP_NUM_THREADS.
    """

    request: bytes
    timeout_s: float
    environment: dict[str, str]


class Reply(msgspec.Struct, frozen=True):
    """What became of it.

    Attributes:
        answered: The answer; None where there is none.
        fate, why: What became of the unit then.
        raised: What the work raised, as a traceback.
        refused: Why this worker can do no work.
        worker: Which one it is.
        seconds: How long it took.
    """

    answered: bytes | None = None
    fate: Fate | None = None
    why: str = ""
    raised: str = ""
    refused: str = ""
    worker: str = ""
    seconds: float = 0.0


def do(order: bytes) -> bytes:
    """The reply to an order; both are msgpack."""
    begun = time.monotonic()
    reply = _reply(msgspec.msgpack.decode(order, type=Order))
    who, took = f"{socket.gethostname()}, process {os.getpid()}", time.monotonic() - begun
    return msgspec.msgpack.encode(replace(reply, worker=who, seconds=took))


def _reply(order: Order) -> Reply:
    if multiprocessing.current_process().daemon:
        return Reply(refused=DAEMON)
    pool = _pool(order.environment)
    pool.begin(Unit([None], order.request, order.timeout_s))
    try:
        ((_, found),) = pool.ended()
    except Exception:  # of the work
        return Reply(raised=traceback.format_exc())
    if isinstance(found, Failure):
        return Reply(fate=found.fate, why=found.why)
    return Reply(answered=found)


def begin() -> None:
    """What each process does first, before its work is timed: to know what it is takes a second."""
    end_with_parent()
    from harness.runs.versions import versions

    versions()


def _pool(environment: dict[str, str]) -> Processes:
    """This thread's process, with this environment."""
    had = getattr(_own, "pool", None)
    if had is not None and _own.environment == environment:
        return _own.pool  # type: ignore[no-any-return]
    if had is not None:
        had.__exit__()
    os.environ.update(environment)
    _own.pool, _own.environment = Processes(1, begin).__enter__(), environment
    return _own.pool  # type: ignore[no-any-return]
