"""What the user's code raised, in its own lines; what would end the program is an error like any other."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

_HOME = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
# Where our own files lie, as the beginnings of their paths.
OURS = tuple(os.path.join(_HOME, name, "") for name in ("harness", "gradproof", "oracles", "reference"))
# Libraries that we call, beside those that users call: what they raise is no fault of the user's lines.
CALLED = frozenset(
    {"altair", "cyclopts", "distributed", "filelock", "jinja2", "msgspec", "pebble", "tabulate"}
)
MOST_LINES = 8  # of the user's that are shown, the innermost


class Raised(Exception):
    """The user's code raised an error; the text has its lines."""


class Ended(Exception):
    """The user's code would have ended the program: `sys.exit()`, or what else is no `Exception`."""


@contextmanager
def staying() -> Iterator[None]:
    """Inside runs the user's code: it does not end the program, and no exit code of its own passes for ours.

    Raises:
        Ended: It raised `SystemExit`, or what else is no `Exception`; Ctrl-C stays what it is.
    """
    try:
        yield
    except (Exception, KeyboardInterrupt):
        raise
    except BaseException as problem:
        raise Ended(ending(problem)) from problem


def refuse_silent_exit() -> None:
    """Make `os._exit(0)` in this process a failure: what the user's code ends has compared nothing.

    A process that is forked from this one may end so.
    """
    leave, own = os._exit, os.getpid()

    def failing(status: int) -> NoReturn:
        if status == 0 and os.getpid() == own:
            caller = sys._getframe(1)
            place = f"{caller.f_code.co_filename}, line {caller.f_lineno}"
            text = f"gradproof: os._exit(0) in {place} ends the program; return a value, or raise an error\n"
            os.write(2, text.encode())
            status = 1
        leave(status)

    os._exit = failing


def ending(problem: BaseException) -> str:
    """What would have ended the program, where, and what to do, in a line."""
    # Of code that is not the user's, such as a plugin of pytest, the innermost line.
    places = _users(problem) or [place for _, place in _walked(problem)]
    named = type(problem).__name__
    what = " ".join(f"{named}({', '.join(map(repr, problem.args))})".split())
    where = f" in {places[-1].filename}, line {places[-1].lineno}" if places else ""
    return f"{what}{where} would end the program; return a value, or raise an error"


def raised_line(problem: BaseException) -> str:
    """What was raised, in a line; of what would end the program, where."""
    from oracles.exact.program.errors import first_line

    return first_line(problem) if isinstance(problem, Exception) else ending(problem)


def is_users(problem: BaseException, libraries: Collection[str] = ()) -> bool:
    """Whether the user's code raised it, itself or in what it calls.

    Args:
        problem: What was raised.
        libraries: Packages that count as the user's, since a function of theirs was named.
    """
    whose = [is_of for frame, _ in _walked(problem) if (is_of := _owner(frame, libraries))]
    return bool(whose) and whose[-1] == "user"


def told(problem: BaseException, what: str, libraries: Collection[str] = ()) -> str:
    """What the user's code raised, with its own lines of the traceback, and the notes."""
    lines = _users(problem, libraries)
    more = len(lines) - MOST_LINES
    left_out = [f"  ... {more} more lines of yours\n"] if more > 0 else []
    said = "".join(traceback.format_exception_only(problem)).rstrip()
    return f"{what} raises\n{''.join([*left_out, *_formatted(lines[-MOST_LINES:])])}{said}"


def _formatted(lines: Iterable[traceback.FrameSummary]) -> list[str]:
    return traceback.format_list(list(lines))


def _users(problem: BaseException, libraries: Collection[str] = ()) -> list[traceback.FrameSummary]:
    return [place for frame, place in _walked(problem) if _owner(frame, libraries) == "user"]


def _walked(problem: BaseException) -> list[tuple[FrameType, traceback.FrameSummary]]:
    """The frames that it came through, the innermost last, each with its line."""
    frames = [frame for frame, _ in traceback.walk_tb(problem.__traceback__)]
    return list(zip(frames, traceback.extract_tb(problem.__traceback__), strict=True))


def _owner(frame: FrameType, libraries: Collection[str]) -> str:
    """Whose a frame is: "ours", "user", or "" for a library's."""
    from oracles.exact.program.user_modules import NOT_USER  # not before something is raised: it loads NumPy

    if frame.f_code.co_filename.startswith(OURS):
        return "ours"
    root = str(frame.f_globals.get("__name__", "")).partition(".")[0]
    return "user" if root in libraries or root not in NOT_USER | CALLED else ""
