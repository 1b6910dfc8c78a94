"""One element of a gradient in words: what was computed, what is true, and how far off that is."""

from __future__ import annotations

import math

from oracles.exact.program.formats import format_of


def shortest(number: float, dtype: str) -> str:
    """The fewest digits that a reader of that dtype takes for this number."""
    if not math.isfinite(number):
        return str(number)
    written = (f"{number:.{digits}g}" for digits in range(1, 18))
    return next((t for t in written if format_of(dtype).rounded(float(t)) == number), repr(number))


def worst_element(
    at: str,
    computed: float,
    true: str,
    dtype: str,
    error_ulp: float | None,
    limits: dict[str, float | None],
    bits_lost: float | None,
    budget: float,
) -> str:
    """The worst element: got, true, and the error beside what is allowed; None is "not known"."""
    error = "" if error_ulp is None else f"{error_ulp:.3g} ulp"
    allowed = ", ".join(f"{name} {size:.3g}" for name, size in limits.items() if size is not None)
    beside = "; ".join(filter(None, (error, allowed)))
    text = f"worst element{' ' + at if at else ''}: computed {shortest(computed, dtype)}, true {true}"
    text += f" ({beside})" if beside else ""
    if bits_lost is None:
        return text
    return f"{text}, {bits_lost:.1f} of {format_of(dtype).digits} bits lost (budget {budget:g})"
