"""What ATen's reductions of complex numbers are: sums and products of them, and norms of their sizes."""

from __future__ import annotations

from typing import Any

from oracles.exact.from_aten.call import OperatorCall, Rule
from oracles.exact.from_aten.rules.complex.calls import promoted
from oracles.exact.from_aten.rules.reductions import axes, norm
from oracles.exact.program import complex as cx
from oracles.exact.program import complex_arrays as ca
from oracles.exact.program import functions as f
from oracles.exact.program.complex import Complex
from oracles.exact.program.primitives import compare, scalar, select
from oracles.exact.program.primitives.arrays import reduce_sum
from oracles.exact.program.program import Var


def _size_norm(call: OperatorCall, x: Complex, order: Any = 2, dim: Any = None, keepdim: bool = False) -> Var:
    """The norm of the sizes."""
    if order is None or float(order) == 2:
        return scalar("sqrt", reduce_sum(cx.squared_size(x), axes(x.re, dim), keepdim))
    return norm(cx.absolute(x), order, dim, keepdim)


def _mean(x: Complex, dim: Any = None, keepdim: bool = False) -> Complex:
    return x.apart(lambda v: f.mean(v, axes(v, dim), keepdim))


def _variance(x: Complex, dim: Any = None, correction: float | None = None, keepdim: bool = False) -> Var:
    """That of both parts together."""
    lost = 1.0 if correction is None else float(correction)
    re, im = (f.variance(v, axes(v, dim), lost, keepdim) for v in (x.re, x.im))
    return re + im


def _product(x: Complex, dim: Any = None, keepdim: bool = False) -> Complex:
    return ca.product(x, axes(x.re, dim), keepdim)


def _logsumexp(x: Complex, dim: Any = None, keepdim: bool = False) -> Complex:
    over = axes(x.re, dim)
    return cx.log(cx.exp(x).apart(lambda v: reduce_sum(v, over, keepdim)))


def _renorm(x: Complex, p: float, dim: int, maxnorm: float) -> Complex:
    """Each slice shortened to the largest norm; 1e-7 is in torch's definition."""
    size = norm(cx.absolute(x), p, [d for d in range(x.ndim) if d != dim % x.ndim], True)
    return cx.mul(x, select(compare("gt", size, maxnorm), maxnorm / (size + 1e-7), 1.0))


RULES: dict[str, Rule] = {
    "mean": promoted(_mean),
    "prod": promoted(_product),
    "cumprod": promoted(lambda x, dim: ca.cumulated(x, dim) if x.ndim else x),
    "var": promoted(_variance),
    "std": promoted(lambda *args, **kwargs: scalar("sqrt", _variance(*args, **kwargs))),
    "var_mean": promoted(
        lambda x, dim=None, correction=None, keepdim=False: (
            _variance(x, dim, correction, keepdim),
            _mean(x, dim, keepdim),
        )
    ),
    "std_mean": promoted(
        lambda x, dim=None, correction=None, keepdim=False: (
            scalar("sqrt", _variance(x, dim, correction, keepdim)),
            _mean(x, dim, keepdim),
        )
    ),
    **dict.fromkeys(("linalg_vector_norm", "norm"), _size_norm),
    "dist": promoted(lambda x, y, p=2: norm(cx.absolute(x - y), p)),
    "logsumexp": promoted(_logsumexp),
    "logcumsumexp": promoted(lambda x, dim: ca.running(cx.logaddexp, x, dim) if x.ndim else x),
    "renorm": lambda call, *args: _renorm(*args),
}
