"""What counts as proven in the coverage of a framework: its own gradient lies at the enclosure."""

from __future__ import annotations

from collections.abc import Sequence

from oracles.exact.program.program import Array

BITS = 128
TOLERANCE = 1e-8  # relative to the element, absolute below 1


def status(proven: Sequence[Array], theirs: Sequence[Array], framework: str) -> str:
    """ "proven", or the first thing that is undecided or disagrees, and where."""
    for number, (balls, computed) in enumerate(zip(proven, theirs, strict=True)):
        for where, (b, c) in enumerate(zip(balls.ravel(), computed.ravel().tolist(), strict=True)):
            place = f"gradient {number}, element {where}"
            if not b.is_finite():
                return f"undecided: {place} is {b}"
            low, high = float(b.lower()), float(b.upper())
            size = max(abs(low), abs(high), 1.0)
            if high - low > TOLERANCE * size:
                return f"undecided: {place} is only {b}"
            if not low - TOLERANCE * size <= c <= high + TOLERANCE * size:
                return f"disagrees: {place} is {b.str(12)}, {framework} has {c}"
    return "proven"
