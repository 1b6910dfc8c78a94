"""What `make test` asks a part of, `make whole` asks all of."""

from __future__ import annotations

import itertools
import os
import zlib
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import pytest

T = TypeVar("T")
MORE = 10 if os.environ.get("SOUNDNESS") == "long" else 1  # times as much, in what is drawn without an end
NAME = "GRADPROOF_WHOLE"  # set by `make whole`
WHOLE = bool(os.environ.get(NAME))
# Cases of one test: of more than so many a half, a third, a quarter is asked.
FEW, MANY, VERY_MANY = 2, 8, 16
SLOW = Path(__file__).with_name("slow.txt")  # of these tests (see tests/slow.py) one case of so many is asked
ONE_OF = 3

entire = pytest.mark.entire  # all cases are asked in each run
long = pytest.mark.skipif(not WHOLE, reason=f"it takes seconds: `make whole`, or {NAME}=1")


def thinned(items: Sequence[Any]) -> tuple[list[Any], list[Any]]:
    """Tests as they are asked, and what is left out of long tables and of slow tests, by a sum of the name.

    (Every other one would leave out one dtype, or one framework, of all.) The first of a table stays, but of
    a slow one.
    """
    cases, slow = Counter(map(_table, items)), set(SLOW.read_text().split())
    first = {_table(item): item for item in reversed(items) if _table(item) not in slow}

    def is_asked(item: Any) -> bool:
        table = _table(item)
        one_of = _every(cases[table]) * (ONE_OF if table in slow else 1)
        is_next = zlib.crc32(item.nodeid.encode()) % one_of == 0
        return is_next or item is first.get(table) or bool(item.get_closest_marker("entire"))

    asked = [item for item in items if is_asked(item)]
    kept = set(map(id, asked))
    return asked, [item for item in items if id(item) not in kept]


def _every(count: int) -> int:
    return 1 + sum(count > limit for limit in (FEW, MANY, VERY_MANY))


def _table(item: Any) -> str:
    return str(item.nodeid).partition("[")[0]


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
