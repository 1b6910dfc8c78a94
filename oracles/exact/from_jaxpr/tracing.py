"""Tracing, which costs most of the time: a function is traced once for the shapes and dtypes of its inputs.

Everything else that a trace depends on is part of the key by content; what cannot be (an object that may
change, a method of one) is traced each time. As with `jax.jit`, globals and closures are taken as they were.
"""

from __future__ import annotations

import contextlib
import os
import traceback
from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from types import FunctionType
from typing import Any

import jax
import numpy as np
from jax.extend.core import ClosedJaxpr, jaxpr_as_fun

from oracles.exact.program.errors import Unsupported
from oracles.exact.program.program import FLOATS
from oracles.exact.program.trees import Derived

KEPT = 256  # traces
_JAX, _HERE = (os.path.dirname(path) + os.sep for path in (jax.__file__, os.path.dirname(__file__)))
_RUNNER = os.path.join(os.path.dirname(_HERE[:-1]), "frameworks", "in_jax.py")  # it only calls jax.vjp
_cache: OrderedDict[Hashable, ClosedJaxpr] = OrderedDict()


def trace(
    function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], paired: bool
) -> tuple[ClosedJaxpr, ClosedJaxpr | None]:
    """The jaxpr of the function of its floating leaves; `paired`: also with every one of them in float64.

    The first is in 64 bits if an array is float64 or none is floating, else in 32 bits, as JAX would run it.
    The second is None if it is not asked for, is the same, or is not possible.
    """
    leaves = jax.tree.leaves(args)
    arrays = (x for x in [*leaves, *jax.tree.leaves(kwargs)] if hasattr(x, "dtype"))
    floating = {str(x.dtype) for x in arrays if is_floating(x)}
    x64 = not floating or "float64" in floating
    own = _traced(function, args, kwargs, x64, "")
    if not paired or floating <= {"float64"}:
        return own, None
    wide = None
    with contextlib.suppress(Exception):  # code for one dtype only may raise anything in another
        wide = _traced(function, args, kwargs, True, "float64")
    return own, wide


def executed(own: ClosedJaxpr, given: Sequence[Any]) -> tuple[Any, ...]:
    """What a traced function gives when its equations run one after another, as eager code's do."""
    types = [str(v.aval.dtype) for v in own.jaxpr.invars]
    with jax.enable_x64("float64" in types):
        inputs = [jax.numpy.asarray(x, t) for x, t in zip(given, types, strict=True)]
        return tuple(map(np.asarray, jaxpr_as_fun(own)(*inputs)))


def is_floating(leaf: Any) -> bool:
    """Whether a leaf of the arguments is differentiated: a real floating array or number."""
    return isinstance(leaf, float) or str(getattr(leaf, "dtype", "")) in FLOATS


def user_line(places: Sequence[tuple[str, int | None]]) -> tuple[str, int | None] | None:
    """The innermost line of the traced code that is neither JAX's nor ours; None if there is none."""
    for name, line in places:
        if name == __file__:
            return None  # further out is who asked for the trace
        if not name.startswith((_JAX, _HERE, _RUNNER)):
            return name, line
    return None


def is_library(name: str) -> bool:
    """Whether a file is part of JAX."""
    return name.startswith(_JAX)


def _traced(
    function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], x64: bool, dtype: str
) -> ClosedJaxpr:
    """From the cache, or traced; floating inputs in `dtype`, or in their own if it is ""."""
    key = _key(function, args, kwargs, x64, dtype)
    if key is not None and key in _cache:
        _cache.move_to_end(key)
        return _cache[key]
    leaves, tree = jax.tree.flatten(args)
    moving = [i for i, leaf in enumerate(leaves) if is_floating(leaf)]
    # JAX knows an array that it has met by its identity, and would not see that it was written into since.
    fixed, options = jax.tree.map(lambda x: x.copy() if isinstance(x, np.ndarray) else x, (leaves, kwargs))

    def of_moving(*values: Any) -> Any:
        whole = list(fixed)
        for i, value in zip(moving, values, strict=True):
            whole[i] = value
        return function(*jax.tree.unflatten(tree, whole), **options)

    with jax.enable_x64(x64):
        jaxpr = _make_jaxpr(of_moving, [_aval(leaves[i], dtype) for i in moving])
    if key is not None:
        _cache[key] = jaxpr
        while len(_cache) > KEPT:
            _cache.popitem(last=False)
    return jaxpr


def _make_jaxpr(function: Callable[..., Any], avals: Sequence[Any]) -> ClosedJaxpr:
    try:
        return jax.make_jaxpr(function)(*avals)
    except (
        jax.errors.ConcretizationTypeError,
        jax.errors.TracerArrayConversionError,
        jax.errors.TracerIntegerConversionError,
        jax.errors.NonConcreteBooleanIndexError,
    ) as error:
        places = [(f.filename, f.lineno) for f in traceback.extract_tb(error.__traceback__)]
        line = user_line(places[::-1])
        raise Unsupported(
            f"the function needs numbers while it is traced{f' (at {line[0]}:{line[1]})' if line else ''}: "
            "a Python `if` or `float()` on a traced value, or NumPy or compiled code. "
            "Use jnp.where, lax.cond, jax.numpy. JAX says: " + str(error).split("\n")[0]
        ) from error


def _aval(leaf: Any, dtype: str) -> Any:
    """What is traced in place of a floating leaf; a Python number takes the dtype of what it meets."""
    number = not hasattr(leaf, "dtype")
    kind = dtype or (jax.dtypes.canonicalize_dtype(np.float64) if number else leaf.dtype)
    weak = getattr(leaf, "weak_type", number)
    return jax.ShapeDtypeStruct(np.shape(leaf), kind, weak_type=weak)  # type: ignore[no-untyped-call]


# -- the key ----------------------------------------------------------------------------------------------


def _key(function: Any, args: Any, kwargs: Any, x64: bool, dtype: str) -> Hashable | None:
    """What the trace depends on; None if it cannot be told."""
    if not _stays(function):
        return None
    leaves, tree = jax.tree.flatten(args)
    others, names = jax.tree.flatten(kwargs)
    contents = [_shape(x) if is_floating(x) else _content(x) for x in leaves] + [_content(x) for x in others]
    if any(c is None for c in contents):
        return None
    return function, tree, names, tuple(contents), x64, dtype


def _stays(function: Any) -> bool:
    """Whether it is a plain function or value, or JAX's: an object of the user's may change meanwhile."""
    if isinstance(function, Derived):
        return all(map(_stays, function.origins))
    if function is None or isinstance(function, bool | int | float | complex | str | bytes):
        return True
    return isinstance(function, FunctionType) or type(function).__module__.startswith("jax")


def _shape(leaf: Any) -> Hashable:
    if not hasattr(leaf, "dtype"):
        return "number"
    return leaf.shape, str(leaf.dtype), getattr(leaf, "weak_type", False)


def _content(leaf: Any) -> Hashable | None:
    """A value that is part of the trace, as bytes."""
    if isinstance(leaf, bool | int | float | complex | str | bytes):
        return type(leaf), repr(leaf)
    if isinstance(leaf, np.ndarray | np.generic | jax.Array) and (array := np.asarray(leaf)).dtype != object:
        return type(leaf), array.shape, str(array.dtype), array.tobytes()
    return None
