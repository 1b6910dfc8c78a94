"""How a call of a universal function, or of one of its methods, on traced arrays is answered."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from oracles.exact.from_numpy.array import (
    TracedArray,
    any_moving,
    check_dtype,
    first_tape,
    holds_traced,
    lift,
    values,
    wrap,
)
from oracles.exact.from_numpy.functions import apply, no_rule, store
from oracles.exact.from_numpy.indexing import decided
from oracles.exact.from_numpy.proxy import array, blank
from oracles.exact.from_numpy.rules.elementwise import PREDICATES, REDUCTIONS, RUNNING, SCIPY, UFUNCS, Rule
from oracles.exact.from_numpy.tape import UNWRITTEN, Tape, line, unsupported
from oracles.exact.program.primitives.arithmetic import convert
from oracles.exact.program.primitives.arrays import scatter_add
from oracles.exact.program.program import FLOATS, Var
from oracles.exact.program.registered import definition_of


def dispatch(ufunc: np.ufunc, method: str, inputs: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """ufunc(*inputs) or ufunc.method(*inputs), some of which are traced."""
    name = ufunc.__name__
    own = definition_of("numpy", ufunc) if _rule(ufunc) is None and name not in PREDICATES else None
    if own is not None and method == "__call__":
        return own(*inputs, **kwargs)
    if getattr(np, name, None) is not ufunc and _rule(ufunc) is None:
        raise unsupported(
            f"the compiled function {_owner(ufunc)}{name} has no rule; write its formula in NumPy"
        )
    tape = first_tape((inputs, kwargs))
    tape.recorder.calls(name, line())
    if _rule(ufunc) is None and name not in PREDICATES:
        raise no_rule(f"np.{name}")
    if method not in METHODS:
        raise no_rule(f"np.{name}.{method}")
    outs = kwargs.pop("out", None) or ()
    where = kwargs.pop("where", True) if method == "__call__" else True
    if any(isinstance(o, TracedArray) and o.is_scalar for o in outs):
        raise TypeError("return arrays must be of ArrayType")
    if method != "at":
        inputs = tuple(
            array(tape, x) if isinstance(x, list | tuple) and holds_traced(x) else x for x in inputs
        )
    result = METHODS[method](tape, ufunc, inputs, kwargs)
    if where is not True and not outs:
        outs = (blank(tape, np.empty_like(values(result)), UNWRITTEN),)
    if not any(o is not None for o in outs):
        return result
    results = result if isinstance(result, tuple) else (result,)
    stored = tuple(r if o is None else store(tape, o, r, where) for o, r in zip(outs, results, strict=True))
    return stored if isinstance(result, tuple) else stored[0]


def _call(tape: Tape, ufunc: np.ufunc, inputs: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    name = ufunc.__name__
    if name in PREDICATES:
        return _predicate(tape, ufunc, *inputs)
    if set(kwargs) - {"dtype", "casting", "order", "subok"}:
        raise unsupported(f"np.{name} with {', '.join(kwargs)}")
    with np.errstate(all="ignore"):
        value = ufunc(*values(inputs), **kwargs)
    if not any_moving(tape, inputs) and np.asarray(value).dtype.name not in FLOATS:
        return ufunc(*decided(inputs), **kwargs)
    loop = ufunc.resolve_dtypes((*map(_kind, inputs), *(None,) * ufunc.nout))[: ufunc.nin]
    if kwargs.get("dtype") is not None:
        loop = (np.dtype(kwargs["dtype"]),) * ufunc.nin
    rule = _rule(ufunc)
    assert rule is not None
    recorded = rule(*(_operand(tape, x, dtype) for x, dtype in zip(inputs, loop, strict=True)))
    if isinstance(recorded, Var):
        return wrap(tape, value, recorded)
    return tuple(wrap(tape, v, r) for v, r in zip(value, recorded, strict=True))


def _kind(x: Any) -> Any:
    """The dtype, or for a number in the code int or float, which take the dtype of the others."""
    x = x.value if isinstance(x, TracedArray) else x
    return type(x) if type(x) in {int, float} else np.asarray(x).dtype


def _operand(tape: Tape, x: Any, dtype: np.dtype[Any]) -> Var:
    """x as a recorded value in the dtype of the loop; a number in the code is taken as it is written."""
    check_dtype(dtype)
    if isinstance(x, TracedArray):
        return convert(x.recorded, dtype.name)
    numbers = np.asarray(x)
    return tape.constant(numbers if dtype.name in FLOATS else numbers.astype(dtype), dtype.name)


def _predicate(tape: Tape, ufunc: np.ufunc, x: TracedArray) -> Any:
    numbers, known = tape.numbers(x.tokens)
    answer = np.where(known, ufunc(numbers), PREDICATES[ufunc.__name__])
    return answer if isinstance(x.value, np.ndarray) else answer[()]


def _reduce(tape: Tape, ufunc: np.ufunc, inputs: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    if ufunc.__name__ not in REDUCTIONS:
        raise no_rule(f"np.{ufunc.__name__}.reduce")
    return REDUCTIONS[ufunc.__name__](inputs[0], **{"axis": 0, **kwargs})


def _accumulate(tape: Tape, ufunc: np.ufunc, inputs: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    if ufunc.__name__ not in RUNNING or kwargs.keys() - {"axis"}:
        raise no_rule(f"np.{ufunc.__name__}.accumulate")
    return apply(tape, ufunc.accumulate, RUNNING[ufunc.__name__], (inputs[0], kwargs.get("axis", 0)), {})


def _outer(tape: Tape, ufunc: np.ufunc, inputs: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    a, b = inputs
    return ufunc(np.reshape(a, (*np.shape(a), *(1,) * np.ndim(b))), b, **kwargs)


def _at(tape: Tape, ufunc: np.ufunc, inputs: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """a[where] op= b with repeated positions counted: sums as one scatter, other operations turn by turn."""
    target, key, *rest = inputs
    if not isinstance(target, TracedArray):
        raise unsupported(f"np.{ufunc.__name__}.at writes traced elements into a plain array")
    places = np.arange(target.size).reshape(target.shape)[decided(key)]
    flat = places.ravel()
    new = [np.ravel(np.broadcast_to(b, places.shape)).copy() for b in rest]  # they may be the target's
    if ufunc.__name__ in {"add", "subtract"} and target.is_float:
        added = scatter_add(lift(tape, new[0], target.dtype).recorded, flat, target.shape)
        value = np.array(target.value)
        ufunc.at(value, decided(key), values(rest[0]))
        total = wrap(
            tape, value, target.recorded + added if ufunc.__name__ == "add" else target.recorded - added
        )
        target[...] = total
        return
    order = np.argsort(flat, kind="stable")
    starts = np.r_[True, flat[order][1:] != flat[order][:-1]] if flat.size else np.zeros(0, bool)
    turn = np.empty(flat.size, int)
    turn[order] = np.arange(flat.size) - np.maximum.accumulate(np.where(starts, np.arange(flat.size), 0))
    for k in range(int(turn.max(initial=-1)) + 1):
        now = turn == k
        target.flat[flat[now]] = ufunc(target.flat[flat[now]], *(b[now] for b in new))


METHODS: dict[str, Callable[..., Any]] = {
    "__call__": _call,
    "reduce": _reduce,
    "accumulate": _accumulate,
    "outer": _outer,
    "at": _at,
}


def _rule(ufunc: np.ufunc) -> Rule | None:
    """The rule of a function of NumPy or SciPy, None if it has none or is another one of the same name."""
    if getattr(np, ufunc.__name__, None) is ufunc:
        return UFUNCS.get(ufunc.__name__)
    return SCIPY.get(ufunc.__name__) if _owner(ufunc) == "scipy.special." else None


def _owner(ufunc: np.ufunc) -> str:
    for module in ("scipy.special", "ml_dtypes"):
        if getattr(sys.modules.get(module), ufunc.__name__, None) is ufunc:
            return f"{module}."
    return ""
