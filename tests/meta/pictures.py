"""The pictures in README and docs, drawn anew: `make pictures`.

They show a function of sums, quotients and square roots alone, which every machine rounds alike.
"""

from __future__ import annotations

import re
from itertools import zip_longest
from pathlib import Path

import numpy as np

import gradproof
from harness.page.library import svg

FOLDER = Path(__file__).parents[2] / "docs" / "pictures"
SAID = re.compile(r'aria-label="([^"]*)"')
FACT = re.compile(r"(?:input|element|computed|verdict): [^;]*")
# What sampling and counting change: how far the inputs carry a number, and the names of parts.
SAMPLED = re.compile(r' (?:aria-label|d|id|clip-path|fill|transform)="[^"]*"')


def difference(x):
    """sqrt(x + 1) - sqrt(x), as nobody should write it where x is large."""
    return np.sqrt(x + 1) - np.sqrt(x)


def slope(g, x):
    """Its gradient by hand: right, and it cancels."""
    return g * (0.5 / np.sqrt(x + 1) - 0.5 / np.sqrt(x))


def drawn() -> dict[str, str]:
    """Each picture, by the name of its file."""
    x = 2.0 ** np.arange(32).reshape(4, 8) + 0.25
    result = gradproof.check_gradient(
        difference, (x,), vjp=slope, probes=False,
        boundary=["ones", "ties", "saturated-710", "tiny", "distinct", "huge", "batch-of-one"],
    )  # fmt: skip
    charts = {"error-over-the-input": "input", "tensor": "tensor", "other-points": "points"}
    return {f"{name}.svg": svg(result.plot(what).to_dict()) for name, what in charts.items()}


def unlike(one: str, other: str) -> str:
    """Where two pictures differ, "" where they do not: in a fact that a mark tells, or in what is drawn."""
    for mine, yours in zip_longest(_facts(one), _facts(other), fillvalue=""):
        if mine != yours:
            return f"{mine!r} against {yours!r}"
    same = SAMPLED.sub("", one) == SAMPLED.sub("", other)
    return "" if same else "the marks, or the words beside them"


def _facts(text: str) -> list[str]:
    """Of what is true there may be more digits or fewer; the others are what they are."""
    return [fact for said in SAID.findall(text) for fact in FACT.findall(said)]


def main() -> None:
    """Write them."""
    FOLDER.mkdir(exist_ok=True)
    for name, text in drawn().items():
        (FOLDER / name).write_text(text, encoding="utf-8")
        print(FOLDER.name, name, len(text))


if __name__ == "__main__":
    main()
