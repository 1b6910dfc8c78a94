"""How a ball grows at one operation of a program that rounds, and what happens at the ends of its dtype.

After each operation the ball holds whatever the machine may have computed: so many unit roundoffs of every
number in it, less than nothing lost of a sign, and at the two ends overflow and underflow.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from flint import arb

from oracles.exact.program.balls import ZERO, each, filled
from oracles.exact.program.program import Array, Equation, Var
from oracles.exact.rounding.formats import FORMATS, Format

WIDE_HALF = Format("float16", 11, -14, 127)  # float16 with the greatest exponent of float32
UNKNOWN = arb("[+/- inf]")
INFINITY = arb("inf")


@dataclass(frozen=True, slots=True)
class Machine:
    """Who runs the program, and what it may do besides rounding.

    Attributes:
        library: "numpy", "torch" or "jax": whose library functions.
        flushes: Whether a number below the normal ones may be taken for 0, before or after any operation.
        flushes_products: Whether matrix products of bfloat16 do so, as those of AVX512_BF16 do.
        wide_products: Whether matrix products of bfloat16 are summed in float32.
        wide_inside: Whether a call may hold numbers beyond float16 inside, in float32.
        fuses: Whether a compiler may compute a value twice, each time rounded in another way, keep it wider
            than its dtype, and multiply constants first: what overflows as it is written may not.
    """

    library: str
    flushes: bool = False
    flushes_products: bool = False
    wide_products: bool = False
    wide_inside: bool = False
    fuses: bool = False


MACHINES = {
    "numpy": Machine("numpy"),
    "torch": Machine("torch", flushes_products=True, wide_inside=True),
    # XLA sets flush-to-zero on the CPU; its dot of bfloat16 is done in float32 and rounded once.
    "jax": Machine("jax", flushes=True, wide_products=True, fuses=True),
}


@dataclass(slots=True)
class Growth:
    """What one run of a program on a machine loses, equation by equation.

    Attributes:
        machine: Who runs it.
        keeping: Whether to remember in `local` how much each ball grew at its own equation.
        overflow, underflow: The first equation that may overflow, and the first that may lose a number that
            is not 0 to it.
    """

    machine: Machine
    keeping: bool = False
    local: dict[Var, Array] = field(default_factory=dict)
    overflow: Equation | None = None
    underflow: Equation | None = None

    def format(self, equation: Equation) -> Format:
        """That of the output; inside a call float16 may overflow later than outside."""
        wide = self.machine.wide_inside and equation.output.dtype == "float16" and equation.origin is not None
        return WIDE_HALF if wide else FORMATS[equation.output.dtype]

    def flushed(self, target: Format, product: bool = False) -> float:
        """Below what a number may be taken for 0: float16 is computed in float32, far above that."""
        machine = self.machine
        if machine.flushes and target.name != "float16":
            return target.normal
        return target.normal if product and machine.flushes_products and target.name == "bfloat16" else 0.0

    def stored(self, x: Array, dtype: str, product: bool = False) -> Array:
        """Numbers as an operation finds them: a subnormal one may be flushed before it is used."""
        if dtype not in FORMATS or not (normal := self.flushed(FORMATS[dtype], product)):
            return x
        return each(lambda b: b if b.is_zero() or b >= normal or b <= -normal else b.union(ZERO), x)

    def grown(
        self,
        equation: Equation,
        result: Array,
        units: float,
        inexact: bool,
        target: Format | None = None,
    ) -> Array:
        """The result with `units` unit roundoffs of error, and what happens beyond the normal numbers.

        `inexact` operations lose bits below the normal numbers; sums do not.
        """
        target = target or self.format(equation)
        before = np.asarray(result).ravel()
        grown = np.asarray(result * arb(1, units * target.unit))
        flat = grown.ravel().tolist()
        mids = np.fromiter((abs(float(b)) for b in flat), np.float64, len(flat))
        narrow = np.fromiter((b.rel_accuracy_bits() > 2 for b in flat), np.bool_, len(flat))
        inside = narrow & (mids < 2.0 ** (target.greatest_exponent - 1)) & (mids > 8 * target.normal)
        for i in np.flatnonzero(~inside):
            if not flat[i].is_zero():
                flat[i] = self._edge(equation, target, before[i], flat[i], max(units, 1) if inexact else 0)
        whole = filled(flat, grown.shape)
        if self.keeping:
            own = each(lambda b, a: float(b.rad() - a.rad()), whole, np.asarray(result))
            self.local[equation.output] = self.local.get(equation.output, 0.0) + own
        return whole

    def _edge(self, equation: Equation, target: Format, before: arb, ball: arb, units: float) -> arb:
        """One number that is wide, may overflow, or may lie below the normal numbers."""
        if before.is_nan() or not before.mid().is_finite():
            return before.mid()  # an infinity that goes in comes out
        if not abs(ball) < target.overflow:
            if before.is_finite():
                self.overflow = self.overflow or equation
            certain = not self.machine.fuses  # one that is made here may not be, once fused
            if ball > target.overflow and certain:
                return INFINITY
            return -INFINITY if -ball > target.overflow and certain else UNKNOWN
        flushed = self.flushed(target)
        lost = arb(flushed) if flushed else target.least / 2 * units
        if not lost.is_zero() and not abs(ball) > target.normal:
            if before != 0 and not abs(before) > lost:
                self.underflow = self.underflow or equation
            ball = ball + arb(0, lost)
        return ball.nonnegative_part() if before >= 0 else ball
