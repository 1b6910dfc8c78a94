"""Where a function of single numbers is asked: at ordinary numbers, boundary values, over a whole dtype."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from harness.inputs.corpus import ENTRIES
from harness.inputs.points import at
from harness.page.axis import spread
from harness.subject.derivative import Array, Floating
from oracles.exact.program.formats import format_of

SWEPT = 512  # numbers of a dtype, evenly on the axis of a page
PARTNERS = 3  # ordinary numbers beside each boundary value of another argument
CALM = 8  # numbers between 2^-8 and 2^8 are calm


def of_one(given: Array) -> Array:
    """For a function of one number: those given, the corpus, and an even sweep over the dtype."""
    swept, end = spread(SWEPT, given.dtype.name), float(format_of(given.dtype.name).largest)
    whole = [_wide(given), _wide(boundary(given)), swept, np.array([-end, end])]
    return _distinct(np.concatenate(whole), given.dtype)


def of_several(given: Sequence[Array]) -> list[Array]:
    """For one of several: each at the corpus beside ordinary numbers, all at the corpus, and those given."""
    columns = [_wide(array) for array in given]
    rows = [np.stack(columns)]
    for k, array in enumerate(given):
        values = _wide(boundary(array))
        for partner in range(min(PARTNERS, columns[0].size)):
            block = np.repeat(rows[0][:, partner : partner + 1], values.size, axis=1)
            block[k] = values
            rows.append(block)
    together = _wide(boundary(given[0]))
    rows.append(np.tile(together, (len(given), 1)))
    whole = np.unique(np.concatenate(rows, axis=1), axis=1)
    return [np.asarray(row, array.dtype) for row, array in zip(whole, given, strict=True)]


def is_calm(column: Array) -> NDArray[np.bool_]:
    """Which numbers are neither tiny nor huge."""
    sizes = np.abs(np.asarray(column, np.float64))
    return (sizes >= 2.0**-CALM) & (sizes <= 2.0**CALM)


def boundary(given: Array) -> Array:
    """The corpus's values in this dtype, of both signs."""
    like = np.array([1.25, -0.75], given.dtype)
    return np.concatenate([at(entry, like) for entry in ENTRIES if not entry.is_layout])


def _wide(array: Array) -> Array:
    return np.asarray(array, np.float64).ravel()


def _distinct(numbers: Array, dtype: Floating) -> Array:
    """In ascending order, once each; both zeros."""
    with np.errstate(over="ignore"):
        found = np.asarray(numbers, dtype).astype(np.float64)
    whole = np.unique(found[np.isfinite(found) & (found != 0)])
    return np.asarray(np.concatenate([whole[whole < 0], [-0.0, 0.0], whole[whole > 0]]), dtype)
