"""SciPy's special functions of complex numbers. Nothing is known of how far its kernels are off."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from oracles.exact.program import complex as cx
from oracles.exact.program.complex import Complex
from oracles.exact.program.primitives import pi, scalar
from oracles.exact.program.primitives.holomorphic import holomorphic
from oracles.exact.program.program import Var


def _named(name: str, order: int = 0) -> Callable[[Complex], Complex]:
    return lambda z: Complex(*holomorphic(name, z.re, z.im, order))


def _dawson(z: Complex) -> Complex:
    """sqrt(pi)/2 e^(-z^2) erfi(z)."""
    half_root = scalar("sqrt", pi(z.builder, z.re.dtype)) / 2.0
    return cx.mul(cx.mul(cx.exp(-cx.mul(z, z)), _named("erfi")(z)), half_root)


HOLOMORPHIC: dict[str, Callable[[Complex], Complex]] = {
    **{name: _named(name) for name in ("erf", "erfc", "erfi", "erfcx", "gamma", "rgamma")},
    "wofz": _named("faddeeva"),
    "loggamma": _named("lgamma"),
    "psi": _named("lgamma", 1),
    "dawsn": _dawson,
}


def voigt(x: Var, sigma: Var, gamma: Var) -> Var:
    """Re w((x + i gamma) / (sigma sqrt 2)) / (sigma sqrt(2 pi)), the profile of a normal and a Cauchy one."""
    two = x.builder.constant(2.0, x.dtype)
    shape = np.broadcast_shapes(x.shape, sigma.shape, gamma.shape)
    width = sigma * scalar("sqrt", two)
    re, im = (x.builder.broadcast(v / width, shape) for v in (x, gamma))
    return holomorphic("faddeeva", re, im)[0] / (width * scalar("sqrt", pi(x.builder, x.dtype)))
