"""Elements of a gradient that are nothing beside their row: below half an ulp of its largest number."""

from __future__ import annotations

import numpy as np

from harness.proof.evidence import Allowed, distance
from harness.proof.observe import Observed
from harness.proof.truth import Posed
from oracles.exact.program.formats import format_of


def is_negligible(posed: Posed, seen: Observed, part: int, allowed: Allowed) -> bool:
    """Whether what is imprecise in one part of a gradient is nothing beside its row, true and computed.

    The row's numbers are those of the gradient along its last axis. Where the function sums over rows and
    gives as many numbers (a softmax, a norm), they are also the products of its values and their cotangents:
    its gradient is a difference of such.
    """
    true, got = posed.true, seen.gradient.arrays[part]
    enclosure, attainable = true.enclosures[part], true.attainable[part]
    if got is None or not enclosure.shape:
        return False
    kind, size = format_of(true.narrowest[part] or true.dtypes[part]), np.abs(enclosure.mid)
    numbers = got.astype(np.float64)
    with np.errstate(all="ignore"):
        far = distance(enclosure, numbers) > attainable * 2.0 ** allowed(kind.name)
        far |= (numbers == 0) & (size > 2 * attainable)
        largest = np.max(size, axis=-1, keepdims=True)
        for value, cotangent in zip(seen.value, posed.directions, strict=False):
            if value.shape == enclosure.shape == cotangent.shape and _sums(posed):
                terms = np.abs(value.astype(np.float64) * cotangent.astype(np.float64))
                largest = np.maximum(largest, np.max(terms, axis=-1, keepdims=True))
        small = np.maximum(size, np.abs(numbers)) < kind.ulp(largest) / 2
    return bool(np.all(small[far]))


def _sums(posed: Posed) -> bool:
    """Whether the function sums anything: else its elements have nothing to do with each other."""
    program = posed.true.forward
    return any(
        e.primitive.terms is not None and np.prod(e.output.shape) < np.prod(e.operands[0].shape)
        for e in program.equations
    )
