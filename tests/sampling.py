"""What `make test` asks a part of, `make whole` asks all of."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterable
from typing import TypeVar

T = TypeVar("T")
MORE = 10 if os.environ.get("SOUNDNESS") == "long" else 1  # times as much, in what is drawn without an end
NAME = "GRADPROOF_WHOLE"  # set by `make whole`
WHOLE = bool(os.environ.get(NAME))


def sample(items: Iterable[T], every: int) -> list[T]:
    """Each so many-th of the items, from the first; all of them in `make whole`."""
    return list(items)[:: 1 if WHOLE else every]


def cells(*axes: Iterable[object]) -> list[tuple[object, ...]]:
    """The cells of a table, of which every other one as on a chessboard; all of them in `make whole`."""
    board = itertools.product(*(enumerate(axis) for axis in axes))
    return [
        tuple(value for _, value in cell)
        for cell in board
        if WHOLE or sum(number for number, _ in cell) % 2 == 0
    ]


def draws(quick: int, whole: int) -> int:
    """How many examples or steps: so many in `make test`, and so many in `make whole`."""
    return whole if WHOLE else quick
