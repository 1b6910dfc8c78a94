"""What is chosen by comparisons, with kinks where they turn: select, blend, maximum, abs."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Sequence
from functools import reduce
from typing import Any

import numpy as np
from flint import arb

from oracles.exact.program.balls import KINKS, OPEN, as_balls, certain_extreme, each, settled
from oracles.exact.program.derive import Tangents, jointly_linear, zeros_like
from oracles.exact.program.errors import Undecided
from oracles.exact.program.formats import exactly
from oracles.exact.program.maxima import Maxima
from oracles.exact.program.primitives.arrays import SHAPES
from oracles.exact.program.primitives.comparisons import ge, le
from oracles.exact.program.primitives.logic import and_, kleene, not_, or_
from oracles.exact.program.primitives.staying import stay_equal
from oracles.exact.program.program import Array, Equation, Kink, Operand, Primitive, Var

MASKS = (*SHAPES, not_, and_, or_)  # through which a choice finds its comparisons
MANY = 256  # comparisons, from which on a mask is asked as a number


def _select(pred: Array, x: Array, y: Array) -> Array:
    if pred.dtype == bool and (x.dtype == object) != (y.dtype == object):
        x, y = as_balls(x), as_balls(y)
    return np.where(pred, x, y)


def _select_opened(pred: Array, x: Array, y: Array) -> Array:
    if pred.dtype != OPEN:
        return np.asarray(_select(pred, x, y))
    if x.dtype != object and y.dtype != object:
        if np.array_equal(x[pred == 0.5], y[pred == 0.5]):
            return np.where(pred == 1, x, y)
        if x.dtype.kind == "b" or OPEN in (x.dtype, y.dtype):
            x, y = kleene(x), kleene(y)
            return settled(np.where(pred == 0.5, np.where(x == y, x, 0.5), np.where(pred == 1, x, y)))
        raise Undecided("rounding decides which integer is chosen")

    def one(p: float, a: arb, b: arb) -> arb:
        return a.union(b) if p == 0.5 else a if p == 1 else b

    return each(one, pred, as_balls(x), as_balls(y))


def _around_edge(
    pred: Var, x: Var | None, y: Var | None, like: Var, moves: tuple[Equation, ...] = ()
) -> Var | None:
    """x or y by what the choice turns on, and on its edge both; None where that is not two numbers.

    A mask of several comparisons chooses by one after the other. `moves` are what was done to it since.
    """
    builder = like.builder
    definition = builder.definitions.get(pred)
    if definition is None:
        return None
    primitive, operands = definition.primitive, definition.operands
    if primitive in SHAPES:
        return _around_edge(operands[0], x, y, like, (definition, *moves))
    if primitive is not_:
        return _around_edge(operands[0], y, x, like, moves)
    if primitive in (and_, or_):
        if _comparisons_in(pred) <= MANY:
            return _around_edges(definition, x, y, like, moves)
        share = _share(pred, like)
        half = like.builder.constant(0.5, like.dtype)
        return None if share is None else blend(_moved(share, moves), half, x, y, like)
    k = primitive.comparison.larger if primitive.comparison else None
    if k is None or not builder.moving.intersection(operands):
        return None
    a, b = operands[k], operands[1 - k]
    closed = primitive in (le, ge)
    there = stay_equal(a, b)
    if there is not None:  # no edge: both stay, and the code takes the same side all around
        a, b = select(there, 1.0 if closed else -1.0, a), select(there, 0.0, b)
    return blend(_moved(a, moves), _moved(b, moves), x, y, like, closed=closed)


def _around_edges(
    logic: Equation, x: Var | None, y: Var | None, like: Var, moves: tuple[Equation, ...]
) -> Var | None:
    """The same where two comparisons or more decide; None where none of them has an edge."""

    def chosen(pred: Var, x: Var | None, y: Var | None) -> tuple[Var, bool]:
        found = _around_edge(pred, x, y, like, moves)
        if found is not None:
            return found, True
        zero = like.builder.constant(0.0, like.dtype)
        return select(_moved(pred, moves), zero if x is None else x, zero if y is None else y), False

    p, q = logic.operands
    inner, one = chosen(q, x, y)
    outer, other = chosen(p, inner, y) if logic.primitive is and_ else chosen(p, x, inner)
    return outer if one or other else None


def _comparisons_in(mask: Var) -> int:
    """How many comparisons choose where it does: one that stands in several others counts in each."""
    known = mask.builder.comparisons
    for v in _made_of(mask, known):
        known[v] = sum(known[own] for own in _masks_in(v)) or 1
    return known[mask]


def _share(mask: Var, like: Var) -> Var | None:
    """A mask of many comparisons as a number, 1 where it holds and 0 elsewhere, and on an edge of it both.

    Each mask that it is made of is asked once: masks of masks, as a loop makes them, are a tree without end
    where each is asked with what it chooses. (Of few that is done: it tells where an edge does not matter.)
    None where none has an edge.
    """
    known = mask.builder.shares.setdefault(like.dtype, {})
    for v in _made_of(mask, known):
        known[v] = _share_of(v, like)
    return known[mask]


def _masks_in(mask: Var) -> tuple[Var, ...]:
    made = mask.builder.definitions.get(mask)
    return made.operands if made is not None and made.primitive in MASKS else ()


def _made_of(mask: Var, known: Container[Var]) -> Iterator[Var]:
    """The masks that it is made of and that are not known yet, each after its own, and itself."""
    waiting = [mask]
    while waiting:
        v = waiting[-1]
        if more := [own for own in _masks_in(v) if own not in known]:
            waiting += more
            continue
        waiting.pop()
        if v not in known:
            yield v


def _share_of(mask: Var, like: Var) -> Var | None:
    """The same, of masks whose own are known."""
    builder, masks = like.builder, _masks_in(mask)
    one, zero, half = (builder.constant(n, like.dtype) for n in (1.0, 0.0, 0.5))
    if not masks:
        return _around_edge(mask, one, zero, like)
    made, own = builder.definitions[mask], [builder.shares[like.dtype][v] for v in masks]
    if all(share is None for share in own):
        return None
    shares = [select(v, one, zero) if s is None else s for v, s in zip(masks, own, strict=True)]
    if made.primitive is not_:
        return one - shares[0]
    if made.primitive in SHAPES:
        return _moved(shares[0], (made,))
    p, q = shares
    return blend(p, half, q, zero, like) if made.primitive is and_ else blend(p, half, one, q, like)


def _moved(v: Var, moves: tuple[Equation, ...]) -> Var:
    for e in moves:
        v = v.builder.emit(e.primitive, (v,), e.output.shape, v.dtype, **e.params)
    return v


def _select_jvp(equation: Equation, tangents: Tangents) -> Var:
    """The tangent of the chosen side. On the edge of `a < b` both one-sided derivatives are legal."""
    _, x, y = tangents
    found = _around_edge(equation.operands[0], x, y, equation.output)
    return found or jointly_linear(1, 2)(equation, tangents)


def _select_around(equation: Equation) -> Var:
    """On that edge it has both values, where they differ: a mask that is a factor, say."""
    out, (pred, x, y) = equation.output, equation.operands
    return (_around_edge(pred, x, y, out) if out.is_float else None) or out


select_ = Primitive(
    "select",
    _select,
    _select_jvp,
    lambda e, k, ct: select(e.operands[0], ct, 0.0) if k == 1 else select(e.operands[0], 0.0, ct),
    exactly,
    _select_opened,
    Maxima.chosen,
    around=_select_around,
)


def select(pred: Var, x: Operand, y: Operand) -> Var:
    """x where pred, else y."""
    like = next(v for v in (x, y) if isinstance(v, Var))
    x, y = (like.builder.as_var(v, like.dtype) for v in (x, y))
    return like.builder.elementwise("select", pred, x, y, dtype=like.dtype)


def _blend(a: Array, b: Array, x: Array, y: Array, *, closed: bool | None) -> Array:
    def hull(a: arb, b: arb, x: arb, y: arb) -> arb:
        if x is y or (x.is_exact() and x == y):
            return x
        KINKS.say(f"neither of {a.str(8)} and {b.str(8)} is certainly larger")
        return x.union(y)

    a, b, x, y = np.broadcast_arrays(*map(as_balls, (a, b, x, y)))
    larger, tied = np.asarray(a > b, bool), _tied(a, b, x, y, closed=closed)
    found = np.where(larger, x, y)
    found[tied] = each(hull, a[tied], b[tied], x[tied], y[tied])
    return found


def _tied(a: Array, b: Array, x: Array, y: Array, *, closed: bool | None) -> Array:
    a, b = as_balls(a), as_balls(b)
    return np.asarray(~(np.asarray(a > b, bool) | np.asarray(a < b, bool)))


def _blend_mixed(share: float, a: Array, b: Array, x: Array, y: Array, *, closed: bool | None) -> Array:
    one, other = (y, x) if closed is False else (x, y)
    if share in (0, 1):
        return np.asarray(one if share else other)
    return np.asarray(share * one + (1 - share) * other)


def _blend_transpose(equation: Equation, k: int, ct: Var) -> Var:
    a, b, _, _ = equation.operands
    return blend(a, b, ct if k == 2 else None, ct if k == 3 else None, ct, **equation.params)


# x where a > b, y where a < b, and the hull of both where neither is certain: the legal derivatives of
# max(a, b) and its kin. Piecewise constant in a and b, linear in x and y.
blend_ = Primitive(
    "blend",
    _blend,
    jointly_linear(2, 3),
    _blend_transpose,
    exactly,
    kink=Kink(_tied, lambda a, b, x, y, closed: as_balls(a) - as_balls(b), _blend_mixed),
)


def blend(a: Var, b: Var, x: Var | None, y: Var | None, like: Var, closed: bool | None = None) -> Var:
    """x where a > b, y where a < b, their hull where neither is certain; None is zero, shaped like `like`.

    Where a and b are one number, the recorded code takes x if it is `closed`, y if not, and if that is None,
    as in a maximum, either.
    """
    zero = like.builder.constant(0.0, like.dtype)
    chosen = zero if x is None else x, zero if y is None else y
    return like.builder.elementwise("blend", a, b, *chosen, dtype=like.dtype, closed=closed)


def _extreme(choose: str, integers: np.ufunc) -> Any:
    certain = certain_extreme(choose)

    def evaluate(x: Array, y: Array) -> Array:
        if x.dtype != object and y.dtype != object:
            return np.asarray(integers(x, y))
        return each(certain, as_balls(x), as_balls(y))

    return evaluate


def _extreme_jvp(larger: int) -> Callable[[Equation, Tangents], Var]:
    return lambda e, t: blend(e.operands[0], e.operands[1], t[larger], t[1 - larger], e.output)


def either(masks: Sequence[Var]) -> Var:
    """Where any of these masks is."""
    return reduce(lambda p, q: p.builder.elementwise("or", p, q, dtype="bool"), masks)


def each_apart(operands: Sequence[Var], gone: Sequence[Var]) -> tuple[list[Var], Var]:
    """Other numbers that are no tie, and at which no step jumps."""
    some = either(gone)
    return [select(some, k + 0.25, v) for k, v in enumerate(operands)], some


maximum = Primitive(
    "maximum",
    _extreme("max", np.maximum),
    _extreme_jvp(0),
    rounded=exactly,
    rows=Maxima.larger,
    apart=each_apart,
)
minimum = Primitive(
    "minimum", _extreme("min", np.minimum), _extreme_jvp(1), rounded=exactly, apart=each_apart
)


def _abs_jvp(equation: Equation, tangents: Tangents) -> Var:
    (x,), (tx,) = equation.operands, tangents
    assert tx is not None
    return blend(x, zeros_like(x), tx, -tx, x)


abs_ = Primitive("abs", np.absolute, _abs_jvp, rounded=exactly)
