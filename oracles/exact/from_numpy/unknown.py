"""What a function without a rule gives: it is refused where what is asked for depends on it.

A function that returns a value and its gradient may need such a function for the gradient alone. Then the
value is known. Only functions are taken so whose results have shapes and dtypes that those of their arguments
tell: code may branch on these unseen.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from oracles.exact.from_numpy.array import is_traced
from oracles.exact.from_numpy.dtypes import name_of
from oracles.exact.from_numpy.making import wrap
from oracles.exact.from_numpy.nested import first_tape, leaves_of, swap, traced
from oracles.exact.from_numpy.tape import Tape
from oracles.exact.program.complex import vars_of
from oracles.exact.program.errors import Opaque, listening
from oracles.exact.program.primitives.unknown import anew, unknown, unknown_
from oracles.exact.program.program import FLOATS, Program, Var


def without_rule(
    say: Callable[[], Opaque], function: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any]
) -> Any:
    """What stands for function(*args, **kwargs), whose numbers are not known.

    Args:
        say: Makes what is raised where something depends on them.
        function, args, kwargs: The call; some of what is given is traced.

    Raises:
        Opaque: Now, where code may be called, or the call writes into what it is given, or fails, or gives
            something else than floats.
    """
    given = (tuple(args), kwargs)
    with listening():
        reason = say()
    tape = first_tape(given)
    if any(map(callable, leaves_of(given))):
        raise anew(reason)
    plain = _copied(given)
    before = _copied(plain)
    try:
        with np.errstate(all="ignore"):
            found = function(*plain[0], **plain[1])
    except Exception:
        raise anew(reason) from None
    parts = list(found) if isinstance(found, tuple | list) else [found]
    if not (all(map(_is_float, parts)) and all(map(_is_same, leaves_of(before), leaves_of(plain)))):
        raise anew(reason)
    operands = tuple(var for array in traced(given) for var in vars_of(array.recorded))
    tape.holds_unknown = True
    made = [_wrapped(tape, one, operands, reason, part) for part, one in enumerate(parts)]
    return type(found)(made) if isinstance(found, tuple | list) else made[0]


def refuse_unknown(tape: Tape, program: Callable[[], Program]) -> None:
    """Refuse a program that needs such numbers.

    Raises:
        Opaque: An output, or a branch, depends on what a function without a rule gives.
    """
    if not tape.holds_unknown:
        return
    needed = [e.params["reason"] for e in program().equations if e.primitive is unknown_]
    for reason in (*tape.asked, *needed):
        raise anew(reason)


def _wrapped(tape: Tape, value: Any, operands: tuple[Var, ...], reason: Opaque, part: int) -> Any:
    dtype = name_of(np.asarray(value).dtype)
    return wrap(tape, value, unknown(operands, np.shape(value), dtype, reason, tape.asked, part))


def _copied(tree: Any) -> Any:
    """The tree of plain arrays of its own."""

    def copied(leaf: Any) -> Any:
        if isinstance(leaf, list | tuple):
            return type(leaf)(map(copied, leaf)) if not hasattr(leaf, "_fields") else leaf
        if isinstance(leaf, dict):
            return {key: copied(part) for key, part in leaf.items()}
        return np.array(leaf, order="K") if not is_traced(leaf) and isinstance(leaf, np.ndarray) else leaf

    return copied(swap(tree, lambda x: x.in_numpy))


def _is_float(value: Any) -> bool:
    return isinstance(value, np.ndarray | np.floating | float) and name_of(np.asarray(value).dtype) in FLOATS


def _is_same(before: Any, after: Any) -> bool:
    return not isinstance(before, np.ndarray) or before.tobytes() == after.tobytes()
