"""How far a proof may go, and what is small beside it."""

from __future__ import annotations

from dataclasses import dataclass

FEW = 8  # of what work is left, single elements are so small a part; and so many times the bits they may need
PART = 3  # and such a part of the program's own: they cost as much by each operation, or a few times as much
GUARD_BITS = 28  # bits that rounding may cost before a result counts as wide


@dataclass(frozen=True, slots=True)
class Limits:
    """How far precision may grow: in bits, and in the work of all evaluations that belong together.

    `seconds` stand for as much work as a machine of 2025 does in them, at the least (see `evaluate.Work`). It
    is counted, so that a slow machine gives the same verdict; the clock ends only what hangs.

    Where no element is certainly nonzero, balls smaller than 2^-zero_bits are taken for 0, so that an exact
    zero does not ask for thousands of bits. `raised_by` are the keywords with which whoever asks can raise a
    limit: "max_bits", "seconds". `promised` says that half of the starting bits are, of each element; else
    the fast core may stop at those that a verdict needs.
    """

    bits: int = 4096
    seconds: float = 60.0
    zero_bits: int = 400
    raised_by: tuple[str, ...] = ()
    promised: bool = False
