"""Public reports on functions of the libraries whose gradients lose digits."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

import msgspec


class Reported(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A report: on which functions of a library, what it says, and where it is."""

    owner: str
    functions: tuple[str, ...]
    reason: str
    link: str


class _File(msgspec.Struct, forbid_unknown_fields=True):
    report: list[Reported]


@cache
def reports() -> tuple[Reported, ...]:
    """All that are known here."""
    text = (files("harness") / "upstream.toml").read_text(encoding="utf-8")
    return tuple(msgspec.toml.decode(text, type=_File).report)


def report_on(owner: str, function: str) -> str:
    """Where the losses of a library's function are reported; "" if nothing is known here."""
    last = function.rpartition(".")[2]
    return next((r.link for r in reports() if r.owner == owner and last in r.functions), "")
