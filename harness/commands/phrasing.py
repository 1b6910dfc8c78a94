"""What the library says of its keywords, said of the options that stand for them."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from dataclasses import fields, is_dataclass
from typing import Any

from harness.commands.options import CheckOptions

OPTIONS = "|".join(field.name for field in fields(CheckOptions))
ASSIGNED = re.compile(rf"""\b({OPTIONS})=(?:(["'])([^"'\n]+)\2)?(\w?)""")
SWITCHED = re.compile(r"\b(boundary|probes)=(True|False)")
NAMED = re.compile(rf"^({OPTIONS})(?: and ({OPTIONS}))?(?= (?:is|are|has|must)\b)")


def in_options(text: str) -> str:
    """`spec=` as --spec, `upstream="fail"` as --upstream fail, and "seed must be" as "--seed must be".

    `probes=False` is --probes none, and True is all.
    """
    text = SWITCHED.sub(lambda m: f"{_option(m[1])} {'all' if m[2] == 'True' else 'none'}", text)
    text = NAMED.sub(lambda m: " and ".join(_option(name) for name in m.groups() if name), text)
    return ASSIGNED.sub(lambda m: " ".join(filter(None, (_option(m[1]), m[3] or m[4]))), text)


def _option(name: str) -> str:
    return f"--{name.strip('_').replace('_', '-')}"


def as_command(command: Sequence[str], options: Any, unsaid: frozenset[str]) -> str:
    """The command line with these options; without those that say where the result goes (`unsaid`)."""
    return shlex.join(["gradproof", *command, *_words(options, unsaid)])


def _words(options: Any, unsaid: frozenset[str]) -> list[str]:
    words: list[str] = []
    usual = type(options)()
    for field in fields(options):
        value = getattr(options, field.name)
        if is_dataclass(value):
            words += _words(value, unsaid)
        elif field.name not in unsaid and value != getattr(usual, field.name):
            for one in value if isinstance(value, tuple) else (value,):
                words += [_option(field.name), *([] if one is True else [str(one)])]
    return words
