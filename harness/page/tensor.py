"""A gradient as a picture: its elements in rows and columns, in a large one the worst of each block."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.page.elements import COLUMNS as OF_ELEMENT
from harness.page.elements import Elements
from harness.proof.evidence import TABLE
from oracles.exact.program.indices import unraveled

ROWS, COLUMNS = 32, 64  # that a picture has at most
CELL = ("row", "column", "worst", *OF_ELEMENT)


def tensor(found: Elements, rows: int = ROWS, columns: int = COLUMNS) -> dict[str, Any]:
    """The picture: its size, what a block is, and each cell (CELL): its place, and its worst element."""
    size = found.computed.size
    width = found.shape[-1] if len(found.shape) > 1 else min(size, columns)
    height = math.ceil(size / width)
    block = math.ceil(height / rows), math.ceil(width / columns)
    badness = _badness(found).ravel()
    cells: dict[tuple[int, int], int] = {}
    for k in np.argsort(-badness, kind="stable").tolist():  # the first of equal ones, as a verdict takes it
        cells.setdefault((k // width // block[0], k % width // block[1]), k)
    worst = int(np.argmax(badness))
    return {
        "rows": math.ceil(height / block[0]),
        "columns": math.ceil(width / block[1]),
        "block": list(block),
        "elements": size,
        "cells": [
            [row, column, int(k == worst), *found.told(unraveled(k, found.shape))]
            for (row, column), k in sorted(cells.items())
        ],
    }


def _badness(found: Elements) -> NDArray[np.float64]:
    """The order of badness: by verdict, by bits lost, by ulps."""
    severity = np.array([row.verdict.severity for row in TABLE])[found.row]
    with np.errstate(all="ignore"):
        ulps = np.nan_to_num(found.error_ulp, nan=np.inf)
        return np.asarray(1000.0 * (severity.max() - severity) + found.bits_lost + 1 - 1 / (1 + ulps))
