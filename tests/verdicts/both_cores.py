"""The compiled core and Arb give the same verdicts: `python -m tests.verdicts.both_cores`.

Each part's verdict and lost bits, of the kernels of `tests.verdicts.kernels`; the tests take some.
"""

from __future__ import annotations

import math
import sys
import warnings
from typing import Any
from unittest.mock import patch

from harness.result import Result
from oracles.exact.core import library
from tests.verdicts.kernels import KERNELS, SIZES, checked, supports

DTYPES = ("float32", "bfloat16")
CLOSE = 0.01  # bits


def told(result: Result) -> dict[tuple[Any, ...], float]:
    """The bits that are lost, by part and verdict."""
    return {
        (number, p.input, p.name, p.of_value, p.verdict.value): p.judgement.bits_lost
        if p.judgement
        else math.nan
        for number, p in enumerate(result.parts)
    }


def compared(name: str, dtype: str, size: str) -> tuple[list[str], int]:
    """Where the two disagree about a kernel; and how often the core ran."""
    with patch.object(library, "run", wraps=library.run) as runs:
        fast = told(checked(name, dtype, size))
    with library.without():
        slow = told(checked(name, dtype, size))
    if fast.keys() != slow.keys():
        return [f"{sorted(fast.keys() ^ slow.keys(), key=str)}"], runs.call_count
    pairs = [(part, fast[part], slow[part]) for part in fast]
    off = [f"{part}: {a} bits by the core, {b} by Arb" for part, a, b in pairs if not same(a, b)]
    return off, runs.call_count


def same(a: float, b: float) -> bool:
    """Whether two numbers of bits are the same, as far as a verdict shows them."""
    return abs(a - b) <= CLOSE or a == b or (math.isnan(a) and math.isnan(b))


def main() -> int:
    """Compare all; 1 where the two differ, or where the core hardly ran."""
    warnings.simplefilter("ignore")
    if library.problem():
        raise SystemExit(library.problem())
    cells = [(n, d, s) for n, kernel in KERNELS.items() for d in DTYPES for s in SIZES if supports(kernel, d)]
    bad = by_core = 0
    for cell in cells:
        off, runs = compared(*cell)
        bad, by_core = bad + bool(off), by_core + bool(runs)
        for line in off:
            print(*cell, line, sep=", ", flush=True)
    print(f"{len(cells)} checks, in {by_core} of which the core ran; {bad} differ from Arb")
    return int(bad > 0 or by_core < len(cells) / 2)


if __name__ == "__main__":
    sys.exit(main())
