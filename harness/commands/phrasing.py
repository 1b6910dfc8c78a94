"""What the library says of its keywords, said of the options that stand for them."""

from __future__ import annotations

import re
from dataclasses import fields

from harness.commands.options import CheckOptions

OPTIONS = "|".join(field.name for field in fields(CheckOptions))
ASSIGNED = re.compile(rf"""\b({OPTIONS})=(?:(["'])([\w-]+)\2)?(\w?)""")
NAMED = re.compile(rf"^({OPTIONS})(?: and ({OPTIONS}))?(?= (?:is|are|has|must)\b)")


def in_options(text: str) -> str:
    """`spec=` as --spec, `upstream="fail"` as --upstream fail, and "seed must be" as "--seed must be"."""
    text = NAMED.sub(lambda m: " and ".join(_option(name) for name in m.groups() if name), text)
    return ASSIGNED.sub(lambda m: " ".join(filter(None, (_option(m[1]), m[3] or m[4]))), text)


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"
