"""How a call of a NumPy function, or of a ufunc or one of its methods, on traced arrays is answered.

Of a function, in this order: what only asks about shapes and dtypes is NumPy's own; what moves, writes or
allocates elements is NumPy's own on tokens; what has only exact integers is NumPy's own on their values; the
rest has a rule in RULES, or is unsupported.
"""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from oracles.exact.from_numpy import memory
from oracles.exact.from_numpy.array import (
    ARITHMETIC,
    MAKE_INSIDE,
    MOVING,
    TracedArray,
    any_moving,
    cast,
    check_dtype,
    first_tape,
    holds_traced,
    in_dtype,
    leaves_of,
    lift,
    swap,
    traced,
    values,
    wrap,
)
from oracles.exact.from_numpy.follow import followed
from oracles.exact.from_numpy.indexing import decided
from oracles.exact.from_numpy.memory import (
    ALLOCATORS,
    MOVES,
    WRITES,
    array,
    asarray,
    blank,
    move,
    without_lists,
    write,
)
from oracles.exact.from_numpy.rules import RULES
from oracles.exact.from_numpy.rules.complex import COMPLEX_RULES, COMPLEX_UFUNCS
from oracles.exact.from_numpy.rules.elementwise import (
    FOLDS,
    PREDICATES,
    REDUCTIONS,
    RUNNING,
    SCIPY,
    UFUNCS,
    Rule,
)
from oracles.exact.from_numpy.tape import (
    UNWRITTEN,
    Tape,
    is_written,
    name_of,
    opaque,
    spread,
    unsupported,
    words,
)
from oracles.exact.program.complex import Complex, as_complex, choose, each_part
from oracles.exact.program.eigen_general import eig, of_eig
from oracles.exact.program.errors import Opaque
from oracles.exact.program.primitives import convert, orders, select
from oracles.exact.program.primitives.arrays import scatter_add
from oracles.exact.program.program import Var
from oracles.exact.program.registered import definition_of


def call_ufunc(ufunc: np.ufunc, method: str, inputs: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """ufunc(*inputs) or ufunc.method(*inputs), some of which are traced."""
    if ufunc in ARITHMETIC.values() and method == "__call__" and not kwargs:
        found = _of_numbers(ufunc, inputs)
        if found is not None:
            return found
    name = ufunc.__name__
    own = definition_of("numpy", ufunc) if _rule(ufunc) is None and name not in PREDICATES else None
    if own is not None and method == "__call__":
        return own(*inputs, **kwargs)
    if getattr(np, name, None) is not ufunc and _rule(ufunc) is None:
        if name.endswith(" (vectorized)"):
            raise opaque(f"np.frompyfunc of {name.split()[0]} has no rule: write np.vectorize instead")
        raise no_rule(f"the compiled function {_owner(ufunc)}{name}")
    tape = first_tape((inputs, kwargs))
    tape.calls(name)
    if _rule(ufunc) is None and name not in PREDICATES:
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
    values = [x.value if type(x) is TracedArray else x for x in inputs]
    kinds = {type(value) for value in values} - {float}
    kind = kinds.pop() if len(kinds) == 1 else None if kinds else np.float64
    if kind is not np.float64 and kind is not np.float32:
        return None
    tape, name = first_tape(inputs), kind.__name__
    tape.calls(ufunc.__name__)
    with np.errstate(all="ignore"):
        value = ufunc(*values)
    operands = [
        convert(tape.one(x.tokens, name_of(x.dtype)), name)
        if type(x) is TracedArray
        else tape.constant(x, name)
        for x in inputs
    ]
    found = tape.recorder.first(UFUNCS[ufunc.__name__](*operands))
    return TracedArray(tape, value, tape.register_one(found))


def _call(tape: Tape, ufunc: np.ufunc, inputs: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    name = ufunc.__name__
    if name in PREDICATES:
        return _predicate(tape, ufunc, *inputs)
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
    rule = COMPLEX_UFUNCS.get(name) if of_complex else _rule(ufunc)
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
    x = x.value if isinstance(x, TracedArray) else x
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
    numbers, known = tape.numbers(x.tokens)
    answer = np.where(known, ufunc(numbers), PREDICATES[ufunc.__name__])
    return answer if isinstance(x.value, np.ndarray) else answer[()]


def _reduce(tape: Tape, ufunc: np.ufunc, inputs: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    given = {name: value for name, value in kwargs.items() if name != "dtype" or value is not None}
    fold = FOLDS.get(ufunc.__name__) if given.keys() <= {"axis", "keepdims"} else None
    if fold and inputs[0].is_float:
        return apply(tape, ufunc.reduce, fold, inputs[:1], {"axis": 0, **given})
    if ufunc.__name__ not in REDUCTIONS:
        raise no_rule(f"np.{ufunc.__name__}.reduce")
    return REDUCTIONS[ufunc.__name__](inputs[0], **{"axis": 0, **given})


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
        raise unsupported(f"np.{ufunc.__name__}.at writes recorded numbers into a plain array; {MAKE_INSIDE}")
    places = np.arange(target.size).reshape(target.shape)[decided(key)]
    flat = places.ravel()
    rest = [array(tape, b) if holds_traced(b) else b for b in rest]
    new = [np.ravel(np.broadcast_to(b, places.shape)).copy() for b in rest]  # they may be the target's
    if ufunc.__name__ in {"add", "subtract"} and target.is_float:
        given = lift(tape, new[0], target.dtype).recorded
        added = each_part(lambda v: scatter_add(v, flat, target.shape), given)
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
    "reduceat": _reduceat,
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
    for module in ("scipy.special", "scipy.special._ufuncs", "ml_dtypes"):
        if getattr(sys.modules.get(module), ufunc.__name__, None) is ufunc:
            return f"{module.removesuffix('._ufuncs')}."
    return ""


ASKS = frozenset(
    words(
        "shape ndim size result_type can_cast iscomplexobj isrealobj iscomplex isreal may_share_memory "
        "shares_memory common_type min_scalar_type array_repr array_str array2string einsum_path "
        "diag_indices_from tril_indices_from triu_indices_from"
    )
)
ALLOCATES = frozenset(words("zeros_like ones_like empty_like full_like zeros ones empty full"))


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


def _depends(tape: Tape, tree: Any) -> bool:
    """Whether a traced array in it is computed from an input."""
    return any(tape.depends(x.recorded) for x in traced(tree))


def _exactly(tree: Any) -> Any:
    return swap(tree, lambda x: x.exact_value("a function without a rule"))


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


def apply(tape: Tape, function: Any, rule: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """NumPy's own result for shape, dtype and layout, and the rule's for the record."""
    with np.errstate(all="ignore"):
        value = function(*values(args), **values(kwargs))
    recorded = rule(*swap(args, _recorded), **swap(kwargs, _recorded))
    if isinstance(recorded, Var | Complex):
        return wrap(tape, value, recorded)
    parts = [wrap(tape, v, r) for v, r in zip(value, recorded, strict=True)]
    return type(value)(*parts) if hasattr(value, "_fields") else type(value)(parts)


def store(tape: Tape, out: Any, result: Any, where: Any = True) -> Any:
    """Write a result into the array given as `out`."""
    if not isinstance(out, TracedArray):
        raise unsupported(f"recorded numbers would be written into a plain array; {MAKE_INSIDE}")
    source = result if isinstance(result, TracedArray) else lift(tape, result, np.asarray(result).dtype)
    if np.broadcast_shapes(out.shape, source.shape) != out.shape:
        raise ValueError(f"non-broadcastable output operand {out.shape} for a result of shape {source.shape}")
    moving = isinstance(where, TracedArray) and tape.recorder.known(where.recorded) is None
    if moving and is_written(out.tokens):
        np.copyto(out.value, source.value, "same_kind", where.value)
        flags = spread(where.recorded, out.shape)
        new = lift(tape, source, out.dtype).recorded
        old, new = out.recorded, each_part(lambda v: tape.recorder.broadcast(v, out.shape), new)
        chosen = choose(flags, new, old) if isinstance(old, Complex) else select(flags, new, old)
        out.tokens[...] = tape.register(chosen, out.value)
        return out
    where = decided(where)  # also where some of `out` is not written yet
    np.copyto(out.value, source.value, "same_kind", where)
    np.copyto(out.tokens, lift(tape, source, out.dtype).tokens, where=where)
    return out


def _holds_complex(tree: Any) -> bool:
    """Whether an array in it, traced or not, is complex."""
    return any(type(leaf) is complex or _letter(leaf) == "c" for leaf in leaves_of(tree))


def _letter(leaf: Any) -> str:
    return leaf.dtype.kind if isinstance(leaf, np.ndarray | np.generic) else ""


def no_rule(name: str) -> Exception:
    """What an operation without a rule raises."""
    return opaque(f"{name} has no rule: say what it computes with gradproof.register_rule")


def _recorded(x: TracedArray) -> Any:
    """What a rule gets: a recorded value, or plain NumPy for exact integers."""
    known = None if x.is_float else x.tape.recorder.known(x.recorded)
    return x.recorded if known is None else known


# Functions whose arguments are masks or positions that may depend on the data, and a few special cases. Each
# takes the recording and the arguments; NotImplemented: nothing depends on the data here: the usual way.


def _where(tape: Tape, condition: Any, *choices: Any) -> Any:
    if not choices:
        return np.nonzero(condition)
    if not (isinstance(condition, TracedArray) and any_moving(tape, condition)):
        return NotImplemented
    if not all(is_written(c.tokens) for c in traced(choices)):  # what is not chosen may be missing
        return np.where(_mask(condition), *choices)
    value = np.where(condition.value, *values(choices))
    shape, builder = value.shape, tape.recorder
    flags = condition if condition.dtype == bool else condition != 0
    x, y = (lift(tape, c, value.dtype).recorded for c in choices)
    x, y = (each_part(lambda v: builder.broadcast(v, shape), c) for c in (x, y))
    where = spread(flags.recorded, shape)
    return wrap(tape, value, choose(where, x, y) if isinstance(x, Complex) else select(where, x, y))


def _select(tape: Tape, condlist: Any, choicelist: Any, default: Any = 0) -> Any:
    if not any_moving(tape, condlist):
        return NotImplemented
    dtype = np.select(*values((list(condlist), list(choicelist), default))).dtype
    result = default
    for condition, choice in zip(condlist[::-1], choicelist[::-1], strict=True):
        result = np.where(condition, choice, result)
    return result.astype(dtype, copy=False)


def _take(tape: Tape, a: Any, indices: Any, axis: Any = None, mode: str = "raise") -> Any:
    if not (isinstance(indices, TracedArray) and any_moving(tape, indices)):
        return NotImplemented
    if mode != "raise":
        raise unsupported(f"np.take with mode={mode!r} and positions that depend on the data")
    if axis is None:
        return lift(tape, a, a.dtype).ravel()[indices]
    return lift(tape, a, a.dtype)[(slice(None),) * (axis % a.ndim) + (indices,)]


def _take_along_axis(tape: Tape, arr: Any, indices: Any, axis: Any = -1) -> Any:
    if not (isinstance(indices, TracedArray) and any_moving(tape, indices)):
        return NotImplemented
    if axis is None:
        return lift(tape, arr, arr.dtype).ravel()[indices]
    axis %= arr.ndim
    grid = list(np.ix_(*(np.arange(n) for n in arr.shape)))
    return lift(tape, arr, arr.dtype)[(*grid[:axis], indices, *grid[axis + 1 :])]


def _argsort(
    tape: Tape, a: Any, axis: Any = -1, kind: Any = None, order: Any = None, *, stable: Any = None
) -> Any:
    """Equal elements stand as NumPy leaves them: most of its kinds of sorting do not keep their order."""
    if stable or kind in ("stable", "mergesort") or not a.is_float or a.dtype.kind == "c":
        return NotImplemented
    x, along = (a.ravel(), 0) if axis is None else (a, axis)
    value = np.argsort(x.value, along, kind)
    tape.recorder.looked = True
    first = orders.as_it_ran(x.value.astype(np.float64), value, along) if x.ndim else None
    return NotImplemented if first is None else wrap(tape, value, orders.argsort(x.recorded, along, first))


def _digitize(tape: Tape, x: Any, bins: Any, right: Any = False) -> Any:
    """Which bin each number is in: the edges rise or fall as they do here."""
    side: Any = "left" if right else "right"
    here = np.asarray(values(bins))
    if here.size == 0 or here[0] <= here[-1]:
        return np.searchsorted(bins, x, side)
    return here.size - np.searchsorted(bins[::-1], x, side)


def _unravel_index(tape: Tape, indices: Any, shape: Any, order: str = "C") -> Any:
    """By remainders, from the axis that runs fastest."""
    if not any_moving(tape, indices):
        return NotImplemented
    sizes, found, rest = np.atleast_1d(decided(shape)).tolist(), [], indices
    for size in sizes[::-1] if order == "C" else sizes:
        found.append(rest % size)
        rest = rest // size
    return tuple(found[::-1] if order == "C" else found)


def _ravel_multi_index(tape: Tape, multi_index: Any, dims: Any, mode: Any = "raise", order: str = "C") -> Any:
    if not any_moving(tape, multi_index):
        return NotImplemented
    if mode != "raise":
        raise unsupported(f"np.ravel_multi_index with mode={mode!r} and positions that depend on the data")
    sizes, total = np.atleast_1d(decided(dims)).tolist(), 0
    along = list(zip(multi_index, sizes, strict=True))
    for place, size in along if order == "C" else along[::-1]:
        total = total * size + place
    return total


def _bincount(tape: Tape, x: Any, weights: Any = None, minlength: int = 0) -> Any:
    return np.bincount(decided(x), weights, minlength) if any_moving(tape, x) else NotImplemented


def _mask(a: Any) -> Any:
    """Which elements are not zero, decided."""
    return decided(a if a.dtype == bool else a != 0)


def _nan_to_num(
    tape: Tape, x: Any, copy: bool = True, nan: Any = 0.0, posinf: Any = None, neginf: Any = None
) -> Any:
    """Only literals can be other than finite."""
    result, limit = x.copy() if copy else x, np.finfo(x.dtype).max
    result[np.isnan(x)] = nan
    numbers, _ = tape.numbers(x.tokens)
    result[numbers == np.inf] = limit if posinf is None else posinf
    result[numbers == -np.inf] = -limit if neginf is None else neginf
    return result


def _angle(tape: Tape, z: Any, deg: bool = False) -> Any:
    angle = np.arctan2(z.imag, z.real)
    return np.degrees(angle) if deg else angle


def _eig(tape: Tape, a: Any) -> Any:
    """Real where NumPy's are: where all numbers are."""
    value, kind = np.linalg.eig(values(a)), (a.value + 0j).dtype.name
    w, v = eig(as_complex(a.recorded, kind), of_eig(a.value.dtype))
    real = value.eigenvalues.dtype.kind == "f"
    return type(value)(*(wrap(tape, n, r.re if real else r) for n, r in zip(value, (w, v), strict=True)))


SPECIAL: dict[str, Callable[..., Any]] = {
    "real": lambda tape, val: val.real,
    "imag": lambda tape, val: val.imag,
    "angle": _angle,
    "where": _where,
    "select": _select,
    "take": _take,
    "argsort": _argsort,
    "take_along_axis": _take_along_axis,
    "bincount": _bincount,
    "digitize": _digitize,
    "unravel_index": _unravel_index,
    "ravel_multi_index": _ravel_multi_index,
    "nonzero": lambda tape, a: np.nonzero(_mask(a)),
    "flatnonzero": lambda tape, a: np.flatnonzero(_mask(a)),
    "argwhere": lambda tape, a: np.argwhere(_mask(a)),
    "pad": memory.pad,
    "astype": lambda tape, x, dtype, *, copy=True: (
        x if not copy and x.dtype == dtype else cast(x, np.dtype(dtype))
    ),
    "nan_to_num": _nan_to_num,
    "linalg.eig": _eig,
    "linalg.eigvals": lambda tape, a: _eig(tape, a).eigenvalues,
}
