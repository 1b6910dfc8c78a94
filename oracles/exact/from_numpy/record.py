"""Records NumPy code, unchanged, by calling it with traced arrays.

The dtype, shape and layout of every result are NumPy's own; the numbers are recorded. See `array.py`
for the array, `proxy.py` for what the code sees as `np`, `ufuncs.py` and `calls.py` for how a call is
answered, and `rules/` for the rules: to add an operation, add one entry to a table there.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from oracles.exact.from_numpy.array import TracedArray
from oracles.exact.from_numpy.calls import call_function
from oracles.exact.from_numpy.chance import without_chance
from oracles.exact.from_numpy.flat import FlatIterator
from oracles.exact.from_numpy.indexing import get, put
from oracles.exact.from_numpy.making import cast
from oracles.exact.from_numpy.memory import array
from oracles.exact.from_numpy.parts import Part, put_part
from oracles.exact.from_numpy.proxy import substituted
from oracles.exact.from_numpy.tape import Answers, Tape
from oracles.exact.from_numpy.ufuncs import call_ufunc
from oracles.exact.from_numpy.unknown import refuse_unknown
from oracles.exact.program.errors import Unsupported, uncaught
from oracles.exact.program.indices import first_true
from oracles.exact.program.program import FLOATS, Array
from oracles.exact.program.recording import Recording, declare_edges
from oracles.exact.program.trees import flatten
from oracles.exact.program.words import kind_of

READ_ONLY = "read-only"  # so NumPy says it, of what may not be written into
ANSWERS = Answers(call_ufunc, call_function, get, put, FlatIterator, array, cast, Part.of, put_part)


def record(
    function: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: dict[str, Any] | None = None,
    differentiate: bool = True,
) -> Recording:
    """The program of function(*args, **kwargs) at these arguments; of its value alone if not `differentiate`.

    Floating arrays, NumPy scalars and Python floats in `args` (or in lists, tuples and dictionaries there)
    are its inputs; integers and booleans and everything in `kwargs` are constants, taken exactly.

    Raises:
        Unsupported: The code needs an operation without a rule, random numbers, or a number in floating
            point; or an argument is no finite real number, or is written into.
        Undecided: A branch is not certain at this point.
    """
    tape = Tape(ANSWERS, decides=False)
    try:
        return _recorded(tape, function, args, kwargs or {}, differentiate)
    except Exception as problem:
        if not (tape.lent and READ_ONLY in str(problem)):
            raise
    return _recorded(Tape(ANSWERS), function, args, kwargs or {}, differentiate)


def _recorded(
    tape: Tape,
    function: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    differentiate: bool,
) -> Recording:
    owners: list[int] = []

    def enter(k: int, leaf: Any) -> Any:
        if not _is_floating(leaf):
            return leaf.copy() if isinstance(leaf, np.ndarray) else without_chance(leaf)
        _check(k, leaf)
        value = leaf if type(leaf) is float else np.array(leaf, order="K")
        var = tape.recorder.input_at(np.array(leaf), np.asarray(leaf).dtype.name)
        owners.append(k)
        return TracedArray(tape, value, tape.register(var, value))

    call = []
    for k, arg in enumerate(args):
        leaves, tree = flatten("numpy", arg)
        call.append(tree.filled([enter(k, leaf) for leaf in leaves]))
    before = [
        (k, leaf, content(leaf).copy())
        for k, a in enumerate(call)
        for leaf in _leaves(a)
        if isinstance(leaf, TracedArray | np.ndarray)
    ]
    with substituted(tape, function, args, kwargs) as run, uncaught():
        result = run(*call, **kwargs)
    for k, leaf, was in before:
        if not np.array_equal(content(leaf), was):
            raise Unsupported(
                f"the function writes into argument {k}; its derivative at that argument has no meaning: "
                "let it work on a copy, x = x.copy()"
            )
    results = [leaf for leaf in _leaves(result) if leaf is not None]
    outputs = [output(tape, leaf) for leaf in results]
    outputs = declare_edges(tape.recorder, outputs) if differentiate else outputs
    tape.open = False
    refuse_unknown(tape, lambda: tape.recorder.program(outputs))
    values = tuple(np.asarray(v) for v in tape.recorder.values)
    ran = tuple(np.array(leaf.in_numpy if isinstance(leaf, TracedArray) else leaf) for leaf in results)

    def wider() -> tuple[np.ndarray[Any, Any], ...]:
        wide = []
        for arg in args:
            leaves, tree = flatten("numpy", arg)
            wide.append(tree.filled([_as_float64(leaf) for leaf in leaves]))
        found = [leaf for leaf in _leaves(function(*wide, **kwargs)) if leaf is not None]
        return tuple(map(np.array, found))

    return Recording(tape.recorder.program(outputs), values, tuple(owners), executed=lambda: ran, wider=wider)


def _as_float64(leaf: Any) -> Any:
    if isinstance(leaf, np.ndarray | np.generic):
        return np.array(leaf, np.float64 if _is_floating(leaf) else None)
    return leaf


def output(tape: Tape, leaf: Any) -> Any:
    """What a function returns, recorded; a plain array is a constant."""
    if isinstance(leaf, TracedArray) and leaf.dtype.kind != "c":
        return leaf.recorded
    if np.iscomplexobj(leaf.in_numpy if isinstance(leaf, TracedArray) else leaf):
        raise Unsupported("a result of complex numbers is recorded as pairs of real ones")
    array = np.asarray(leaf)
    if array.dtype.name in FLOATS or array.dtype.kind in "iub":
        return tape.constant(array, array.dtype.name)
    raise Unsupported(f"the function returns {kind_of(leaf)}; it must return arrays, or trees of them")


def _check(k: int, leaf: Any) -> None:
    array = np.asarray(leaf)
    if array.dtype.name not in FLOATS:
        raise Unsupported(
            f"argument {k} has dtype {array.dtype}; allowed is one of {', '.join(sorted(FLOATS))}"
        )
    finite = np.isfinite(array)
    if not finite.all():
        where = first_true(~finite)
        raise Unsupported(f"argument {k} is {array[where]} at {where}; only finite numbers have a derivative")


def _is_floating(leaf: Any) -> bool:
    """Whether a leaf of the arguments is an input (or must be refused as one)."""
    if type(leaf) is float:
        return True
    return isinstance(leaf, np.ndarray | np.generic) and leaf.dtype.kind not in "iub"


def content(leaf: Any) -> Array:
    """What a write into an array changes: the tokens of a traced one, the numbers of another."""
    return leaf.tokens if isinstance(leaf, TracedArray) else leaf


def _leaves(tree: Any) -> list[Any]:
    return flatten("numpy", tree)[0]
