"""What ATen's reductions are: sums, extremes, variances, norms and distances."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from oracles.exact.from_aten.call import OperatorCall, Rule, plain, promoted
from oracles.exact.from_aten.memory import constant, numbers
from oracles.exact.program import functions as f
from oracles.exact.program.formats import format_of
from oracles.exact.program.primitives import compare, convert, orders, scalar, select
from oracles.exact.program.primitives import reductions as r
from oracles.exact.program.primitives.arrays import index, reduce_sum, reduced, reshape
from oracles.exact.program.primitives.not_finite import asked
from oracles.exact.program.primitives.predicates import is_nan
from oracles.exact.program.primitives.roughness import rough
from oracles.exact.program.program import Primitive, Var

Dim = int | Sequence[int] | None


def axes(x: Var, dim: Dim) -> tuple[int, ...]:
    """The axes that are meant: all of them for None and []."""
    if isinstance(dim, int):
        return (dim % x.ndim,) if x.ndim else ()
    return tuple(d % x.ndim for d in dim) if dim and x.ndim else tuple(range(x.ndim))


def _reducer(reduce: Callable[..., Var]) -> Rule:
    return lambda x, dim=None, keepdim=False: reduce(counted(x), axes(x, dim), keepdim)


def filled_nan(x: Var, value: float) -> Var:
    """x with this number for NaN."""
    return select(asked(is_nan, x), constant(x.builder, np.array(value), x.dtype), x)


def counted(x: Var) -> Var:
    """Truth values as numbers to add."""
    return convert(x, "int64") if x.dtype == "bool" else x


def _extreme(reduce: Callable[..., Var], sign: float) -> Rule:
    """max and min: alone over everything; with a dim also where the first one is."""

    def rule(call: OperatorCall, x: Var, dim: int | None = None, keepdim: bool = False) -> Any:
        if dim is None:
            return reduce(x, axes(x, None))
        return reduce(x, axes(x, dim), keepdim), _first(x, sign, dim, keepdim)

    return rule


def _first(x: Var, sign: float, dim: int, keepdim: bool) -> Var:
    """Where the largest (1) or the smallest (-1) is, the first one of several."""
    if x.ndim == 0:
        return x.builder.constant(np.zeros((), np.int64))
    place = orders.argmax(x if sign > 0 else -x, dim)
    return index(place, lambda p: np.expand_dims(p, dim)) if keepdim else place


def _arg(sign: float) -> Rule:
    def rule(x: Var, dim: int | None = None, keepdim: bool = False) -> Var:
        return _first(reshape(x, (x.size,)), sign, 0, False) if dim is None else _first(x, sign, dim, keepdim)

    return rule


def _truths(reduce: Primitive) -> Rule:
    return lambda x, dim=None, keepdim=False: reduced(
        reduce, x if x.dtype == "bool" else compare("ne", x, 0), axes(x, dim), keepdim, "bool"
    )


def _variance_inside(x: Var, dim: Dim, correction: float | None, keepdim: bool) -> Var:
    """In double precision, as the kernel has it: the squares of single ones do not overflow."""
    x = convert(x, "float64")
    return f.variance(x, axes(x, dim), 1.0 if correction is None else float(correction), keepdim)


def _variance(x: Var, dim: Dim = None, correction: float | None = None, keepdim: bool = False) -> Var:
    return convert(_variance_inside(x, dim, correction, keepdim), x.dtype)


def _deviation(x: Var, dim: Dim = None, correction: float | None = None, keepdim: bool = False) -> Var:
    return convert(scalar("sqrt", _variance_inside(x, dim, correction, keepdim)), x.dtype)


def _with_mean(spread: Callable[..., Var]) -> Rule:
    def rule(
        x: Var, dim: Dim = None, correction: float | None = None, keepdim: bool = False
    ) -> tuple[Var, Var]:
        return spread(x, dim, correction, keepdim), f.mean(x, axes(x, dim), keepdim)

    return rule


def norm(x: Var, order: float | None = 2, dim: Dim = None, keepdim: bool = False, zeros: bool = False) -> Var:
    """(sum |x|^p)^(1/p), and its limits: the largest, the smallest, the count of what is not 0.

    Where all of x is 0 it has a corner, for p > 1 too. If there are `zeros` it is the sum of sizes there:
    among its slopes are those of the norm.
    """
    over, order = axes(x, dim), 2.0 if order is None else float(order)
    if order == 0:
        return reduce_sum(convert(compare("ne", x, 0.0), x.dtype), over, keepdim)
    size = f.absolute(x)
    if order == 1:
        return reduce_sum(size, over, keepdim)
    if math.isinf(order):
        return (r.reduce_max if order > 0 else r.reduce_min)(size, over, keepdim)
    total = reduce_sum(f.square(x) if order == 2 else f.power(size, order), over, keepdim)
    if order == 2 or not (zeros and order > 1):
        return _root(total, order)
    return _rooted(total, order, x, over, keepdim)


def _rooted(total: Var, order: float, x: Var, over: Sequence[int] = (-1,), keepdim: bool = False) -> Var:
    """The root of the total, and where that is 0 the sum of sizes.

    That it is equal is no edge, as that it is larger would be: there both sides of a choice are taken, the
    root of 1 among them. So the value is 0 at 0, and a comparison with it is decided.
    """
    nothing, sizes = compare("eq", total, 0.0), reduce_sum(f.absolute(x), [a % x.ndim for a in over], keepdim)
    return select(nothing, sizes, _root(select(nothing, 1.0, total), order))


def _root(total: Var, order: float) -> Var:
    return scalar("sqrt", total) if order == 2 else scalar("exp", scalar("log", total) / order)


def _has_zeros(call: OperatorCall) -> bool:
    return bool((numbers(call.results[0]) == 0).any())


def _norm(call: OperatorCall, x: Var, order: float | None = 2, dim: Dim = None, keepdim: bool = False) -> Var:
    return norm(convert(x, call.dtype), order, dim, keepdim, _has_zeros(call))


def _renorm(x: Var, p: float, dim: int, maxnorm: float) -> Var:
    """Each slice shortened to the largest norm; 1e-7 is in torch's definition."""
    size = norm(x, p, [d for d in range(x.ndim) if d != dim % x.ndim], True)
    factor = select(compare("gt", size, maxnorm), maxnorm / (size + 1e-7), 1.0)
    return x * factor


def beside(x: Var, y: Var) -> tuple[Var, Var]:
    """The rows of both, each beside all of the other."""
    return index(x, lambda q: q[..., :, None, :]), index(y, lambda q: q[..., None, :, :])


def _cdist(call: OperatorCall, x: Var, y: Var, p: float = 2, *_: Any) -> Var:
    rows, columns = beside(x, y)
    apart = rows - columns
    if x is y and p == 2:
        return _of_itself(reduce_sum(f.square(apart), (apart.ndim - 1,)), apart)
    return norm(apart, p, -1, zeros=_has_zeros(call))


def _itself(total: Var) -> Var:
    """Which distances between the rows of one array are those of a row to itself: 0, wherever it is."""
    return total.builder.constant(np.broadcast_to(np.eye(total.shape[-1], dtype=bool), total.shape))


def _of_itself(total: Var, apart: Var) -> Var:
    itself = _itself(total)
    return select(itself, 0.0, _rooted(select(itself, 1.0, total), 2.0, apart))


def _euclidean_dist(x: Var, y: Var) -> Var:
    """Distances between many rows, of d numbers: the kernel multiplies matrices, |x|^2 + |y|^2 - 2 x y.

    These are d + 2 products, whose sizes sum to 2 (|x|^2 + |y|^2) at most, so the square is off by
    2 (d + 3) u of |x|^2 + |y|^2; and these two are off by (d + 1) u.
    """
    rows, columns = beside(x, y)
    apart, last = rows - columns, (rows.ndim - 1,)
    sizes = reduce_sum(f.square(rows), last) + reduce_sum(f.square(columns), last)
    units = 3 * x.shape[-1] + 8
    total = rough(reduce_sum(f.square(apart), last), "itself", (sizes,), units)
    if x is not y:
        return _rooted(total, 2.0, apart)
    far = math.sqrt(units / format_of(x.dtype).unit)  # of a row from itself: the root of what is lost
    own = select(_itself(total), scalar("sqrt", sizes), 0.0)
    return rough(_of_itself(total, apart), "itself", (own,), far)


def _pdist(call: OperatorCall, x: Var, p: float = 2) -> Var:
    first, second = np.triu_indices(x.shape[0], 1)
    return norm(x[first] - x[second], p, -1, zeros=_has_zeros(call))


_REDUCERS = {
    "sum": reduce_sum,
    "mean": f.mean,
    "prod": r.reduce_prod,
    "amax": r.reduce_max,
    "amin": r.reduce_min,
    "logsumexp": f.logsumexp,
}

RULES: dict[str, Rule] = {
    **{name: promoted(_reducer(reduce)) for name, reduce in _REDUCERS.items()},
    "nansum": promoted(_reducer(lambda x, *where: reduce_sum(filled_nan(x, 0.0), *where))),
    "max": _extreme(r.reduce_max, 1.0),
    "min": _extreme(r.reduce_min, -1.0),
    "argmax": plain(_arg(1.0)),
    "argmin": plain(_arg(-1.0)),
    "aminmax": plain(
        lambda x, dim=None, keepdim=False: (
            r.reduce_min(x, axes(x, dim), keepdim),
            r.reduce_max(x, axes(x, dim), keepdim),
        )
    ),
    "any": plain(_truths(r.reduce_or)),
    "all": plain(_truths(r.reduce_and)),
    "count_nonzero": plain(
        lambda x, dim=None: reduce_sum(convert(compare("ne", x, 0), "int64"), axes(x, dim))
    ),
    "var": plain(_variance),
    "std": plain(_deviation),
    "var_mean": plain(_with_mean(_variance)),
    "std_mean": plain(_with_mean(_deviation)),
    **dict.fromkeys(("linalg_vector_norm", "norm"), _norm),
    "dist": lambda call, x, y, p=2: norm(x - y, p, zeros=_has_zeros(call)),
    "renorm": plain(_renorm),
    "_cdist_forward": _cdist,
    "_pdist_forward": _pdist,
    "_euclidean_dist": plain(_euclidean_dist),
    "trace": plain(lambda x: reduce_sum(index(x, np.diagonal), (0,))),
}
