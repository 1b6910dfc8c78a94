"""What a table is: a titled frame, and which of its columns a screen shows first."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import pandas as pd

# The tables of a report: what a folder of reports may hold.
NAMES = frozenset(
    {"gradients", "problems", "finite_differences", "timings", "documents", "learning", "verdicts"}
)


@dataclass(frozen=True)
class Table:
    """A titled frame. `columns` are the ones a screen shows, the most needed first; files get them all."""

    name: str
    title: str
    frame: pd.DataFrame
    columns: tuple[str, ...]
    caption: str = ""


def frame_of(rows: Iterable[dict[str, Any]]) -> pd.DataFrame:
    """Rows as a frame that keeps None (not measured) apart from NaN (measured, and not a number)."""
    return pd.DataFrame(list(rows), dtype=object)
