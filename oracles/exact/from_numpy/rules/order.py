"""NumPy's orders, running sums, rounding and sums along a line, on recorded values."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from oracles.exact.from_numpy.refusals import unsupported
from oracles.exact.from_numpy.rules.reductions import (
    NO_VALUE,
    Axis,
    Rule,
    alike,
    axes_of,
    every,
    floating,
    kept,
    pair,
)
from oracles.exact.program import functions as fn
from oracles.exact.program.primitives import compare, convert, orders, pi, scalar, select, sorting
from oracles.exact.program.primitives.apart import lacking
from oracles.exact.program.primitives.arrays import (
    concatenate,
    index,
    keeping,
    reduce_sum,
    reduced,
    reshape,
    scatter_add,
    take,
    without,
)
from oracles.exact.program.primitives.linear_algebra import matmul
from oracles.exact.program.primitives.missing import missing
from oracles.exact.program.primitives.reductions import reduce_or
from oracles.exact.program.program import Operand, Var
from oracles.exact.program.recording import Recorder


def _flat(x: Var, axis: int | None) -> tuple[Var, int]:
    return (reshape(x, (x.size,)), 0) if axis is None else (x, int(axis) % x.ndim)


def _where_extreme(sign: int) -> Rule:
    def rule(x: Var, axis: int | None = None, *, keepdims: Any = False) -> Var:
        y, a = _flat(x, axis)
        found = orders.argmax(y if sign > 0 else fn.descending(y), a)
        if not kept(keepdims):
            return found
        return reshape(found, [1] * x.ndim if axis is None else [*y.shape[:a], 1, *y.shape[a + 1 :]])

    return rule


def _running(function: Callable[[Var, int], Var], first: float) -> Rule:
    def rule(x: Var, axis: int | None = None, dtype: Any = None, *, include_initial: bool = False) -> Var:
        x, axis = _flat(x if x.is_float else convert(x, "int64"), axis)
        found = function(x, axis)
        if not include_initial:
            return found
        shape = [1 if k == axis % found.ndim else size for k, size in enumerate(found.shape)]
        return concatenate([found.builder.constant(np.full(shape, first), found.dtype), found], axis)

    return rule


def _diff(x: Operand, n: int = 1, axis: int = -1, prepend: Any = NO_VALUE, append: Any = NO_VALUE) -> Var:
    """One number that stands before or after is that of each row."""
    x, *ends = alike(x, *(v for v in (prepend, append) if v is not NO_VALUE))
    axis %= x.ndim
    lead, one = (slice(None),) * axis, (*x.shape[:axis], 1, *x.shape[axis + 1 :])
    if ends:
        more = [v if v.ndim else v.builder.broadcast(v, one) for v in ends]
        x = concatenate([x, *more] if prepend is NO_VALUE else [more[0], x, *more[1:]], axis)
    for _ in range(n):
        x = index(x, lambda p: p[(*lead, slice(1, None))]) - index(x, lambda p: p[(*lead, slice(None, -1))])
    return x


def _recorded(x: Operand, other: Operand) -> Var:
    """x as a recorded value of its own dtype, beside another one."""
    if isinstance(x, Var):
        return x
    array = np.asarray(x)
    assert isinstance(other, Var)
    return other.builder.as_var(array, array.dtype.name)


def _trapezoid(y: Operand, x: Any = None, dx: Any = 1.0, axis: int = -1) -> Var:
    y = _recorded(y, x)
    axis %= y.ndim
    lead = (slice(None),) * axis
    heights = index(y, lambda p: p[(*lead, slice(1, None))]) + index(y, lambda p: p[(*lead, slice(None, -1))])
    if x is not None:
        # The steps are taken in the dtype of x, and only then in that of both.
        x = _recorded(x, y)
        heights, step = pair(heights, _diff(x, axis=-1 if x.ndim == 1 else axis))
        dx = step if x.ndim > 1 else reshape(step, (step.size, *(1,) * (y.ndim - axis - 1)))
    return reduce_sum(heights * dx, (axis,)) / 2.0


def _linspace(
    start: Operand, stop: Operand, num: int = 50, endpoint: bool = True, retstep: bool = False,
    dtype: Any = None, axis: int = 0, *, device: Any = None,
) -> Any:  # fmt: skip
    """start + i (stop - start) / n, and by `retstep` what is from one to the next."""
    start, stop = pair(_beside(start, stop), _beside(stop, start))
    count = float(max(num - endpoint, 1))
    steps = np.arange(num, dtype=float).reshape(-1, *(1,) * max(start.ndim, stop.ndim))
    found = index(start + (stop - start) * steps / count, lambda p: np.moveaxis(p, 0, axis))
    return (found, (stop - start) / count) if retstep else found


def _beside(x: Operand, other: Operand) -> Operand:
    """A number of Python's in the dtype of the recorded one; anything else as it is."""
    if not (type(x) in {int, float} and isinstance(other, Var)):
        return x
    return other.builder.as_var(x, np.result_type(np.dtype(other.dtype), 1.0).name)


# -- elementwise functions that are no ufuncs -------------------------------------------------------------


def _clip(x: Any, low: Any = None, high: Any = None, *, min: Any = NO_VALUE, max: Any = NO_VALUE) -> Var:
    limits = [low if min is NO_VALUE else min, high if max is NO_VALUE else max]
    none = [v is None or v is NO_VALUE or (isinstance(v, float) and np.isinf(v)) for v in limits]
    x = _recorded(x, next(v for v in (x, *limits) if isinstance(v, Var)))
    return fn.clamp(x, *(None if gone else v for v, gone in zip(limits, none, strict=True)))


def _round(x: Var, decimals: int = 0) -> Var:
    if not x.is_float:
        return x
    if decimals == 0:
        return fn.step("round", x)
    scale = float(10**decimals) if decimals > 0 else float(10**-decimals)
    return fn.step("round", x * scale) / scale if decimals > 0 else fn.step("round", x / scale) * scale


def _sinc(x: Var) -> Var:
    """sin(pi x) / (pi x)."""
    return scalar("sinc", floating(x) * pi(x.builder, "float64" if not x.is_float else x.dtype))


def _isclose(x: Operand, y: Operand, rtol: Any = 1e-5, atol: Any = 1e-8, equal_nan: Any = False) -> Var:
    x, y = pair(x, y)
    allowed: Var = atol + rtol * fn.absolute(y)
    return compare("le", fn.absolute(x - y), allowed)


def _array_equal(x: Operand | None, y: Operand | None, equal_nan: Any = False) -> Var:
    if x is None or y is None:  # what was kept of a last call, before there was one
        (known,) = (v for v in (x, y) if isinstance(v, Var))
        return known.builder.constant(np.asarray(False))
    x, y = pair(x, y)
    if x.shape != y.shape:
        return x.builder.constant(np.asarray(False))
    return every(compare("eq", x, y))


# -- sums along a line ------------------------------------------------------------------------------------


def _convolve(a: Operand, v: Operand, mode: str = "full") -> Var:
    """Sum_j a_{i-j} v_j; "same" and "valid" are its middle."""
    a, v = pair(a, v)
    if v.size > a.size:
        a, v = v, a
    i, j = np.arange(a.size + v.size - 1)[:, None], np.arange(v.size)
    places = np.where((i - j >= 0) & (i - j < a.size), i - j, -1)
    cut = {"full": 0, "same": v.size - 1, "valid": 2 * (v.size - 1)}[mode]
    places = places[cut // 2 : len(places) - (cut - cut // 2)]
    return reshape(matmul(take(a, places), reshape(v, (v.size, 1))), (len(places),))


def _correlate(a: Operand, v: Operand, mode: str = "valid") -> Var:
    """Sum_j a_{i+j} v_j: the convolution with v backwards."""
    a, v = pair(a, v)
    if v.size > a.size:
        return orders.flip(_correlate(v, a, mode), 0)
    return _convolve(a, orders.flip(v, 0), mode)


def _bincount(x: Any, weights: Var, minlength: int = 0) -> Var:
    places = np.asarray(x)
    return scatter_add(weights, places, (max(minlength, int(places.max(initial=-1)) + 1),))


def _searchsorted(a: Operand, v: Operand, side: Any = "left", sorter: Any = None) -> Var:
    """How many of a lie below v, or at it on the right; a sorter is not needed to count."""
    return fn.count_below(*pair(a, v), str(side).startswith("r"))


def _interp(
    x: Operand, xp: Operand, fp: Operand, left: Any = None, right: Any = None, period: Any = None
) -> Var:
    """From the first value on, along each piece as far as x goes: so outside it is that at the end."""
    like = next(v for v in (x, xp, fp, left, right, period) if isinstance(v, Var))
    x, xp, fp = (convert(like.builder.as_var(v, "float64"), "float64") for v in (x, xp, fp))
    if period is not None:
        x, xp, fp = _in_one_period(x, xp, fp, period)
        left = right = None
    widths = xp[1:] - xp[:-1]
    way = fn.clamp(index(x, lambda p: p[..., None]) - xp[:-1], 0.0, widths)
    found = reduce_sum(way * ((fp[1:] - fp[:-1]) / widths), (way.ndim - 1,)) + fp[0]
    for side, end, other in (("lt", xp[0], left), ("gt", xp[-1], right)):
        if other is not None:
            there = like.builder.broadcast(convert(like.builder.as_var(other, "float64"), "float64"), x.shape)
            found = select(compare(side, x, like.builder.broadcast(end, x.shape)), there, found)
    return found


def _in_one_period(x: Var, xp: Var, fp: Var, period: Any) -> tuple[Var, Var, Var]:
    """The same within one period, whose last point stands before its first, too, and the first after it."""
    recorder: Any = x.builder
    width = fn.absolute(convert(recorder.as_var(period, "float64"), "float64"))
    x, points = (fn.remainder(v, recorder.broadcast(width, v.shape), "floor") for v in (x, xp))
    order = recorder.decide(orders.argsort(points, 0))
    points, fp = (index(v, lambda p: p[order]) for v in (points, fp))
    before, after = points[-1:] - width, points[:1] + width
    return x, concatenate([before, points, after], 0), concatenate([fp[-1:], fp, fp[:1]], 0)


def _in_order(x: Var, axes: tuple[int, ...], leaves_out: bool) -> tuple[Var, Any]:
    """The rows of x in order, and where the last element of each is.

    What is missing stands at the end. Where that is not left out, all of its row is missing.
    """
    left = without(x.shape, axes)
    rows = index(floating(x), lambda p: np.moveaxis(p, axes, range(-len(axes), 0)).reshape(*left, -1))
    ordered, last, gone = sorting.sort(rows, -1), rows.shape[-1] - 1, missing(rows)
    if gone is None:
        return ordered, last
    if leaves_out:
        assert isinstance(x.builder, Recorder)
        return ordered, np.maximum(last - x.builder.decide(gone).sum(-1), 0)
    some = reduced(reduce_or, gone, (rows.ndim - 1,), keepdims=True)
    return lacking(ordered, x.builder.broadcast(some, rows.shape), rows), last


def _of_each(rows: Var, at: Any) -> Var:
    """One element of each row."""
    where = np.broadcast_to(at, rows.shape[:-1])[..., None]
    return index(rows, lambda p: np.take_along_axis(p, where, -1)[..., 0])


def median(
    x: Var, axis: Axis = None, overwrite_input: Any = False, keepdims: Any = False, *,
    leaves_out: bool = False,
) -> Var:  # fmt: skip
    """The middle element, or the mean of the two in the middle."""
    axes = axes_of(x, axis)
    ordered, last = _in_order(x, axes, leaves_out)
    middle = (_of_each(ordered, last // 2) + _of_each(ordered, (last + 1) // 2)) / 2.0
    return reshape(middle, keeping(x.shape, axes)) if kept(keepdims) else middle


def quantile(
    x: Var, q: Any, axis: Any = None, overwrite_input: Any = False, method: str = "linear",
    keepdims: Any = False, *, weights: Any = None, hundredth: bool = False, leaves_out: bool = False,
) -> Var:  # fmt: skip
    """Of the sorted elements the one at q (n - 1), or between its neighbours."""
    if isinstance(q, Var) or weights is not None or method not in {"linear", "lower", "higher", "midpoint"}:
        raise unsupported(f"np.quantile with weights, method={method!r} or a q that depends on the data")
    x, axes, found = floating(x), axes_of(x, axis), []
    ordered, last = _in_order(x, axes, leaves_out)
    for one in (np.asarray(q, np.float64) / (100.0 if hundredth else 1.0)).ravel().tolist():
        at = one * last
        below, above = (np.minimum(end(at), last).astype(int) for end in (np.floor, np.ceil))
        low, high = _of_each(ordered, below), _of_each(ordered, above)
        share = x.builder.constant(one, x.dtype) * (1.0 * last) - 1.0 * below
        between = {"lower": low, "higher": high, "midpoint": low + (high - low) * 0.5}
        value = between.get(method) or low + (high - low) * share
        found.append(reshape(value, keeping(x.shape, axes)) if kept(keepdims) else value)
    if not np.ndim(q):
        return found[0]
    stacked = concatenate([reshape(v, (1, *v.shape)) for v in found], 0)
    return reshape(stacked, (*np.shape(q), *found[0].shape))


def _ediff1d(ary: Operand, to_end: Any = None, to_begin: Any = None) -> Var:
    """In the dtype of the array."""
    ary = _recorded(ary, to_end if isinstance(to_end, Var) else to_begin)
    parts = [to_begin, _diff(reshape(ary, (ary.size,))), to_end]
    given = [convert(ary.builder.as_var(v, ary.dtype), ary.dtype) for v in parts if v is not None]
    return concatenate([reshape(v, (v.size,)) for v in given], 0)


def _polymul(a1: Operand, a2: Operand) -> Var:
    """The product of polynomials, each from its first coefficient on that is not 0."""
    first, second = pair(a1, a2)
    return _convolve(_leading(first), _leading(second))


def _leading(a: Var) -> Var:
    recorder, a = a.builder, reshape(a, (a.size,))
    assert isinstance(recorder, Recorder)
    there = np.flatnonzero(recorder.decide(compare("ne", a, 0.0)))
    return a[int(there[0]) :] if there.size else a[-1:]


RULES: dict[str, Rule] = {
    "median": median,
    "quantile": quantile,
    "percentile": partial(quantile, hundredth=True),
    "ediff1d": _ediff1d,
    "argmax": _where_extreme(1),
    "argmin": _where_extreme(-1),
    # Equal elements in their own order, whatever `kind` is.
    "sort": lambda x, axis=-1, kind=None, order=None, *, stable=None: sorting.sort(*_flat(x, axis)),
    "argsort": lambda x, axis=-1, kind=None, order=None, *, stable=None: orders.argsort(*_flat(x, axis)),
    **dict.fromkeys(("cumsum", "cumulative_sum"), _running(orders.cumsum, 0.0)),
    **dict.fromkeys(("cumprod", "cumulative_prod"), _running(fn.cumprod, 1.0)),
    "diff": _diff,
    "trapezoid": _trapezoid,
    "linspace": _linspace,
    "clip": _clip,
    **dict.fromkeys(("round", "around"), _round),
    "fix": lambda x: fn.step("trunc", x),
    "sinc": _sinc,
    "i0": lambda x: scalar("bessel_i", floating(x), nu=0, scaled=False),
    "isclose": _isclose,
    "allclose": lambda *args, **kwargs: every(_isclose(*args, **kwargs)),
    "array_equal": _array_equal,
    "convolve": _convolve,
    "polymul": _polymul,
    "searchsorted": _searchsorted,
    "interp": _interp,
    "correlate": _correlate,
    "bincount": _bincount,
}
