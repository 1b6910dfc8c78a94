"""Holomorphic functions of complex numbers: one part of a Taylor coefficient, from Arb's power series.

The k-th coefficient c_k of f at z has the derivative (k + 1) c_{k+1}, as for real numbers (see `taylor`): by
the real part of z it is that, and by the imaginary part i times that.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import flint
from flint import acb, acb_series, arb

from oracles.exact.program.balls import as_balls, each
from oracles.exact.program.derive import Tangents
from oracles.exact.program.primitives.arithmetic import scale
from oracles.exact.program.program import Array, Equation, Primitive, Var, sum_of

FUNCTIONS: dict[str, Callable[[Any], Any]] = {
    "erf": lambda s: s.erf(),
    "erfc": lambda s: s.erfc(),
    "erfi": lambda s: s.erfi(),
    "erfcx": lambda s: (s * s).exp() * s.erfc(),
    "faddeeva": lambda s: (-(s * s)).exp() * (s * acb(0, -1)).erfc(),
    "gamma": lambda s: s.gamma(),
    "rgamma": lambda s: s.rgamma(),
    "lgamma": lambda s: s.lgamma(),
}
CUT = frozenset({"lgamma"})  # they jump where the negative numbers are crossed


def _coefficient(re: Array, im: Array, *, function: str, order: int, part: str) -> Array:
    flint.ctx.cap = order + 1

    def one(x: arb, y: arb) -> arb:
        if function in CUT and not x > 0 and y.contains(0):
            return arb("nan")
        found = FUNCTIONS[function](acb_series([acb(x, y), 1], order + 1))[order]
        chosen: arb = found.real if part == "re" else found.imag
        return chosen

    return each(one, as_balls(re), as_balls(im))


def _jvp(equation: Equation, tangents: Tangents) -> Var:
    function, order, part = (equation.params[name] for name in ("function", "order", "part"))
    x, y = equation.operands
    re, im = holomorphic(function, x, y, order + 1)
    slopes = (re, -im) if part == "re" else (im, re)
    return sum_of(
        *(
            None if tangent is None else scale(tangent, slope * float(order + 1))
            for tangent, slope in zip(tangents, slopes, strict=True)
        )
    )


holomorphic_ = Primitive("holomorphic", _coefficient, _jvp)


def holomorphic(function: str, re: Var, im: Var, order: int = 0) -> tuple[Var, Var]:
    """Both parts of the coefficient c_order of the function (see FUNCTIONS) at re + i im, of one shape."""
    emit = re.builder.emit
    found = [
        emit(holomorphic_, (re, im), re.shape, re.dtype, function=function, order=order, part=part)
        for part in ("re", "im")
    ]
    return found[0], found[1]
