"""The one policy: how many bits a gradient may lose beyond what its inputs allow."""

from __future__ import annotations

from harness.verdicts.glossary import Entry
from oracles.exact.program.formats import FORMATS, format_of


def budget(dtype: str) -> float:
    """How many bits a gradient of this dtype may lose: half of its significand, rounded down."""
    return format_of(dtype).digits // 2


ENTRY = Entry(
    "How many bits a gradient may lose beyond what its inputs allow: half of the significand, rounded down.",
    "bits_lost above it is imprecise.",
    ", ".join(f"{budget(name)} of {name}'s {kind.digits}" for name, kind in FORMATS.items()),
    "Ask for more or for less with bits_lost=, or --bits-lost.",
)
