"""How a call of a NumPy function on traced arrays is answered.

In this order: what only asks about shapes and dtypes is NumPy's own; what moves, writes or allocates elements
is NumPy's own on tokens; what has only exact integers is NumPy's own on their values; the rest has a rule in
RULES, or is unsupported.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from oracles.exact.from_numpy.follow import followed
from oracles.exact.from_numpy.indexing import decided
from oracles.exact.from_numpy.memory import ALLOCATORS, MOVES, WRITES, move, without_lists, write
from oracles.exact.from_numpy.nested import any_moving, first_tape, leaves_of, swap, traced, values
from oracles.exact.from_numpy.refusals import no_rule
from oracles.exact.from_numpy.results import apply, store
from oracles.exact.from_numpy.rules import RULES
from oracles.exact.from_numpy.rules.complex import COMPLEX_RULES
from oracles.exact.from_numpy.special_cases import SPECIAL
from oracles.exact.from_numpy.tape import Tape, words
from oracles.exact.program.errors import Opaque
from oracles.exact.program.registered import definition_of

ASKS = frozenset(
    words(
        "shape ndim size result_type can_cast iscomplexobj isrealobj iscomplex isreal may_share_memory "
        "shares_memory common_type min_scalar_type array_repr array_str array2string einsum_path "
        "diag_indices_from tril_indices_from triu_indices_from"
    )
)
ALLOCATES = frozenset(words("zeros_like ones_like empty_like full_like zeros ones empty full"))
# Before NumPy 2.4 its functions in C tell nobody their parameters.
IN_C: dict[str, Callable[..., Any]] = {
    "bincount": lambda x, /, weights=None, minlength=0: None,
    "concatenate": lambda arrays, /, axis=0, out=None, *, dtype=None, casting="same_kind": None,
    "copyto": lambda dst, src, casting="same_kind", where=True: None,
    "dot": lambda a, b, out=None: None,
    "empty_like": lambda prototype, /, dtype=None, order="K", subok=True, shape=None, *, device=None: None,
    "inner": lambda a, b, /: None,
    "lexsort": lambda keys, axis=-1: None,
    "packbits": lambda a, /, axis=None, bitorder="big": None,
    "putmask": lambda a, /, mask, values: None,
    "ravel_multi_index": lambda multi_index, dims, mode="raise", order="C": None,
    "unpackbits": lambda a, /, axis=None, count=None, bitorder="big": None,
    "unravel_index": lambda indices, shape, order="C": None,
    "vdot": lambda a, b, /: None,
    "where": lambda condition, x=None, y=None, /: None,
}


def call_function(function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """The answer to function(*args, **kwargs), some of which are traced."""
    name = f"{function.__module__}.{function.__name__}".removeprefix("numpy.")
    if name in ASKS:
        return function(*values(args), **values(kwargs))
    tape = first_tape((args, kwargs))
    tape.calls(name)
    args, kwargs = without_lists(function.__name__, args, kwargs)
    bound = _signature(function).bind(*args, **kwargs)
    out = bound.arguments.pop("out", None)
    result = _answer(tape, name, function, bound.args, bound.kwargs)
    return result if out is None else store(tape, out, result)


@functools.cache
def _signature(function: Any) -> inspect.Signature:
    try:
        return inspect.signature(function)
    except ValueError:
        return inspect.signature(IN_C[function.__name__])


def _answer(tape: Tape, name: str, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    if name in WRITES:
        return write(tape, function, WRITES[name], args, kwargs)
    if name in ALLOCATES:
        return ALLOCATORS[name](tape, *args, **kwargs)
    if name in SPECIAL:
        special = SPECIAL[name](tape, *args, **kwargs)
        if special is not NotImplemented:
            return special
    if name in MOVES:
        return move(tape, function, MOVES[name], args, kwargs)
    if not any_moving(tape, (args, kwargs)):
        with np.errstate(all="ignore"):
            return function(*decided(args), **{k: decided(v) for k, v in kwargs.items()})
    of_complex = _holds_complex((args, kwargs))
    if of_complex and name in COMPLEX_RULES:
        return apply(tape, function, COMPLEX_RULES[name], args, kwargs)
    if of_complex and name in RULES:
        raise no_rule(f"np.{name} of complex numbers")
    if name not in RULES:
        own = definition_of("numpy", function)
        return _follow(tape, name, function, args, kwargs) if own is None else own(*args, **kwargs)
    return apply(tape, function, RULES[name], args, kwargs)


def _holds_complex(tree: Any) -> bool:
    """Whether an array in it, traced or not, is complex."""
    return any(type(leaf) is complex or _letter(leaf) == "c" for leaf in leaves_of(tree))


def _letter(leaf: Any) -> str:
    return leaf.dtype.kind if isinstance(leaf, np.ndarray | np.generic) else ""


def _follow(tape: Tape, name: str, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """What the function's own code computes, where that is in Python and can be recorded."""
    if not _depends(tape, (args, kwargs)):
        return function(*_exactly(args), **_exactly(kwargs))
    code = followed(tape, function)
    if code is None:
        raise no_rule(f"np.{name}")
    try:
        return code(*args, **kwargs)
    except (Opaque, AttributeError):
        raise no_rule(f"np.{name}") from None


def _depends(tape: Tape, tree: Any) -> bool:
    """Whether a traced array in it is computed from an input."""
    return any(tape.depends(x.recorded) for x in traced(tree))


def _exactly(tree: Any) -> Any:
    return swap(tree, lambda x: x.exact_value("a function without a rule"))
