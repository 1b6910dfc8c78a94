"""What is not right and passes all the same, with a warning: a library's fault, or what is known."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from harness.proof.question import Part
from harness.verdicts import Standing, Verdict
from oracles.exact.program.user_modules import OURS
from oracles.exact.program.words import shown

NOT_RIGHT = tuple(v for v in Verdict if v.standing in {Standing.FAULTY, Standing.OPEN})


class Upstream(StrEnum):
    """What becomes of a gradient that loses digits in a library's function alone."""

    WARN = "warn"
    FAIL = "fail"


class UpstreamWarning(UserWarning):
    """A gradient is not right, and passes: whose fault it is, or that it is known."""


@dataclass(frozen=True)
class Known:
    """One finding that you accept, with a reason and a link. It is strict: once it is gone, the check fails.

    Attributes:
        verdict: What is found: "imprecise", "miscomputed", "wrong", "undecided" or "unsupported".
        reason: Why you accept it.
        link: Where it is reported or discussed.
        argument: The argument whose gradient it is; any if "".
        input: The point: "given", or the name of a boundary value; any if "".

    Raises:
        ValueError: The verdict is no such one, or the reason or the link is missing.
    """

    verdict: str
    reason: str
    link: str
    argument: str = ""
    input: str = ""

    def __post_init__(self) -> None:
        if self.verdict not in NOT_RIGHT:
            allowed = ", ".join(NOT_RIGHT)
            raise ValueError(f"a known finding's verdict must be one of {allowed}, got {self.verdict!r}")
        for name, text in (("reason", self.reason), ("link", self.link)):
            if not isinstance(text, str) or not text.strip():
                raise ValueError(
                    f"a known finding's {name} must be a text that says something, got {text!r}: say why you "
                    "accept it, and where that is written"
                )

    def is_of(self, part: Part) -> bool:
        """Whether a part is this finding."""
        return (
            part.verdict == self.verdict
            and self.argument in {"", part.name}
            and self.input in {"", part.input}
        )  # fmt: skip


class _Entry(msgspec.Struct, forbid_unknown_fields=True):
    """An entry of a file: a finding, and the function that it is of."""

    function: str
    verdict: str
    reason: str
    link: str
    argument: str = ""
    input: str = ""
    dtype: str = ""


class _File(msgspec.Struct, forbid_unknown_fields=True):
    known: list[_Entry]


def known_findings(value: Any, function: str, dtypes: Sequence[str]) -> tuple[Known, ...]:
    """What a user accepts of one function at arguments of these dtypes.

    Args:
        value: A `Known`, a list of them, or the path of a TOML file of `[[known]]` entries.
        function: The name of the function.
        dtypes: Of the differentiated arguments.

    Raises:
        ValueError: It is none of these, or the file cannot be read.
    """
    if value is None:
        return ()
    if isinstance(value, str | os.PathLike):
        return tuple(
            one
            for e, one in _read(Path(value))
            if e.function == function and (not e.dtype or e.dtype in dtypes)
        )
    found = tuple(value) if isinstance(value, list | tuple) else (value,)
    for one in found:
        if not isinstance(one, Known):
            raise ValueError(
                f"known must be a gradproof.Known, a list of them or the path of a file, got {shown(one)}"
            )
    return found


def _read(path: Path) -> list[tuple[_Entry, Known]]:
    """The entries of a file; all of them are checked, whatever function is asked."""
    try:
        entries = msgspec.toml.decode(path.read_text(encoding="utf-8"), type=_File).known
        return [(e, Known(e.verdict, e.reason, e.link, e.argument, e.input)) for e in entries]
    except OSError as problem:
        raise ValueError(f"known={str(path)!r} cannot be read: {problem.strerror or problem}") from None
    except ValueError as problem:
        raise ValueError(
            f"known={str(path)!r}: {problem}; write [[known]] entries of function, verdict, reason and link"
        ) from None


class Accepted(NamedTuple):
    """The parts, those of them that pass with the reason, and the entries that are stale, in words."""

    parts: tuple[Part, ...]
    stale: tuple[str, ...]


def accepted(parts: Sequence[Part], known: Sequence[Known], upstream: Upstream) -> Accepted:
    """Which parts pass all the same.

    Args:
        parts: What was found.
        known: The findings that the user accepts.
        upstream: What becomes of what is a library's fault.
    """
    used, found = set[Known](), []
    for part in parts:
        own = next((one for one in known if one.is_of(part) and not part.verdict.right), None)
        if own is not None:
            used.add(own)
            part = replace(part, excuse=f"it is known: {own.reason} ({own.link})")
        elif part.verdict is Verdict.IMPRECISE:
            part = replace(part, excuse=_excuse(part, upstream))
        found.append(part)
    stale = [
        f"known: no {one.verdict}{f' of {one.argument}' if one.argument else ''}"
        f"{f' at {one.input}' if one.input else ''} is found any more ({one.reason}): remove the entry"
        for one in known
        if one not in used
    ]
    return Accepted(tuple(found), tuple(stale))


def _excuse(part: Part, upstream: Upstream) -> str:
    """Why a part that is imprecise passes; "" where it does not."""
    if part.blame and not part.blame.is_yours and upstream is Upstream.WARN:
        return 'the fault is not yours; upstream="fail" makes it fail'
    if part.negligible:
        return "it is below half an ulp of the largest number of its row, at a point that boundary= added"
    return ""


def warn(text: str) -> None:
    """Warn at the user's line that a gradient is not right, and passes."""
    frame, level = sys._getframe(1), 2
    while frame.f_back is not None and _is_ours(frame.f_code.co_filename):
        frame, level = frame.f_back, level + 1
    warnings.warn(text, UpstreamWarning, stacklevel=level)


def _is_ours(file: str) -> bool:
    return file.startswith(OURS) or file.endswith("contextlib.py")
