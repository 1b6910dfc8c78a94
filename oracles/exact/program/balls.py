"""Arrays of balls: NumPy object arrays whose elements are Arb's real balls.

A ball is a midpoint with a proven radius: whatever is computed from balls contains what exact arithmetic
would give. NumPy brings shapes, indexing and broadcasting; `+ - *` on object arrays call Arb. Integers and
booleans stay ordinary exact arrays. The working precision is `flint.ctx.prec`, in bits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from operator import eq
from typing import Any, Generic, TypeVar

import flint
import numpy as np
from flint import arb, arb_mat
from numpy.typing import NDArray

from oracles.exact.program.errors import Undecided, Unsupported
from oracles.exact.program.indices import first_true
from oracles.exact.program.program import Array

T = TypeVar("T")
ZERO, ONE = arb(0), arb(1)
INTEGERS = "iub"  # kinds of NumPy's dtypes
FEW_BITS = ("int1", "int2", "int4")  # integers that NumPy itself has not: they wrap as ml_dtypes has it
# Which comparisons hold of a number and itself.
REFLEXIVE = frozenset({np.equal, np.less_equal, np.greater_equal})


@contextmanager
def precision(bits: int) -> Iterator[None]:
    """Work at so many bits inside the block."""
    before = flint.ctx.prec
    flint.ctx.prec = bits
    try:
        yield
    finally:
        flint.ctx.prec = before


def in_integers(ball: arb) -> tuple[Any, ...]:
    """A ball as plain numbers that `from_integers` reads: nothing of it is rounded."""
    if ball.is_finite():
        ends = (*ball.mid().man_exp(), *ball.rad().man_exp())
        return tuple(map(int, ends))
    if ball.is_nan():
        return ("nan",)
    middle = ball.mid()
    return ("line",) if middle.is_finite() else ("+inf" if middle > 0 else "-inf",)


def from_integers(plain: tuple[Any, ...]) -> arb:
    """The ball that `in_integers` was given."""
    if len(plain) == 1:
        return arb(0, "+inf") if plain[0] == "line" else arb(plain[0])
    middle, exponent, radius, small = plain
    # Arb rounds a radius up; a little below one that it can hold is rounded up to that.
    return arb((middle, exponent), ((radius << 64) - 1, small - 64)) if radius else arb((middle, exponent))


class Notes(Generic[T]):
    """What evaluations say on the way, to whoever collects it.

    Attributes:
        most: How many are kept, once each; all of them for 0.
    """

    def __init__(self, most: int = 0) -> None:
        self.most = most
        self._lists: list[list[T]] = []

    @contextmanager
    def collected(self) -> Iterator[list[T]]:
        """Collect what is said inside the block."""
        own: list[T] = []
        self._lists.append(own)
        try:
            yield own
        finally:
            self._lists.pop()  # the blocks are nested; `remove` would take an outer list that is equal

    def say(self, note: T) -> None:
        """Tell everyone who collects."""
        for found in self._lists:
            if not self.most or (len(found) < self.most and note not in found):
                found.append(note)


# Where a hull of one-sided values is taken; where numbers that are asked whether they are equal are so, which
# they may not be nearby; where a tangent of exactly 0 meets a slope that is not finite, and says nothing.
KINKS, TIES, LOST = Notes[str](most=8), Notes[bytes](), Notes[None]()


def filled(values: list[Any], shape: tuple[int, ...]) -> Array:
    """An object array of this shape with these elements in order."""
    return np.fromiter(values, object, len(values)).reshape(shape)


def exact(given: Any) -> Array:
    """The balls of radius 0 around the given numbers; integers and booleans stay as they are.

    Raises:
        Unsupported: NaN, infinite, complex or other numbers that no real ball is around.
    """
    array = numbers(given)
    return array if array.dtype.kind != "f" else filled(list(map(arb, array.ravel().tolist())), array.shape)


def numbers(given: Any) -> Array:
    """The same numbers as float64, for what makes balls of them itself; balls and integers as they are.

    Raises:
        Unsupported: As `exact`.
    """
    array: Array = np.asarray(given)
    if array.dtype.kind in "Oiub":
        return array
    if array.dtype.name.endswith(FEW_BITS):
        return array.astype(np.int8)
    if array.dtype.kind != "f" and array.dtype.name != "bfloat16":
        hint = "complex numbers: not yet" if array.dtype.kind == "c" else "pass real numbers"
        raise Unsupported(f"dtype {array.dtype} has no exact counterpart ({hint})")
    wide = array.astype(np.float64)
    if not np.isfinite(wide).all():
        where = first_true(~np.isfinite(wide))
        raise Unsupported(f"the element at {where} is {wide[where]}; only finite numbers have a derivative")
    return wide


def as_balls(array: Array) -> Array:
    """Integers and booleans as exact balls; balls as they are."""
    if array.dtype == object or array.dtype.kind not in "iub":
        return exact(array)
    return filled([arb(int(v)) for v in array.ravel().tolist()], array.shape)


def as_doubles(balls: Array) -> NDArray[np.float64] | None:
    """The same numbers as float64; None where one of them is no such number, or a ball with a radius."""
    given = balls.ravel().tolist()
    found = list(map(float, given))
    return np.array(found).reshape(balls.shape) if all(map(eq, given, found)) else None


def zeros(shape: tuple[int, ...]) -> Array:
    """Exact zeros."""
    array = np.empty(shape, object)
    array.fill(ZERO)
    return array


def each(function: Callable[..., Any], *arrays: Array) -> Array:
    """Apply a function of balls element by element."""
    shape = arrays[0].shape
    if any(a.shape != shape for a in arrays):
        arrays = np.broadcast_arrays(*arrays)
        shape = arrays[0].shape
    return filled(list(map(function, *(a.ravel().tolist() for a in arrays))), shape)


def unit() -> arb:
    """[0, 1]: a new one each time, for two of them are two numbers (see `comparison`)."""
    return ZERO.union(ONE)


def certain_extreme(choose: str) -> Callable[[arb, arb], arb]:
    """The larger ("max") or smaller ("min") of two: one of them itself, where that is certain."""

    def extreme(a: arb, b: arb) -> arb:
        if a < b:
            return b if choose == "max" else a
        if a > b:
            return a if choose == "max" else b
        return a if a is b else getattr(a, choose)(b)

    return extreme


def comparison(x: Array, y: Array, holds: Any, fails: Any) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Where a comparison (a ufunc) is certain to hold, and where its opposite is.

    One and the same ball, moved or chosen, is one and the same number: `x == max(x, 0)` is certain where
    x > 0 is, however x was computed.
    """
    yes, no = np.asarray(holds(x, y), bool), np.asarray(fails(x, y), bool)
    if not (yes | no).all():
        pairs = zip(*(a.ravel().tolist() for a in np.broadcast_arrays(x, y)), strict=True)
        same = np.array([a is b and a.is_finite() for a, b in pairs], bool)
        (yes if holds in REFLEXIVE else no)[...] |= same.reshape(yes.shape)
    return yes, no


def decide(x: Array, y: Array, yes: NDArray[np.bool_], no: NDArray[np.bool_]) -> Array:
    """Where a comparison of x and y is certain to hold, if for every element it or its opposite is.

    Raises:
        Undecided: For some element neither is certain; names the two balls.
    """
    open_ = ~(yes | no)
    if open_.any():
        where = first_true(open_)
        left, right = np.broadcast_to(x, yes.shape)[where], np.broadcast_to(y, yes.shape)[where]
        shown = [_shown(v) if isinstance(v, arb) else v for v in (left, right)]
        raise Undecided(f"cannot compare {shown[0]} with {shown[1]} at {where}")
    return yes


def _shown(ball: arb) -> str:
    if ball.is_nan():
        return (
            "a number that exact arithmetic does not know (0 / 0, outside of a domain, or no digits left; "
            "where(y != 0, y, 1) keeps a 0 out of a division)"
        )
    return str(ball.str(8))


def matmul(x: Array, y: Array) -> Array:
    """The product of the last two axes, batch by batch, by Arb's matrix product."""
    (*batch, m, k), n = x.shape, y.shape[-1]
    if x.dtype.kind in INTEGERS and y.dtype.kind in INTEGERS:
        return np.asarray(np.matmul(x, y))
    if 0 in (m, k, n, *batch):
        return zeros((*batch, m, n))
    if min(m, n) == 1 or k == 1:  # a product with a vector: nothing for a matrix algorithm to save
        x, y = as_balls(x), as_balls(y)
        return np.asarray(np.add.reduce(x[..., :, :, None] * y[..., None, :, :], axis=-2))
    xs, ys = x.reshape(-1, m, k), y.reshape(-1, k, n)
    entries: list[arb] = []
    for a, b in zip(xs, ys, strict=True):
        entries += (matrix(a) * matrix(b)).entries()
    return filled(entries, (*batch, m, n))


def matrix(x: Array) -> arb_mat:
    """A two-dimensional array of balls as Arb's matrix."""
    rows, columns = x.shape
    entries = x if x.dtype == np.float64 else as_balls(x)
    return arb_mat(rows, columns, entries.ravel().tolist())


def all_finite(array: Array) -> bool:
    """Whether no element is NaN or unbounded."""
    return all(map(arb.is_finite, array.ravel().tolist()))


# -- three truth values, for comparisons that rounding may turn: false, true, and open --------------------
#
# Arrays of float16 with 0, 1 and 1/2 (Kleene, Introduction to Metamathematics, 1952, 64), a dtype that no
# array of an evaluation has otherwise. What is decided everywhere is an ordinary array of booleans.

OPEN = np.dtype(np.float16)


def is_open(arrays: Sequence[Array]) -> bool:
    """Whether any of these has an open element."""
    return any(a.dtype == OPEN for a in arrays)


def truths(yes: Array, no: Array) -> Array:
    """True where `yes`, false where `no`, open elsewhere."""
    if (yes | no).all():
        return np.asarray(yes)
    return np.where(yes, 1.0, np.where(no, 0.0, 0.5)).astype(OPEN)


def settled(values: Array) -> Array:
    """Booleans if none of the truth values is open."""
    return np.asarray(values if (values == 0.5).any() else values == 1)


def booleans(values: Array) -> Array:
    """Truth values as booleans.

    Raises:
        Undecided: One is open.
    """
    if values.dtype != OPEN:
        return values
    if (values == 0.5).any():
        raise Undecided("rounding may turn a comparison")
    return np.asarray(values == 1)


def as_numbers(values: Array) -> Array:
    """Truth values as 0, 1, or the ball of both; other arrays as balls."""
    if values.dtype != OPEN:
        return as_balls(values)
    return each(lambda v: unit() if v == 0.5 else ONE if v else ZERO, values)
