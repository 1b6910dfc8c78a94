"""Writing to where the user said: what cannot be written is said as such, before the work if possible."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from harness.selection import UsageError


class Unwritten(RuntimeError):
    """A file or a stream takes no more: a disk is full, say."""


@contextmanager
def writing(to: object = "") -> Iterator[None]:
    """Inside is only written; a reader of a pipe that went away stays a `BrokenPipeError`.

    Args:
        to: Where; standard output, if it is not said here or by the error.

    Raises:
        Unwritten: Something cannot be written.
    """
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as problem:
        place = to or ("" if problem.filename else "standard output")
        said = f"{place}: {problem}" if place else str(problem)
        raise Unwritten(f"{said}: nothing more can be written there") from problem


def refuse_unwritable(option: str, folder: Path, made: bool = False) -> None:
    """Refuse a folder that takes no file, before the work whose result is to lie there.

    Args:
        option: What named it, with its value.
        folder: It.
        made: Whether it is made, with what is above it, where it is not there.

    Raises:
        UsageError: It takes none.
    """
    try:
        if made:
            folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as problem:
        raise UsageError(
            f"{option}: nothing can be written in {folder} ({problem.strerror or problem}); name a folder "
            "that takes files"
        ) from None
