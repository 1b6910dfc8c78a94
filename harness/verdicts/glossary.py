"""How a word is explained, and the letters that explanations use."""

from __future__ import annotations

from typing import NamedTuple


class Entry(NamedTuple):
    """One word explained, a line each; `advice` is what to do, "" if there is nothing to do."""

    meaning: str
    how: str
    example: str
    advice: str = ""


LETTERS = (
    "T: the true derivative of the forward. C: what was computed. E: the gradient program in exact "
    "arithmetic. B: the same program, rounded as its dtype rounds."
)
