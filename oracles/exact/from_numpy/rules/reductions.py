"""NumPy's reductions on recorded values.

Each rule has the arguments of its function, with recorded values for traced arrays. Shape and dtype are
checked against NumPy's own result, so a rule only says what is computed.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from oracles.exact.from_numpy.gather import spread
from oracles.exact.program import functions as fn
from oracles.exact.program.primitives import compare, convert, scalar, select
from oracles.exact.program.primitives import reductions as red
from oracles.exact.program.primitives.arrays import reduce_sum, reduced, reshape
from oracles.exact.program.primitives.roughness import rough
from oracles.exact.program.program import FLOATS, Builder, Operand, Primitive, Var

Axis = int | tuple[int, ...] | None
NO_VALUE: Any = np._NoValue
Rule = Callable[..., Any]


def axes_of(x: Var, axis: Axis) -> tuple[int, ...]:
    """NumPy's axis argument as a tuple of axes."""
    if axis is None:
        return tuple(range(x.ndim))
    if x.ndim == 0:
        return ()  # NumPy takes axis 0 or -1 of a single number, of which there is none
    return tuple(int(a) % x.ndim for a in (axis if isinstance(axis, tuple | list) else (axis,)))


def kept(keepdims: Any) -> bool:
    """NumPy's keepdims argument."""
    return keepdims is not NO_VALUE and bool(keepdims)


def floating(x: Var) -> Var:
    """Integers and booleans as float64."""
    return x if x.is_float else convert(x, "float64")


def pair(x: Operand, y: Operand) -> tuple[Var, Var]:
    """Two operands as `alike` gives them."""
    a, b = alike(x, y)
    return a, b


def alike(*operands: Operand) -> list[Var]:
    """Operands as recorded values, in the dtype in which NumPy computes where that is a float.

    A number of Python's is float64 to what makes arrays of its operands, as np.dot does.
    """
    builder: Builder = next(v.builder for v in operands if isinstance(v, Var))
    all_ = [v if isinstance(v, Var) else np.asarray(v) for v in operands]
    kind = np.result_type(*(np.dtype(v.dtype) for v in all_)).name
    if kind not in FLOATS:
        return [v if isinstance(v, Var) else builder.constant(v) for v in all_]
    return [convert(v, kind) if isinstance(v, Var) else builder.constant(v, kind) for v in all_]


def _among(x: Var, where: Any, otherwise: float) -> Var:
    """x, and a number that changes nothing where `where` is false."""
    if where is True or where is NO_VALUE:
        return x
    return select(flags_of(x, where), x, x.builder.constant(np.asarray(otherwise), x.dtype))


def flags_of(x: Var, where: Any) -> Var:
    """The argument `where`, for each element."""
    flags = where if isinstance(where, Var) else x.builder.constant(np.asarray(where, bool))
    return spread(flags, x.shape)


def flags(x: Var) -> Var:
    """Which elements are not zero."""
    return x if x.dtype == "bool" else compare("ne", x, 0)


# -- reductions -------------------------------------------------------------------------------------------


def _total(reduce: Callable[..., Var], combine: Callable[[Var, Any], Var], neutral: float) -> Rule:
    """The sum or the product; `neutral` is what changes nothing."""

    def rule(
        x: Var,
        axis: Axis = None,
        dtype: Any = None,
        keepdims: Any = False,
        initial: Any = NO_VALUE,
        where: Any = True,
    ) -> Var:
        kind = np.dtype(dtype).name if dtype is not None else x.dtype if x.is_float else "int64"
        total = reduce(_among(convert(x, kind), where, neutral), axes_of(x, axis), kept(keepdims))
        return total if initial is NO_VALUE else combine(total, initial)

    return rule


_sum = _total(reduce_sum, operator.add, 0)


def _extreme(reduce: Callable[..., Var], combine: str, worst: float) -> Rule:
    """The largest or the smallest; `worst` is what never is."""

    def rule(
        x: Var, axis: Axis = None, keepdims: Any = False, initial: Any = NO_VALUE, where: Any = True
    ) -> Var:
        if where is not True and where is not NO_VALUE:
            x = _among(x, where, worst if initial is NO_VALUE else initial)
        found = reduce(x, axes_of(x, axis), kept(keepdims))
        if initial is NO_VALUE or (not isinstance(initial, Var) and np.all(initial == worst)):
            return found
        return found.builder.elementwise(combine, found, initial)

    return rule


def logaddexp_of_all(x: Var, axis: Axis = 0, keepdims: Any = False) -> Var:
    """log(sum e^x), which NumPy adds up one by one: x + log(1 + e^-d) of what it has so far, the larger x.

    Each is rounded once, and its logarithm, at most log 2, by a few units. What it has so far lies between
    the first number and the sum.
    """
    axes = axes_of(x, axis)
    found = fn.logsumexp(x, axes, kept(keepdims))
    size = red.reduce_max(fn.absolute(x), axes, kept(keepdims))
    size = size.builder.elementwise("maximum", size, fn.absolute(found)) + 4.0
    return rough(found, "itself", (size,), 2.0 * math.prod(x.shape[a] for a in axes))


def _count(x: Var, axes: tuple[int, ...], keepdims: bool, where: Any) -> Operand:
    """How many elements are counted."""
    if where is True or where is NO_VALUE:
        return float(np.prod([x.shape[a] for a in axes], dtype=int))
    ones = x.builder.broadcast(x.builder.constant(1.0, x.dtype), x.shape)
    return reduce_sum(_among(ones, where, 0), axes, keepdims)


def _mean(x: Var, axis: Axis = None, dtype: Any = None, keepdims: Any = False, where: Any = True) -> Var:
    x = floating(x)
    axes, keep = axes_of(x, axis), kept(keepdims)
    return reduce_sum(_among(x, where, 0), axes, keep) / _count(x, axes, keep, where)


def _var(
    x: Var, axis: Axis = None, dtype: Any = None, ddof: Any = 0, keepdims: Any = False, where: Any = True,
    mean: Any = NO_VALUE, correction: Any = NO_VALUE,
) -> Var:  # fmt: skip
    x = floating(x)
    axes, keep = axes_of(x, axis), kept(keepdims)
    centre = _mean(x, axes, keepdims=True, where=where) if mean is NO_VALUE else mean
    squares = reduce_sum(_among(fn.square(x - centre), where, 0), axes, keep)
    lost = float(ddof if correction is NO_VALUE else correction)
    count = _count(x, axes, keep, where)
    return squares / (count - lost)


def _average(
    x: Var, axis: Axis = None, weights: Any = None, returned: Any = False, keepdims: Any = False
) -> Any:
    """The weighted mean, and by `returned` the sum of the weights."""
    if weights is None:
        found = _mean(x, axis, keepdims=keepdims)
        return (
            (found, _spread(_count(x, axes_of(x, axis), kept(keepdims), True), found)) if returned else found
        )
    x, w = pair(x, weights)
    axes, keep = axes_of(x, axis), kept(keepdims)
    w = w if w.shape == x.shape else reshape(w, [n if a in axes else 1 for a, n in enumerate(x.shape)])
    w = x.builder.broadcast(w, x.shape)
    total = reduce_sum(w, axes, keep)
    found = reduce_sum(x * w, axes, keep) / total
    return (found, total) if returned else found


def _spread(count: Operand, like: Var) -> Var:
    return like.builder.broadcast(like.builder.as_var(count, like.dtype), like.shape)


def _ptp(x: Var, axis: Axis = None, keepdims: Any = False) -> Var:
    axes = axes_of(x, axis)
    return red.reduce_max(x, axes, kept(keepdims)) - red.reduce_min(x, axes, kept(keepdims))


def logic(reduce: Primitive, otherwise: bool) -> Callable[..., Var]:
    """Whether all, or any, elements are not zero; `otherwise` is what changes nothing."""

    def rule(x: Var, axis: Axis = None, keepdims: Any = False, where: Any = True) -> Var:
        return reduced(reduce, _among(flags(x), where, otherwise), axes_of(x, axis), kept(keepdims), "bool")

    return rule


every = logic(red.reduce_and, True)

RULES: dict[str, Rule] = {
    "sum": _sum,
    "prod": _total(red.reduce_prod, operator.mul, 1),
    **dict.fromkeys(("max", "amax"), _extreme(red.reduce_max, "maximum", -np.inf)),
    **dict.fromkeys(("min", "amin"), _extreme(red.reduce_min, "minimum", np.inf)),
    "mean": _mean,
    "var": _var,
    "std": lambda *args, **kwargs: scalar("sqrt", _var(*args, **kwargs)),
    "average": _average,
    "ptp": _ptp,
    "all": every,
    "any": logic(red.reduce_or, False),
    "count_nonzero": lambda x, axis=None, *, keepdims=False: _sum(flags(x), axis, keepdims=keepdims),
}
