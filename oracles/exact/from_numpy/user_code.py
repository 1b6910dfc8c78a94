"""Where the recorded code is: the line of the user's that is running, and the library function it called."""

from __future__ import annotations

import functools
import linecache
import os
import sys
import sysconfig
from collections.abc import Iterator
from types import FrameType, FunctionType
from typing import Any

from oracles.exact.program.program import Line
from oracles.exact.program.user_modules import NOT_USER, OURS

_STANDARD, _INSTALLED = (sysconfig.get_path(name) for name in ("stdlib", "purelib"))


def line() -> Line:
    """The line of the user's code that is running."""
    frame, _ = _users()
    return Line(frame.f_code.co_filename, frame.f_lineno, frame.f_lasti)


def place() -> str:
    """The line of the user's code that is running, and the library function that it called, if any."""
    frame, called = _users()
    file = os.path.abspath(frame.f_code.co_filename)
    line = linecache.getline(file, frame.f_lineno).strip()
    library = f" (in {called.f_globals.get('__name__')}.{called.f_code.co_name})" if called else ""
    return f"{file}:{frame.f_lineno}: {line}{library}"


def library_function() -> str | None:
    """What users call the function of NumPy's, SciPy's or Python's that their code called; None if none."""
    _, called = _users()
    module = "" if called is None else str(called.f_globals.get("__name__"))
    if called is None or module.partition(".")[0] not in NOT_USER:
        return None
    code = called.f_code
    held = [called.f_locals.get(name) for name in code.co_freevars]
    decorated = [f for f in held if isinstance(f, FunctionType)] if "<locals>" in code.co_qualname else []
    if code.co_varnames[:1] in (("self",), ("cls",)) and not decorated:
        first = called.f_locals.get(code.co_varnames[0])
        owner = first if isinstance(first, type) else type(first)
        called_as = "" if code.co_name in ("__init__", "__new__", "__call__") else f".{code.co_name}"
        named = _public(str(owner.__module__), "", first, owner)
        return f"{named or module}{called_as}"
    for function in decorated:
        if named := _public(str(function.__module__), function.__name__):
            return named
    first_name, dot, rest = code.co_qualname.partition(".")
    return f"{_public(module, first_name) or f'{module}.{first_name}'}{dot}{rest}"


def _public(module: str, name: str, *objects: Any) -> str:
    """The shortest path to what has this name, or is one of these objects; empty if none leads there."""
    parts = module.split(".")
    for path in (".".join(parts[:n]) for n in range(1, len(parts) + 1)):
        for own, value in list(vars(sys.modules[path]).items()) if path in sys.modules else ():
            if own == name or any(value is one for one in objects):
                return f"{path}.{own}"
    return ""


def _users() -> tuple[FrameType, FrameType | None]:
    """The user's frame that is running, and that of the library function that it called, if any.

    It is the innermost that is not installed; where all is installed, the innermost but NumPy's and Python's.
    """
    called, installed, last = None, None, None
    for frame in _recorded():
        file, last = frame.f_code.co_filename, frame
        if not _is_installed(file):
            return frame, called
        called = frame
        name = str(frame.f_globals.get("__name__"))
        if installed is None and file.startswith(_INSTALLED) and not name.startswith("numpy"):
            installed = frame
    found = installed or last
    assert found is not None, "what is recorded has a frame"
    return found, None


def _recorded() -> Iterator[FrameType]:
    """The frames of the code that is recorded, from the innermost: those between ours.

    Where they are NumPy's alone, whose code is followed, those that called it come after them.
    """
    frame: FrameType | None = sys._getframe(1)
    only_numpy = True
    while only_numpy and frame is not None:
        while frame is not None and _lies_in_ours(frame.f_code.co_filename):
            frame = frame.f_back
        while frame is not None and not _lies_in_ours(frame.f_code.co_filename):
            only_numpy = only_numpy and str(frame.f_globals.get("__name__")).startswith("numpy")
            yield frame
            frame = frame.f_back


def is_ours(frame: FrameType) -> bool:
    """Whether it runs code of ours."""
    return _lies_in_ours(frame.f_code.co_filename)


def names(frame: FrameType, name: str) -> bool:
    """Whether its code has this name: then it asks for it, and not compiled code that it calls."""
    return name in frame.f_code.co_names or name in frame.f_code.co_consts


@functools.cache
def _lies_in_ours(file: str) -> bool:
    return file.startswith(OURS)


@functools.cache
def _is_installed(file: str) -> bool:
    return file.startswith((_STANDARD, _INSTALLED))
