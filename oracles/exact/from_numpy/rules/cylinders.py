"""SciPy's functions of Bessel, Airy, Kelvin and Struve."""

from __future__ import annotations

from oracles.exact.from_numpy.rules.off import UNKNOWN, Rule, off
from oracles.exact.program import functions as f
from oracles.exact.program.primitives import compare, convert, detach, pi, scalar, select
from oracles.exact.program.program import Var


def _of(kind: str) -> Rule:
    return off(UNKNOWN, lambda nu, x: _cylinder(kind, nu, x))


def _at(kind: str, nu: float, ulps: float = UNKNOWN) -> Rule:
    return off(ulps, lambda x: scalar(f"bessel_{kind}v", x, nu))


def _cylinder(kind: str, nu: Var, x: Var) -> Var:
    return scalar(f"bessel_{kind}v", x, convert(nu, x.dtype))


def _decayed(nu: Var, x: Var) -> Var:
    """I_nu times e^-|x|."""
    return scalar("exp", -f.absolute(x)) * _cylinder("i", nu, x)


def _grown(nu: Var, x: Var) -> Var:
    """K_nu times e^x."""
    return scalar("exp", x) * _cylinder("k", nu, x)


def _airy(x: Var) -> tuple[Var, ...]:
    both = ("airy_ai", "airy_bi")
    return tuple(off(UNKNOWN, lambda x, n=n, k=k: scalar(n, x, order=k))(x) for n in both for k in (0, 1))


def _kelvin(x: Var, kind: str, order: int) -> Var:
    return scalar("kelvin", x, kind=kind, order=order)


def _spherical(kind: str, minus: int, slope: int) -> tuple[Rule, Rule]:
    """sqrt(pi / 2|x|) times the cylinder of order n + 1/2, and its slope (DLMF 10.47 and 10.51).

    On the left it has the sign of (-1)^(n + minus). The slope is n/x f_n plus `slope` times f_(n+1).
    """

    def value(n: Var, x: Var) -> Var:
        n, size = convert(n, x.dtype), f.absolute(x)
        found = scalar("sqrt", pi(x.builder, x.dtype) / (2.0 * size)) * _cylinder(kind, n + 0.5, size)
        odd = f.remainder(n + float(minus), n.builder.constant(2.0, x.dtype), "floor")
        return select(compare("lt", detach(x), 0.0), found * (1.0 - 2.0 * odd), found)

    def derivative(n: Var, x: Var) -> Var:
        n = convert(n, x.dtype)
        return n / x * value(n, x) + float(slope) * value(n + 1.0, x)

    return off(UNKNOWN, value), off(UNKNOWN, derivative)


_SPHERICAL = {"jn": ("j", 0, -1), "yn": ("y", 1, -1), "in": ("i", 0, 1), "kn": ("k", 0, -1)}
CYLINDERS: dict[str, Rule] = {
    **{f"{kind}v": _of(kind) for kind in "jyik"},
    "jn": _of("j"),
    "yn": _of("y"),
    "kn": off(13, lambda n, x: _cylinder("k", n, x)),
    "jve": _of("j"),
    "yve": _of("y"),
    "ive": off(UNKNOWN, _decayed),
    "kve": off(UNKNOWN, _grown),
    "y0": _at("y", 0.0),
    "y1": _at("y", 1.0),
    "k0": _at("k", 0.0, 12),
    "k1": _at("k", 1.0, 8),
    "k0e": off(12, lambda x: scalar("exp", x) * scalar("bessel_kv", x, 0.0)),
    "k1e": off(8, lambda x: scalar("exp", x) * scalar("bessel_kv", x, 1.0)),
    "airy": _airy,
    **{
        f"{kind}{prime}": off(UNKNOWN, lambda x, kind=kind, k=k: _kelvin(x, kind, k))
        for kind in ("ber", "bei", "ker", "kei")
        for k, prime in enumerate(("", "p"))
    },
    "struve": off(UNKNOWN, lambda v, x: scalar("struve", x, v, modified=False)),
    "modstruve": off(UNKNOWN, lambda v, x: scalar("struve", x, v, modified=True)),
    **{
        f"_spherical_{name}{d}": rule
        for name, about in _SPHERICAL.items()
        for d, rule in zip(("", "_d"), _spherical(*about), strict=True)
    },
}
