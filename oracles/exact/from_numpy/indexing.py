"""Indexing traced arrays: tokens are indexed by NumPy itself; what depends on the data is recorded.

An index that is known picks tokens. An integer index that depends on the data (an argmax) becomes part of the
recorded positions; where what it gives is a view that is written into, it is decided. A mask that depends on
the data changes the shape, so it is decided, with a guard; only `x[mask] = number` needs no decision: it is a
choice, element by element, whose edges are kinks. (Where x is not written yet there is nothing to choose
from.)
"""

from __future__ import annotations

from collections.abc import Iterator
from types import EllipsisType
from typing import Any, cast

import numpy as np
from numpy.lib import stride_tricks

from oracles.exact.from_numpy.array import TracedArray
from oracles.exact.from_numpy.gather import spread
from oracles.exact.from_numpy.making import lift, together, wrap
from oracles.exact.from_numpy.nested import first_tape, holds_traced
from oracles.exact.from_numpy.refusals import unsupported
from oracles.exact.from_numpy.tape import UNWRITTEN, Tape, is_written, words
from oracles.exact.program.complex import choose, each_part
from oracles.exact.program.positions import positions_of
from oracles.exact.program.primitives import select
from oracles.exact.program.primitives.arrays import take
from oracles.exact.program.program import Array, Var


def get(x: TracedArray, key: Any) -> Any:
    """x[key]."""
    known, moving = _resolve(x.tape, key)
    value = x.in_numpy[known]
    if not moving:
        return _settled(TracedArray(x.tape, value, x.tokens[known]))
    is_view = value.ndim > 0 and _is_basic(known)
    if is_view and x.tape.decides:
        return get(x, decided(key))
    positions = positions_of(x.shape, known, moving)
    found = wrap(x.tape, value, each_part(lambda v: take(v, positions), x.recorded))
    if is_view:
        x.tape.lent = True
        for memory in (found.in_numpy, found.tokens):
            memory.setflags(write=False)
    return found


def _is_basic(key: Any) -> bool:
    """Whether NumPy gives a view: no part of the key is an array, or a list."""
    parts = key if isinstance(key, tuple) else (key,)
    return all(isinstance(part, slice | EllipsisType | None) or np.ndim(part) == 0 for part in parts)


def put(x: TracedArray, key: Any, new: Any) -> None:
    """x[key] = new."""
    mask = key if isinstance(key, TracedArray) and key.dtype == bool and np.ndim(new) == 0 else None
    if mask is not None and x.tape.recorder.known(mask.recorded) is None and is_written(x.tokens):
        _put_where(x, mask, new)
        return
    known = decided(key)
    source = lift(x.tape, new, x.dtype)
    x.in_numpy[known] = source.in_numpy
    x.tokens[known] = source.tokens


def _put_where(x: TracedArray, mask: TracedArray, new: Any) -> None:
    """x[mask] = number, as a choice."""
    source = lift(x.tape, new, x.dtype)
    x.in_numpy[mask.in_numpy] = source.in_numpy
    flags = mask[(..., *(None,) * (x.ndim - mask.ndim))]
    pick: Any = choose if x.dtype.kind == "c" else select
    chosen = pick(spread(flags.recorded, x.shape), source.recorded, x.recorded)
    x.tokens[...] = x.tape.register(chosen, x.in_numpy)


def decided(tree: Any) -> Any:
    """Nested indices with every traced one decided."""
    if isinstance(tree, TracedArray):
        exact = tree.exact_value("an index")
        return exact[()] if tree.is_scalar else exact  # of an array without axes NumPy gives copies
    if isinstance(tree, list | tuple):
        return type(tree)(map(decided, tree))
    return tree


def _settled(x: TracedArray) -> Any:
    """A NumPy scalar where it is an exact integer; otherwise x."""
    if x.is_scalar and not x.is_float and (known := x.tape.recorder.known(x.recorded)) is not None:
        return x.dtype.type(known.item())
    return x


def _resolve(tape: Tape, key: Any) -> tuple[Any, dict[int, Var]]:
    """The key in plain NumPy, and those of its integer indices that depend on the data, by their place.

    Such an index stands in the key as NumPy computes it here, for the shape alone.
    """
    parts = list(key) if isinstance(key, tuple) else [key]
    moving = {}
    for i, part in enumerate(parts):
        if isinstance(part, list) and holds_traced(part):
            part = lift(tape, part, np.dtype(np.int64))
        if isinstance(part, TracedArray):
            if part.dtype.kind in "iu" and tape.recorder.known(part.recorded) is None:
                moving[i], parts[i] = part.recorded, np.asarray(part.in_numpy)
            else:
                parts[i] = decided(part)
    return (tuple(parts) if isinstance(key, tuple) else parts[0]), moving


class Walk:
    """np.nditer over arrays of which some are traced: NumPy walks over their values, in its own order.

    Attributes:
        operands: The arrays, with those that NumPy allocates.
    """

    def __init__(
        self, op: Any, flags: Any = (), op_flags: Any = None, *, order: Any = "K", **more: Any
    ) -> None:
        self.__single = not isinstance(op, list | tuple)
        given = [op] if self.__single else list(op)
        if more or {"external_loop", "buffered", "reduce_ok"} & set(flags):
            raise unsupported(
                "np.nditer over recorded arrays with external_loop, buffered, reduce_ok, op_dtypes, op_axes "
                "or itershape; loop over np.ndindex(x.shape)"
            )
        modes: list[Any] = [["writeonly", "allocate"] if x is None else ["readonly"] for x in given]
        if op_flags is not None:
            modes = [op_flags] * len(given) if isinstance(op_flags[0], str) else list(op_flags)
        plain = [x.in_numpy if isinstance(x, TracedArray) else x for x in given]
        self.__walk = np.nditer(plain, [*{*flags, "multi_index"}], modes, order=order)
        tape, own = first_tape(given), self.__walk.operands
        self.operands = tuple(_blank(tape, v) if x is None else x for x, v in zip(given, own, strict=True))
        self.__writes = [not {"readwrite", "writeonly"}.isdisjoint(mode) for mode in modes]

    def __getattr__(self, name: str) -> Any:
        if name not in words(
            "multi_index index finished iternext iterindex itersize nop reset ndim shape close"
        ):
            raise unsupported(
                f"np.nditer(...).{name} over recorded arrays; use multi_index, or np.ndindex(x.shape)"
            )
        return getattr(self.__walk, name)

    def __getitem__(self, k: int) -> Any:
        """The element of operand k, as an array of no axes in its memory."""
        x: Any = self.operands[k]
        here = *self.__walk.multi_index, ...
        if self.__writes[k]:
            return x[here]
        found = cast("Any", np.broadcast_to(x, self.__walk.shape))[here]
        found.setflags(write=False)
        return found

    def __len__(self) -> int:
        return len(self.operands)

    @property
    def value(self) -> Any:
        """The elements of all operands, or that of the only one."""
        return self[0] if self.__single else tuple(self[k] for k in range(len(self)))

    def __iter__(self) -> Iterator[Any]:
        return (self.value for _ in self.__walk)

    def __enter__(self) -> Walk:
        return self

    def __exit__(self, *_: Any) -> None:
        return None


def _blank(tape: Tape, value: Array) -> TracedArray:
    return TracedArray(tape, value, np.full_like(value, UNWRITTEN, np.int64))


def nditer(op: Any, *args: Any, **kwargs: Any) -> Any:
    """np.nditer."""
    return (Walk if holds_traced(op) else np.nditer)(op, *args, **kwargs)


def ndenumerate(x: Any) -> Any:
    """np.ndenumerate."""
    return ((i, x[i]) for i in np.ndindex(np.shape(x)))


def as_strided(x: Any, shape: Any = None, strides: Any = None, **kwargs: Any) -> Any:
    """np.lib.stride_tricks.as_strided, whose strides are bytes."""
    if not isinstance(x, TracedArray):
        return stride_tricks.as_strided(x, shape, strides, **kwargs)
    scale = x.tokens.itemsize / x.in_numpy.itemsize
    steps = None if strides is None else tuple(int(s * scale) for s in strides)
    return together(
        x.tape,
        stride_tricks.as_strided(x.in_numpy, shape, strides, **kwargs),
        stride_tricks.as_strided(x.tokens, shape, steps, **kwargs),
    )
