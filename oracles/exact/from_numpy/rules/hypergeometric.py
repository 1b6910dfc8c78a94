"""SciPy's hypergeometric functions, elliptic integrals and orthogonal polynomials: in their last argument."""

from __future__ import annotations

from collections.abc import Callable

from oracles.exact.from_numpy.rules.off import UNKNOWN, Rule, off
from oracles.exact.program import functions as f
from oracles.exact.program.primitives import compare, convert, detach, pi, scalar, select
from oracles.exact.program.program import Operand, Var


def gamma(x: Var) -> Var:
    """e^lgamma with its sign, which changes from one pole to the next."""
    size, below = scalar("exp", scalar("lgamma", x)), compare("lt", detach(x), 0.0)
    poles = f.step("ceil", select(below, -detach(x), 0.5))
    return select(below, size * (1.0 - 2.0 * f.remainder(poles, 2.0, "floor")), size)


def binomial(n: Var, k: Var) -> Var:
    """n over k."""
    return gamma(n + 1.0) / (gamma(k + 1.0) * gamma(n - k + 1.0))


def _gauss(x: Var, a: Operand, b: Operand, c: Operand) -> Var:
    return scalar("hyp2f1", x, a, b, c)


def _complete(x: Var, a: float) -> Var:
    """pi/2 F(a, 1/2; 1; x): K for a = 1/2, E for a = -1/2 (DLMF 19.5.1 and 2)."""
    return pi(x.builder, x.dtype) / 2.0 * _gauss(x, a, 0.5, 1.0)


def _agm(a: Var, b: Var) -> Var:
    """The arithmetic-geometric mean (DLMF 19.8.5)."""
    ratio = (a - b) / (a + b)
    return pi(a.builder, a.dtype) / 4.0 * (a + b) / _complete(f.square(ratio), 0.5)


# -- polynomials, by DLMF 18.7 and 18.5.7 to 13 -----------------------------------------------------------


def _polynomial(function: Callable[..., Var]) -> Rule:
    """The degree as a number."""
    return off(UNKNOWN, lambda n, *rest: function(convert(n, rest[-1].dtype), *rest))


def _jacobi(n: Var, a: Var, b: Var, x: Var) -> Var:
    return binomial(n + a, n) * _gauss((1.0 - x) / 2.0, -n, n + a + b + 1.0, a + 1.0)


def _legendre(n: Var, x: Var) -> Var:
    return _gauss((1.0 - x) / 2.0, -n, n + 1.0, 1.0)


def _first_kind(n: Var, x: Var) -> Var:
    return _gauss((1.0 - x) / 2.0, -n, n, 0.5)


def _second_kind(n: Var, x: Var) -> Var:
    return (n + 1.0) * _gauss((1.0 - x) / 2.0, -n, n + 2.0, 1.5)


def _gegenbauer(n: Var, a: Var, x: Var) -> Var:
    front = gamma(n + 2.0 * a) / (gamma(2.0 * a) * gamma(n + 1.0))
    return front * _gauss((1.0 - x) / 2.0, -n, n + 2.0 * a, a + 0.5)


def _laguerre(n: Var, a: Var, x: Var) -> Var:
    return binomial(n + a, n) * scalar("hyp1f1", x, -n, a + 1.0)


def _shifted_jacobi(n: Var, p: Var, q: Var, x: Var) -> Var:
    front = gamma(n + 1.0) * gamma(n + p) / gamma(2.0 * n + p)
    return front * _jacobi(n, p - q, q - 1.0, 2.0 * x - 1.0)


def _normal_hermite(n: Var, x: Var) -> Var:
    """2^(-n/2) H_n(x / sqrt 2) (DLMF 18.7.12)."""
    return scalar("exp2", -n / 2.0) * scalar("hermite", x / scalar("sqrt", _two(x)), n)


def _two(like: Var) -> Var:
    return like.builder.constant(2.0, like.dtype)


HYPERGEOMETRIC: dict[str, Rule] = {
    "hyp0f1": off(UNKNOWN, lambda b, x: scalar("hyp0f1", x, b)),
    "hyp1f1": off(UNKNOWN, lambda a, b, x: scalar("hyp1f1", x, a, b)),
    "hyp2f1": off(UNKNOWN, lambda a, b, c, x: _gauss(x, a, b, c)),
    "hyperu": off(UNKNOWN, lambda a, b, x: scalar("hyperu", x, a, b)),
    "ellipk": off(3, lambda m: _complete(m, 0.5)),
    "ellipkm1": off(3, lambda p: _complete(1.0 - p, 0.5)),
    "ellipe": off(2, lambda m: _complete(m, -0.5)),
    "ellipkinc": off(6, lambda x, m: scalar("elliptic", x, m, kind="f")),
    "ellipeinc": off(6, lambda x, m: scalar("elliptic", x, m, kind="e")),
    "agm": off(4, _agm),
    "eval_legendre": _polynomial(_legendre),
    "eval_sh_legendre": _polynomial(lambda n, x: _legendre(n, 2.0 * x - 1.0)),
    "eval_chebyt": _polynomial(_first_kind),
    "eval_sh_chebyt": _polynomial(lambda n, x: _first_kind(n, 2.0 * x - 1.0)),
    "eval_chebyc": _polynomial(lambda n, x: 2.0 * _first_kind(n, x / 2.0)),
    "eval_chebyu": _polynomial(_second_kind),
    "eval_sh_chebyu": _polynomial(lambda n, x: _second_kind(n, 2.0 * x - 1.0)),
    "eval_chebys": _polynomial(lambda n, x: _second_kind(n, x / 2.0)),
    "eval_gegenbauer": _polynomial(_gegenbauer),
    "eval_jacobi": _polynomial(_jacobi),
    "eval_sh_jacobi": _polynomial(_shifted_jacobi),
    "eval_laguerre": _polynomial(lambda n, x: scalar("hyp1f1", x, -n, 1.0)),
    "eval_genlaguerre": _polynomial(_laguerre),
    "eval_hermite": _polynomial(lambda n, x: scalar("hermite", x, n)),
    "eval_hermitenorm": _polynomial(_normal_hermite),
}
