"""Additivity: along parts of a cotangent a gradient must give parts that add up, whatever their numbers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from harness.proof.observe import Gradients
from oracles.exact.program.formats import format_of

# How far a sum may be off before it is worth a proof, in roundings of its parts and of the largest of them.
OF_PARTS, OF_LARGEST = 2.0**10, 2.0**4
OF_HALVES, HALF_DIGITS = 2.0**3, 11  # of parts in a format of so few digits, where 2^10 roundings are all


def or_zeros(found: Gradients, like: Gradients) -> Gradients:
    """The same with zeros for no gradient: it does not depend."""
    return tuple(np.zeros_like(a) if g is None else g for g, a in zip(found, like, strict=True))


def add_up(parts: Sequence[Gradients], whole: Gradients) -> bool:
    """Whether results add up to another, as far as rounding lets them, wherever that is finite."""
    for k, total in enumerate(whole):
        terms = [part[k] for part in parts if len(part) == len(whole)]
        if total is None or len(terms) < len(parts):
            return False
        if any(t is None or t.shape != total.shape for t in terms):
            return False
        wide = np.array([t.astype(np.float64) for t in terms if t is not None])
        size, digits = np.abs(wide).sum(0), format_of(total.dtype.name).digits
        of_parts = OF_PARTS if digits > HALF_DIGITS else OF_HALVES
        largest = np.max(size, initial=0.0, where=np.isfinite(size))
        slack = 2.0**-digits * (of_parts * size + OF_LARGEST * largest)
        given = total.astype(np.float64)
        if not np.all((np.abs(wide.sum(0) - given) <= slack) | ~np.isfinite(given)):
            return False
    return True
