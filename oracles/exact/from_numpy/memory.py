"""NumPy functions that move, write or allocate elements: NumPy itself runs them, on tokens.

A name here needs no rule: whatever NumPy does with an array of numbers it does with the array of tokens, and
the result is a view where NumPy's is one. What allocates makes arrays that can take traced elements.
"""

from __future__ import annotations

import functools
import itertools
import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from oracles.exact.from_numpy.array import TracedArray
from oracles.exact.from_numpy.dtypes import MOVING, check_dtype
from oracles.exact.from_numpy.held import held, recorded
from oracles.exact.from_numpy.indexing import decided
from oracles.exact.from_numpy.making import cast, lift, together
from oracles.exact.from_numpy.nested import (
    as_it_says,
    first_tape,
    holds_traced,
    rows_as_they_say,
    swap,
    traced,
    values,
)
from oracles.exact.from_numpy.parts import Part
from oracles.exact.from_numpy.refusals import unsupported
from oracles.exact.from_numpy.tape import UNWRITTEN, ZERO, Tape, words
from oracles.exact.from_numpy.writes import refused

# Which positional arguments hold elements (-1: all); the others are numbers that say how to move them.
MOVES: dict[str, tuple[int, ...]] = {
    **dict.fromkeys(
        words(
            "copy delete diag diagflat diagonal expand_dims flip fliplr flipud linalg.diagonal "
            "matrix_transpose linalg.matrix_transpose moveaxis permute_dims ravel repeat reshape resize roll "
            "rollaxis rot90 squeeze swapaxes take take_along_axis tile transpose tril triu unstack "
            "broadcast_to split block array_split hsplit vsplit dsplit concatenate stack hstack vstack "
            "fft.fftshift fft.ifftshift "
            "dstack column_stack lib.stride_tricks.sliding_window_view"
        ),
        (0,),
    ),
    **dict.fromkeys(words("atleast_1d atleast_2d atleast_3d broadcast_arrays meshgrid"), (-1,)),
    **dict.fromkeys(words("compress extract choose"), (1,)),
    "append": (0, 1),
    "insert": (0, 2),
    "where": (1, 2),
    "select": (1, 2),
}
IF_NEEDED = np._CopyMode.IF_NEEDED  # what array_api_compat passes
PADDING = frozenset({"constant", "edge", "reflect", "symmetric", "wrap", "empty"})
# Which argument holds the elements to be written into the first.
WRITES = {"copyto": 1, "put": 2, "place": 2, "putmask": 2, "fill_diagonal": 1, "put_along_axis": 2}


def move(
    tape: Tape, function: Any, data: tuple[int, ...], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    """Run a function of MOVES on values and on tokens."""
    kwargs = decided_tree(kwargs)
    place = [data == (-1,) or i in data for i in range(len(args))]
    args = tuple(a if inside else decided_tree(a) for a, inside in zip(args, place, strict=True))
    value = function(*(values(a) for a in args), **kwargs)
    dtype = value.dtype if isinstance(value, np.ndarray | np.generic) else None
    kwargs = {k: v for k, v in kwargs.items() if k not in {"dtype", "casting"}}
    tokens = function(
        *(tokens_of(tape, a, dtype) if inside else a for a, inside in zip(args, place, strict=True)), **kwargs
    )
    return together(tape, value, tokens)


def tokens_of(tape: Tape, tree: Any, dtype: np.dtype[Any] | None) -> Any:
    """The tokens of everything in the tree, in the dtype of the result."""
    if isinstance(tree, TracedArray):
        return tree.tokens if dtype is None else lift(tape, tree, dtype).tokens
    if isinstance(tree, list | tuple):
        return type(tree)(tokens_of(tape, v, dtype) for v in tree)
    return lift(tape, tree, dtype or np.asarray(tree).dtype).tokens


def write(tape: Tape, function: Any, which: int, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """Run a function of WRITES on values and on tokens."""
    target, rest = args[0], list(args[1:])
    if not isinstance(target, TracedArray):
        raise refused(
            target, f"np.{function.__name__} writes values that depend on the inputs into a plain array"
        )
    if type(target) is Part:
        now = target.copy()
        write(tape, function, which, (now, *rest), kwargs)
        target[...] = now
        return
    source = lift(tape, rest[which - 1], target.dtype)
    rest = [a if i == which - 1 else decided_tree(a) for i, a in enumerate(rest)]
    kwargs = decided_tree(kwargs)
    for memory, new in ((target.in_numpy, source.in_numpy), (target.tokens, source.tokens)):
        rest[which - 1] = new
        function(memory, *rest, **kwargs)


def decided_tree(tree: Any) -> Any:
    """Arguments that are no elements (axes, counts, positions): integers, decided where they must be."""
    if isinstance(tree, TracedArray) and tree.is_float:
        raise unsupported("a recorded float where NumPy needs an axis, a count or a position")
    if isinstance(tree, dict):
        return {k: decided_tree(v) for k, v in tree.items()}
    return decided(tree) if holds_traced(tree) else tree


def pad(tape: Tape, x: TracedArray, pad_width: Any, mode: Any = "constant", **kwargs: Any) -> Any:
    """np.pad, in the modes that only move elements or write constants."""
    if mode not in PADDING or set(kwargs) - {"constant_values"}:
        raise unsupported(f"np.pad with mode={mode!r} and {kwargs}; write the padding with np.concatenate")
    fill = kwargs.get("constant_values", 0)
    padded = together(tape, np.pad(x.in_numpy, pad_width, mode), np.pad(x.tokens, pad_width, mode))
    if mode == "constant" and not (isinstance(fill, int | float) and fill == 0):
        outside = np.pad(np.zeros(x.shape, bool), pad_width, constant_values=True)
        if isinstance(fill, TracedArray) and fill.ndim:
            raise unsupported(
                "np.pad with several values that depend on the inputs; write the padding with np.concatenate"
            )
        if isinstance(fill, TracedArray):
            padded[outside] = fill
        else:
            padded[outside] = np.pad(np.zeros(x.shape), pad_width, constant_values=fill)[outside]
    return padded


def joined(tape: Tape, join: Callable[[Any], Any], key: Any) -> Any:
    """np.r_[key] or np.c_[key]: a slice stands for its numbers, a string says how they are joined."""
    parts = tuple(map(as_it_says, key if isinstance(key, tuple) else (key,)))
    if not holds_traced(parts):
        return literals(tape, join(key))
    parts = tuple(literals(tape, np.r_[part]) if isinstance(part, slice) else part for part in parts)
    data = tuple(k for k, part in enumerate(parts) if not isinstance(part, str))
    return move(tape, lambda *own: join(own), data, parts, {})


# -- lists of recorded numbers ----------------------------------------------------------------------------

# Their first arguments are sequences of arrays, or nested ones, which NumPy asks for an answer itself.
OF_ARRAYS = frozenset(
    words(
        "concatenate stack vstack row_stack hstack dstack column_stack select lexsort multi_dot piecewise "
        "ravel_multi_index histogramdd"
    )
)
NESTED = frozenset({"block"})
FOLDING = words("reduce accumulate reduceat outer")  # methods of ufuncs


def of_lists(function: Any, /, *args: Any, **kwargs: Any) -> Any:
    """What a function of NumPy's gives: a list or tuple that holds recorded numbers is an array.

    NumPy asks an argument who answers for it, and no list does.
    """
    args, kwargs = without_lists(function.__name__, args, kwargs)
    return function(*args, **kwargs)


def without_lists(
    name: str, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The arguments of the function of this name, with arrays for such lists."""
    if name in NESTED:
        return args, kwargs
    named = {k: v if k == "out" else _of_list(name, v) for k, v in kwargs.items()}
    return tuple(_of_list(name, a) for a in args), named


def _of_list(name: str, tree: Any) -> Any:
    if name in OF_ARRAYS and isinstance(tree, np.ndarray) and tree.dtype == object:
        tree = list(tree)
    if not isinstance(tree, list | tuple):
        return as_it_says(tree)
    tree = rows_as_they_say(tree)
    if not holds_traced(tree):
        return tree
    if name in OF_ARRAYS:
        return [_of_list("", part) for part in tree]
    return array(first_tape(tree), list(tree))


# -- allocation -------------------------------------------------------------------------------------------


Make = Callable[..., Any]


def blank(tape: Tape, value: Any, token: int) -> Any:
    """A new array whose elements all have one token; one of objects is NumPy's, and holds anything."""
    if value.dtype == object:
        return value
    check_dtype(value.dtype)
    tokens = np.empty_like(value, np.int64, subok=False)
    tokens[...] = token
    return TracedArray(tape, value, tokens)


def filled(tape: Tape, value: Any, fill: Any) -> Any:
    """A new array shaped as `value`, filled with numbers or with traced elements."""
    result = blank(tape, value, ZERO)
    result[...] = fill
    return result


def literals(tape: Tape, value: Any) -> Any:
    """A new array of floats that stand in the code; what holds no floats is held."""
    if not isinstance(value, np.ndarray) or value.dtype.name not in MOVING:
        return held(value)
    return lift(tape, value.copy(order="K"), value.dtype)


def array(tape: Tape, source: Any, dtype: Any = None, order: Any = "K", ndmin: int = 0, **_: Any) -> Any:
    """np.array, of anything that may hold traced arrays; numbers are taken as written, whatever the dtype."""
    source = rows_as_they_say(source)
    if isinstance(source, TracedArray):
        found = cast(source, np.dtype(dtype or source.dtype), order)
        if not isinstance(found, TracedArray):
            return np.array(found, order=order, ndmin=ndmin)
        value, tokens = found.in_numpy, found.tokens
    elif holds_traced(source):
        value = np.array(values(source), dtype)
        if value.dtype == object:
            return _objects(source, value.shape)
        check_dtype(value.dtype)
        tokens = np.array(tokens_of(tape, source, value.dtype))
    else:
        value = np.array(source, dtype, order=order, ndmin=ndmin)
        if value.dtype.name not in MOVING and value.dtype.kind not in "iub":
            return value
        written = np.array(source, order=order, ndmin=ndmin) if value.dtype.name in MOVING else value
        return TracedArray(tape, value, tape.literal(written, value.dtype.name))
    again = {"copy": None, "order": order, "ndmin": ndmin}
    return TracedArray(tape, np.array(value, **again), np.array(tokens, **again))


def _objects(rows: Any, shape: tuple[int, ...]) -> Any:
    """An array of objects, as NumPy makes one of this shape: it holds recorded arrays or numbers."""
    found = np.empty(shape, object)
    for place in np.ndindex(shape):
        found[place] = functools.reduce(operator.getitem, place, rows)
    return found


def asarray(tape: Tape, a: Any, dtype: Any = None, order: Any = None, copy: Any = None, **_: Any) -> Any:
    """np.asarray: a traced array itself where NumPy would give the array itself."""
    a, mode = rows_as_they_say(a), _copies(copy)
    if isinstance(a, TracedArray) and not a.is_scalar and not mode:
        flags = a.tokens.flags
        fits = {"C": flags.c_contiguous, "F": flags.f_contiguous}.get(order, True)
        if fits and (dtype is None or np.dtype(dtype) == a.dtype):
            return a
    elif isinstance(a, np.ndarray) and not mode:
        return held(np.asarray(a, dtype, order, copy=copy))
    if mode is False:
        raise ValueError("Unable to avoid copy while creating an array as requested.")  # NumPy's own
    return array(tape, a, dtype, order or "K")


def _copies(copy: Any) -> bool | None:
    """Whether `copy=` asks for one: always, never, or (None) where it is needed."""
    if copy is None or copy is IF_NEEDED:
        return None
    return bool(getattr(copy, "value", copy))


def _made(name: str, finish: Callable[[Tape, Any], Any]) -> Make:
    """A function of shapes and numbers."""
    function = getattr(np, name)
    return lambda tape, *args, **kwargs: finish(tape, function(*decided_tree(args), **decided_tree(kwargs)))


def _like(name: str, finish: Callable[[Tape, Any], Any]) -> Make:
    """A function of an array, of which it takes shape and dtype."""
    function = getattr(np, name)
    return lambda tape, a, *args, **kwargs: finish(tape, function(values(as_it_says(a)), *args, **kwargs))


def _full(tape: Tape, shape: Any, fill_value: Any, dtype: Any = None, **kwargs: Any) -> Any:
    kind = dtype or np.asarray(values(fill_value)).dtype
    return filled(tape, np.zeros(decided_tree(shape), kind, **kwargs), fill_value)


def _full_like(tape: Tape, a: Any, fill_value: Any, *args: Any, **kwargs: Any) -> Any:
    return filled(tape, np.zeros_like(values(a), *args, **kwargs), fill_value)


def _array(
    tape: Tape, a: Any, dtype: Any = None, *, copy: Any = True, order: Any = "K", **kwargs: Any
) -> Any:
    found = asarray(tape, a, dtype, order, copy)
    missing = kwargs.get("ndmin", 0) - np.ndim(found)
    return found[(None,) * missing] if missing > 0 else found


def _copy(tape: Tape, a: Any, order: Any = "K", **_: Any) -> Any:
    a = rows_as_they_say(a)
    return array(tape, a, None, order) if holds_traced(a) else recorded(np.array(a, order=order))


def _between(name: str) -> Make:
    """A function of two ends, which have rules where one is recorded."""
    function = getattr(np, name)

    def make(tape: Tape, *args: Any, **kwargs: Any) -> Any:
        found = function(*args, **kwargs)
        return found if holds_traced((args, kwargs)) else literals(tape, found)

    return make


def _arange(tape: Tape, *args: Any, **kwargs: Any) -> Any:
    given = (args, kwargs)
    if any(x.is_float and tape.depends(x.recorded) for x in traced(given)):
        raise unsupported(
            "np.arange with values that depend on the inputs: how many it gives depends on them; "
            "write start + step * np.arange(n) with a count n"
        )
    args, kwargs = swap(given, lambda x: x.exact_value("a bound of np.arange"))
    return literals(tape, np.arange(*args, **kwargs))


def _fromiter(tape: Tape, iter: Any, dtype: Any, count: int = -1, **_: Any) -> Any:
    numbers = list(itertools.islice(iter, None if count < 0 else count))
    if not holds_traced(numbers):
        return literals(tape, np.fromiter(numbers, dtype, count))
    return array(tape, numbers, dtype)


def _require(tape: Tape, a: Any, dtype: Any = None, requirements: Any = None, **_: Any) -> Any:
    """np.require: its words are told apart by their first letters."""
    wanted = {word[0].upper() for word in requirements or ()}
    order = next((order for order in "FC" if order in wanted), None)
    found = asarray(tape, a, dtype, order)
    return array(tape, found, None, order or "K") if "O" in wanted and found.base is not None else found


# Each takes the recording first.
ALLOCATORS: dict[str, Make] = {
    **{name: _made(name, literals) for name in words("eye identity tri")},
    **{name: _between(name) for name in words("linspace logspace geomspace")},
    "arange": _arange,
    "zeros": _made("zeros", lambda tape, v: blank(tape, v, ZERO)),
    "ones": _made("ones", lambda tape, v: filled(tape, v, 1)),
    "empty": _made("empty", lambda tape, v: blank(tape, v, UNWRITTEN)),
    "full": _full,
    "zeros_like": _like("zeros_like", lambda tape, v: blank(tape, v, ZERO)),
    "ones_like": _like("ones_like", lambda tape, v: filled(tape, v, 1)),
    "empty_like": _like("empty_like", lambda tape, v: blank(tape, v, UNWRITTEN)),
    "full_like": _full_like,
    "array": _array,
    "copy": _copy,
    "fromiter": _fromiter,
    "asarray": asarray,
    "asanyarray": asarray,
    "asarray_chkfinite": asarray,  # what is recorded is finite
    "require": _require,
    "ascontiguousarray": lambda tape, a, dtype=None, **_: asarray(tape, a, dtype, "C"),
    "asfortranarray": lambda tape, a, dtype=None, **_: asarray(tape, a, dtype, "F"),
}
