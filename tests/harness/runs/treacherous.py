"""Work that does what no work should, for the tests of what runs it; any process can import it."""

import importlib
import os
import signal
import sys
import time
from pathlib import Path

from harness.runs.jobs import Job


def square(items):
    return [item * item for item in items]


def treacherous(items):
    """Item 4 kills its process, 9 hangs."""
    for item in items:
        if item == 4:
            os.kill(os.getpid(), signal.SIGKILL)
        if item == 9:
            time.sleep(60)
    return square(items)


def deadly(items):
    """Item 4 kills the process that has started its own: the worker of a cluster."""
    if 4 in items:
        os.kill(os.getppid(), signal.SIGKILL)
        time.sleep(60)
    return square(items)


def importing(items):
    """It imports the script that asks."""
    importlib.import_module("script")
    return square(items)


def raising(items):
    raise ArithmeticError(f"cannot do {items}")


def ending(items):
    """Item 4 would end the process that asks, with success."""
    if 4 in items:
        sys.exit(0)
    return square(items)


def vanishing(items):
    """Item 4 ends its process as if all were well."""
    if 4 in items:
        os._exit(0)
    return square(items)


def odd(items):
    """What is no plain data."""
    return [object() for _ in items]


def waiting(items):
    """Items are the names of files: write the own number into the one, and wait until it is gone."""
    for item in items:
        file = Path(item)
        file.write_text(str(os.getpid()))
        while file.exists():
            time.sleep(0.05)
    return items


def worker(items):
    """Who does it."""
    time.sleep(0.02)
    return [os.getpid() for _ in items]


def span(items):
    """When a batch begins and ends."""
    begun = time.monotonic()
    time.sleep(0.1)
    return len(items) * [[begun, time.monotonic()]]


def said(item, why):
    return item, why


def batches(count):
    return ([3 * k, 3 * k + 1, 3 * k + 2] for k in range(count))


def job(do, result=int | tuple[int, str]):
    return Job(do, result, said)


def results_and_lost(found):
    """The plain results, sorted, and why the other items failed."""
    found = list(found)
    return sorted(r for r in found if isinstance(r, int)), dict(r for r in found if isinstance(r, tuple))
