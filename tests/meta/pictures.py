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
NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:e-?\d+)?")
NAME = re.compile(r"(clip|gradient_)\d+|aria-label=\"[^\"]*\"")  # Vega counts what it draws, and describes it
NEAR = 6  # pixels: twice the attainable error, which is sampled, is 4 of them


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
    """Where two pictures differ, "" where they do not: in a word, or in a number by more than rounding."""
    one, other = NAME.sub("", one), NAME.sub("", other)
    for mine, yours in zip_longest(NUMBER.split(one), NUMBER.split(other), fillvalue=""):
        if mine != yours:
            return f"{mine[:80]!r} against {yours[:80]!r}"
    pairs = zip(NUMBER.findall(one), NUMBER.findall(other), strict=True)
    return next((f"{a} against {b}" for a, b in pairs if abs(float(a) - float(b)) > NEAR), "")


def main() -> None:
    """Write them."""
    FOLDER.mkdir(exist_ok=True)
    for name, text in drawn().items():
        (FOLDER / name).write_text(text, encoding="utf-8")
        print(FOLDER.name, name, len(text))


if __name__ == "__main__":
    main()
