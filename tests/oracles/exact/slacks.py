"""What the bounds add by hand, and do not derive."""

from __future__ import annotations

from oracles.exact.program.scalars import HALF_ULPS, OTHER, QUOTIENT_UNITS, SLACKS, SLOPE_ULPS, TWICE_UNITS


def slacks() -> list[tuple[str, str]]:
    """Each with its reason."""
    return [
        (f"{QUOTIENT_UNITS} u for a division", "a product with a rounded reciprocal reaches 1.52 u"),
        (f"{SLOPE_ULPS} ulps for a library function's derivative", "each kernel has its own formula"),
        (f"{TWICE_UNITS} u for e^(x - max x) where a compiler computes x twice", "two roundings of x"),
        (f"{OTHER.numpy:g} ulps for a function without a row", OTHER.source),
        (f"{HALF_ULPS:g} ulp in float16 and bfloat16", "computed in float32 and rounded once"),
        *((f"{s.units:g} u of 1 in {k} of {lib} ({f})", s.reason) for (lib, k, f), s in SLACKS.items()),
    ]
