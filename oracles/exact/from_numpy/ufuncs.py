"""How a call of a ufunc, or of one of its methods, on traced arrays is answered."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from oracles.exact.from_numpy.array import ARITHMETIC, TracedArray, is_traced
from oracles.exact.from_numpy.dtypes import MOVING, check_dtype, in_dtype, name_of
from oracles.exact.from_numpy.indexing import decided
from oracles.exact.from_numpy.making import lift, wrap
from oracles.exact.from_numpy.memory import array, asarray, blank, without_lists
from oracles.exact.from_numpy.nested import any_moving, first_tape, holds_traced, values
from oracles.exact.from_numpy.refusals import no_rule, opaque, unsupported
from oracles.exact.from_numpy.results import apply, store
from oracles.exact.from_numpy.rules.complex import COMPLEX_UFUNCS
from oracles.exact.from_numpy.rules.elementwise import (
    FOLDS,
    PREDICATES,
    REDUCTIONS,
    RUNNING,
    SCIPY,
    UFUNCS,
    Rule,
)
from oracles.exact.from_numpy.tape import UNWRITTEN, Tape
from oracles.exact.from_numpy.unknown import without_rule
from oracles.exact.from_numpy.writes import refused
from oracles.exact.program.complex import Complex, each_part
from oracles.exact.program.primitives import convert
from oracles.exact.program.primitives.arrays import scatter_add
from oracles.exact.program.primitives.not_finite import asked, is_finite
from oracles.exact.program.primitives.predicates import is_infinite, is_nan
from oracles.exact.program.program import Var
from oracles.exact.program.registered import definition_of

MOST_STEPS = 2**10  # of a ufunc that is folded element by element


def call_ufunc(ufunc: np.ufunc, method: str, inputs: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """ufunc(*inputs) or ufunc.method(*inputs), some of which are traced."""
    if ufunc in ARITHMETIC.values() and method == "__call__" and not kwargs:
        found = _of_numbers(ufunc, inputs)
        if found is not None:
            return found
    name = ufunc.__name__
    own = definition_of("numpy", ufunc) if rule_of(ufunc) is None and name not in PREDICATES else None
    if own is not None and method == "__call__":
        return own(*inputs, **kwargs)
    if getattr(np, name, None) is not ufunc and rule_of(ufunc) is None:
        if name.endswith(" (vectorized)"):
            raise opaque(f"np.frompyfunc of {name.split()[0]} has no rule: write np.vectorize instead")
        return _unknown(ufunc, method, f"the compiled function {_owner(ufunc)}{name}", inputs, kwargs)
    tape = first_tape((inputs, kwargs))
    tape.calls(name)
    if rule_of(ufunc) is None and name not in PREDICATES:
        raise no_rule(f"np.{name}")
    if method not in METHODS:
        raise no_rule(f"np.{name}.{method}")
    outs = kwargs.pop("out", None) or ()
    if outs and all(o is ... for o in outs):  # an array, also of no axes
        result = call_ufunc(ufunc, method, inputs, kwargs)
        if isinstance(result, tuple):
            return tuple(asarray(tape, r) for r in result)
        return asarray(tape, result)
    where = kwargs.pop("where", True) if method == "__call__" else True
    if any(isinstance(o, TracedArray) and o.is_scalar for o in outs):
        raise TypeError("return arrays must be of ArrayType")
    if method != "at":
        inputs, _ = without_lists(name, inputs, {})
    result = METHODS[method](tape, ufunc, inputs, kwargs)
    if where is not True and not outs:
        outs = (blank(tape, np.empty_like(values(result)), UNWRITTEN),)
    if not any(o is not None for o in outs):
        return result
    results = result if isinstance(result, tuple) else (result,)
    stored = tuple(r if o is None else store(tape, o, r, where) for o, r in zip(outs, results, strict=True))
    return stored if isinstance(result, tuple) else stored[0]


def _of_numbers(ufunc: np.ufunc, inputs: tuple[Any, ...]) -> TracedArray | None:
    """Of two numbers in one dtype, as loops over elements have them by the thousand; None of others."""
    values = [x.in_numpy if is_traced(x) else x for x in inputs]
    kinds = {type(value) for value in values} - {float}
    kind = kinds.pop() if len(kinds) == 1 else None if kinds else np.float64
    if kind is not np.float64 and kind is not np.float32:
        return None
    tape, name = first_tape(inputs), kind.__name__
    tape.calls(ufunc.__name__)
    with np.errstate(all="ignore"):
        value = ufunc(*values)
    operands = [
        convert(tape.one(x.tokens, name_of(x.dtype)), name) if is_traced(x) else tape.constant(x, name)
        for x in inputs
    ]
    found = tape.recorder.first(UFUNCS[ufunc.__name__](*operands))
    return TracedArray(tape, value, tape.register_one(found))


def _call(tape: Tape, ufunc: np.ufunc, inputs: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    name = ufunc.__name__
    if name in PREDICATES:
        return _predicate(tape, ufunc, *inputs)
    if name in {"equal", "not_equal"} and any(isinstance(x, str | bytes | None) for x in inputs):
        (shape,) = {x.shape for x in inputs if is_traced(x)}
        return np.full(shape, name == "not_equal")[()]  # no number is None, or text
    if set(kwargs) - {"dtype", "casting", "order", "subok"}:
        raise unsupported(f"np.{name} with {', '.join(kwargs)}")
    with np.errstate(all="ignore"):
        value = ufunc(*values(inputs), **kwargs)
    if not any_moving(tape, inputs) and name_of(np.asarray(value).dtype) not in MOVING:
        return ufunc(*decided(inputs), **kwargs)
    loop = _loop(ufunc, *map(_kind, inputs))
    if kwargs.get("dtype") is not None:
        loop = (np.dtype(kwargs["dtype"]),) * ufunc.nin
    of_complex = any(dtype.kind == "c" for dtype in loop)
    rule = COMPLEX_UFUNCS.get(name) if of_complex else rule_of(ufunc)
    if rule is None:
        raise no_rule(f"np.{name} of complex numbers")
    recorded = rule(*(_operand(tape, x, dtype) for x, dtype in zip(inputs, loop, strict=True)))
    if isinstance(recorded, Var | Complex):
        return wrap(tape, value, recorded)
    return tuple(wrap(tape, v, r) for v, r in zip(value, recorded, strict=True))


@functools.cache
def _loop(ufunc: np.ufunc, *kinds: Any) -> tuple[np.dtype[Any], ...]:
    """The dtypes that the ufunc computes with."""
    return ufunc.resolve_dtypes((*kinds, *(None,) * ufunc.nout))[: ufunc.nin]


def _kind(x: Any) -> Any:
    """The dtype, or for a number in the code int or float, which take the dtype of the others."""
    x = x.in_numpy if isinstance(x, TracedArray) else x
    return type(x) if type(x) in {int, float, complex} else np.asarray(x).dtype


def _operand(tape: Tape, x: Any, dtype: np.dtype[Any]) -> Any:
    """x as a recorded value in the dtype of the loop; a number in the code is taken as it is written."""
    check_dtype(dtype)
    if isinstance(x, TracedArray):
        return in_dtype(x.recorded, name_of(dtype))
    numbers = np.asarray(x)
    name = name_of(dtype)
    return tape.constant(numbers if name in MOVING else numbers.astype(dtype), name)


def _predicate(tape: Tape, ufunc: np.ufunc, x: TracedArray) -> Any:
    """As a finite number answers; where one that is computed is none, as -inf of a masked row, it is asked.

    What overflows where it runs is finite all the same.
    """
    numbers, known = tape.numbers(x.tokens)
    answer = np.where(known, ufunc(numbers), PREDICATES[ufunc.__name__])
    ran = ufunc(x.in_numpy)
    if x.is_float and not np.array_equal(ran, answer):
        asked = _asked(ufunc.__name__, x.recorded)
        if np.array_equal(tape.recorder.decide(asked), ran):
            return wrap(tape, ran, asked)
    return answer if isinstance(x.in_numpy, np.ndarray) else answer[()]


def _asked(name: str, x: Var) -> Var:
    return is_finite(x) if name == "isfinite" else asked(is_nan if name == "isnan" else is_infinite, x)


def _unknown(ufunc: np.ufunc, method: str, name: str, inputs: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """What a ufunc without a rule gives."""
    if method != "__call__" or kwargs.get("out") is not None:
        raise no_rule(name)
    return without_rule(lambda: no_rule(name), ufunc, inputs, kwargs)


def _reduce(tape: Tape, ufunc: np.ufunc, inputs: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    (x, *_), given = inputs, {"axis": 0, **_given(inputs[0], kwargs)}
    fold = FOLDS.get(ufunc.__name__) if given.keys() <= {"axis", "keepdims"} else None
    if fold and x.is_float:
        return apply(tape, ufunc.reduce, fold, inputs[:1], given)
    if ufunc.__name__ in REDUCTIONS:
        return REDUCTIONS[ufunc.__name__](x, **given)
    axis, keepdims = given.pop("axis"), given.pop("keepdims", False)
    if axis is None and not keepdims:
        axis, x = 0, np.ravel(x)
    if given or not isinstance(axis, int | np.integer):
        raise no_rule(f"np.{ufunc.__name__}.reduce")
    (*_, last) = _one_by_one(ufunc, x, int(axis), "reduce")
    return np.expand_dims(last, int(axis)) if keepdims else last


def _given(x: TracedArray, kwargs: dict[str, Any]) -> dict[str, Any]:
    """Without a dtype that is none, or a floating array's own: integers are added as wider ones."""
    own = kwargs.get("dtype")
    leaves = own is None or (x.is_float and np.dtype(own) == x.dtype)
    return {name: value for name, value in kwargs.items() if name != "dtype" or not leaves}


def _reduceat(tape: Tape, ufunc: np.ufunc, inputs: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """From each place to the next one; the element itself where that is no further."""
    if ufunc.__name__ not in REDUCTIONS or kwargs.keys() - {"axis"}:
        raise no_rule(f"np.{ufunc.__name__}.reduceat")
    x, starts, axis = inputs[0], np.asarray(decided(inputs[1])), kwargs.get("axis", 0)
    ufunc.reduceat(values(x), starts, axis)  # it refuses what is no place
    ends = [*starts[1:].tolist(), np.shape(x)[axis]]
    parts = [np.take(x, range(a, max(b, a + 1)), axis) for a, b in zip(starts.tolist(), ends, strict=True)]
    return np.stack([REDUCTIONS[ufunc.__name__](part, axis=axis) for part in parts], axis)


def _accumulate(tape: Tape, ufunc: np.ufunc, inputs: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    (x, *_), given = inputs, {"axis": 0, **_given(inputs[0], kwargs)}
    axis = given.pop("axis")
    if given:
        raise no_rule(f"np.{ufunc.__name__}.accumulate")
    if ufunc.__name__ in RUNNING:
        return apply(tape, ufunc.accumulate, RUNNING[ufunc.__name__], (x, axis), {})
    return np.stack(list(_one_by_one(ufunc, x, axis, "accumulate")), axis)


def _one_by_one(ufunc: np.ufunc, x: TracedArray, axis: int, method: str) -> Iterator[Any]:
    """What a function of two numbers makes of the first elements along an axis, of one more each time."""
    count = np.shape(x)[axis]
    if ufunc.nin != 2 or ufunc.nout != 1 or rule_of(ufunc) is None or not 0 < count <= MOST_STEPS:
        raise no_rule(f"np.{ufunc.__name__}.{method}")
    parts = (np.take(x, k, axis) for k in range(count))
    found = next(parts)
    yield found
    for part in parts:
        found = ufunc(found, part)
        yield found


def _outer(tape: Tape, ufunc: np.ufunc, inputs: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    a, b = inputs
    return ufunc(np.reshape(a, (*np.shape(a), *(1,) * np.ndim(b))), b, **kwargs)


def _at(tape: Tape, ufunc: np.ufunc, inputs: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """a[where] op= b with repeated positions counted: sums as one scatter, other operations turn by turn."""
    target, key, *rest = inputs
    if not isinstance(target, TracedArray):
        raise refused(
            target, f"np.{ufunc.__name__}.at writes values that depend on the inputs into a plain array"
        )
    cells = _cells(target.tokens)
    places = cells[decided(key)]
    flat = places.ravel()
    rest = [array(tape, b) if holds_traced(b) else b for b in rest]
    new = [np.ravel(np.broadcast_to(b, places.shape)).copy() for b in rest]  # they may be the target's
    if ufunc.__name__ in {"add", "subtract"} and target.is_float:
        given = lift(tape, new[0], target.dtype).recorded
        added = each_part(lambda v: scatter_add(v, flat, target.shape), given)
        value = np.array(target.in_numpy).ravel()
        ufunc.at(value, flat, values(new[0]))
        total = target.recorded + added if ufunc.__name__ == "add" else target.recorded - added
        own = np.unique(cells)
        target.flat[own] = wrap(tape, value.reshape(target.shape), total).ravel()[own]
        return
    order = np.argsort(flat, kind="stable")
    starts = np.r_[True, flat[order][1:] != flat[order][:-1]] if flat.size else np.zeros(0, bool)
    turn = np.empty(flat.size, int)
    turn[order] = np.arange(flat.size) - np.maximum.accumulate(np.where(starts, np.arange(flat.size), 0))
    for k in range(int(turn.max(initial=-1)) + 1):
        now = turn == k
        target.flat[flat[now]] = ufunc(target.flat[flat[now]], *(b[now] for b in new))


def _cells(tokens: NDArray[Any]) -> NDArray[Any]:
    """For each element the place of the first one that lies in the same memory: windows overlap."""
    shape, places = tokens.shape, np.arange(tokens.size)
    if tokens.flags.c_contiguous or tokens.flags.f_contiguous:
        return places.reshape(shape)
    at = np.zeros(shape, int)
    for along, step in zip(np.indices(shape), tokens.strides, strict=True):
        at += along * step
    _, first, which = np.unique(at, return_index=True, return_inverse=True)
    return np.asarray(first[which]).reshape(shape)


METHODS: dict[str, Callable[..., Any]] = {
    "__call__": _call,
    "reduce": _reduce,
    "reduceat": _reduceat,
    "accumulate": _accumulate,
    "outer": _outer,
    "at": _at,
}


def rule_of(ufunc: np.ufunc) -> Rule | None:
    """The rule of a function of NumPy or SciPy, None if it has none or is another one of the same name."""
    if getattr(np, ufunc.__name__, None) is ufunc:
        return UFUNCS.get(ufunc.__name__)
    return SCIPY.get(ufunc.__name__) if _owner(ufunc) == "scipy.special." else None


def _owner(ufunc: np.ufunc) -> str:
    for module in ("scipy.special", "scipy.special._ufuncs", "ml_dtypes"):
        if getattr(sys.modules.get(module), ufunc.__name__, None) is ufunc:
            return f"{module.removesuffix('._ufuncs')}."
    return ""
