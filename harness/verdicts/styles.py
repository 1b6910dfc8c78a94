"""How a style of a terminal looks in a page."""

from __future__ import annotations

COLORS = {
    "red": "#b00",
    "yellow": "#960",
    "magenta": "#808",
    "cyan": "#077",
    "green": "green",
    "dim": "gray",
}


def css(style: str) -> str:
    """The CSS colour of one of rich's styles, such as "bold red"."""
    return COLORS[style.split()[-1]]
