"""Tracing: a function is traced each time, since anything that it reads may have changed (see `unchanging`).

It is traced in the caller's own setting of `jax_enable_x64`, so that what JAX itself keeps (traces of jitted
functions and of the bodies of loops) is in the record exactly where it is in what runs.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from functools import cache
from itertools import count
from typing import Any, NamedTuple

import jax
import numpy as np
from jax._src import dtypes, literals  # what it remembers of NumPy's arrays has no public name
from jax._src.scipy import special  # nor have the parts of its functions
from jax.experimental.xla_metadata import set_xla_metadata
from jax.extend.core import ClosedJaxpr, jaxpr_as_fun

from oracles.exact.from_jaxpr.compiling import compiling_once
from oracles.exact.from_jaxpr.kernels import with_kernels_read
from oracles.exact.from_jaxpr.lines import JAX, rules_on_their_lines
from oracles.exact.from_jaxpr.meanwhile import Meanwhile
from oracles.exact.from_jaxpr.uncast import without_narrower_casts
from oracles.exact.program.errors import Opaque
from oracles.exact.program.program import FLOATS
from oracles.exact.program.unchanging import once
from oracles.exact.program.user_modules import OURS

LINE = 120  # characters of what JAX says
_fresh = count()
_known = dtypes.canonicalize_value
# Functions that leave a name in a trace only if they are jitted, as they are meanwhile.
_PLAIN = {name: getattr(special, name) for name in ("_ndtri", "_spence")}
_NAMED = {name: jax.jit(function) for name, function in _PLAIN.items()}
_named = Meanwhile(lambda: vars(special).update(_NAMED), lambda: vars(special).update(_PLAIN))


def _anew(value: Any) -> Any:
    own = isinstance(value, np.ndarray) and not isinstance(value, literals.TypedNdArray | np.ma.MaskedArray)
    return _known(np.array(value) if own else value)  # a copy it has never met


# JAX without its memory of NumPy's arrays: nothing else depends on that.
_arrays_unknown = Meanwhile(
    lambda: setattr(dtypes, "canonicalize_value", _anew),
    lambda: setattr(dtypes, "canonicalize_value", _known),
)


class OfNumPy(np.ndarray):
    """Whole numbers that the caller gave as NumPy's: so the function gets them, and may write into them."""


class Traces(NamedTuple):
    """A function of its floating leaves, traced.

    Attributes:
        own: As the caller's JAX runs it: in 64 bits if that is set, and with float64 arrays in any case.
        wide: Traces it with all of them in float64; the same one where they are, None where it cannot be.
        why_none: Why it cannot be, in a line.
        uncast: Traces it so, and nothing in it is cast to a narrower format.
    """

    own: ClosedJaxpr
    wide: Callable[[], ClosedJaxpr | None]
    why_none: Callable[[], str]
    uncast: Callable[[], ClosedJaxpr | None]


def trace(function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Traces:
    """The jaxpr of the function of its floating leaves, and what traces it in float64."""
    return once(lambda: _alike(function, args, kwargs), lambda: _traces(function, args, kwargs))


def _alike(function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Hashable:
    """The same for calls that have one trace."""
    leaves, tree = jax.tree.flatten((args, kwargs))
    own = (repr(_aval(x, "")) if is_floating(x) else _as_plain(x) for x in leaves)
    return function, tree, jax.config.jax_enable_x64, tuple(own)  # type: ignore[attr-defined]


def _as_plain(leaf: Any) -> Hashable:
    if hasattr(leaf, "dtype"):
        return type(leaf), str(leaf.dtype), leaf.shape, np.asarray(leaf).tobytes()
    return type(leaf), leaf


def _traces(function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Traces:
    leaves = jax.tree.leaves(args)
    arrays = (x for x in [*leaves, *jax.tree.leaves(kwargs)] if hasattr(x, "dtype"))
    floating = {str(x.dtype) for x in arrays if is_floating(x)}
    with x64_for(not floating or "float64" in floating, f"trace {next(_fresh)}"):
        own = _traced(function, args, kwargs, "")

    @cache
    def tried() -> ClosedJaxpr | str:
        if floating <= {"float64"}:
            return own  # a narrower literal in it is rounded because the source says so
        try:
            with x64_for(True):
                return _traced(function, args, kwargs, "float64")
        except Exception as problem:  # code for one dtype only may raise anything in another
            return _in_a_line(problem)

    def wide() -> ClosedJaxpr | None:
        found = tried()
        return None if isinstance(found, str) else found

    def why_none() -> str:
        found = tried()
        return found if isinstance(found, str) else ""

    @cache
    def uncast() -> ClosedJaxpr | None:
        # What JAX keeps of it is kept apart, under this name: it has no casts.
        apart = jax.enable_x64(True), _metadata(gradproof="uncast"), _arrays_unknown
        with suppress(Exception), apart[0], apart[1], apart[2], without_narrower_casts():
            return _traced(function, args, kwargs, "float64")
        return None

    return Traces(own, wide, why_none, uncast)


def _in_a_line(problem: Exception) -> str:
    said = next(iter(str(problem).splitlines()), "")[:LINE].rstrip(": ")
    return f"{type(problem).__name__}: {said}" if said else type(problem).__name__


def executed(own: ClosedJaxpr, given: Sequence[Any]) -> tuple[Any, ...]:
    """What a traced function gives when its equations run one after another, as eager code's do."""
    types = [str(v.aval.dtype) for v in own.jaxpr.invars]
    with x64_for("float64" in types), compiling_once:
        inputs = [jax.numpy.asarray(x, t) for x, t in zip(given, types, strict=True)]
        return tuple(map(np.asarray, jaxpr_as_fun(own)(*inputs)))


WIDE = {"float64", "complex128"}  # dtypes that JAX has with x64 only


def x64_for(wide: bool, name: str = "wide") -> AbstractContextManager[None]:
    """JAX as the caller has it, but in 64 bits if they are needed (`wide`): then apart, under that name.

    What is done apart is not found again in the caller's JAX. Metadata is part of the key of all its traces,
    and changes nothing else. NumPy's arrays are known there by their identity alone, and in the precision in
    which they were met first: apart they are converted anew.
    """
    if not wide or jax.config.jax_enable_x64:  # type: ignore[attr-defined]
        return nullcontext()
    return _apart(name)


@contextmanager
def _apart(name: str) -> Iterator[None]:
    with jax.enable_x64(True), _metadata(gradproof=name), _arrays_unknown:
        yield


def _metadata(**named: str) -> AbstractContextManager[None]:
    found: AbstractContextManager[None] = set_xla_metadata(**named)  # type: ignore[no-untyped-call]
    return found


def is_floating(leaf: Any) -> bool:
    """Whether a leaf of the arguments is differentiated: a real floating array or number."""
    return isinstance(leaf, float) or str(getattr(leaf, "dtype", "")) in FLOATS


def user_frame(files: Iterable[str]) -> int | None:
    """Which of these frames is the innermost of the traced code that is neither JAX's nor ours, if any."""
    for number, name in enumerate(files):
        if name == __file__:
            return None  # further out is who asked for the trace
        if not name.startswith((JAX, *OURS)):
            return number
    return None


def _traced(
    function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], dtype: str
) -> ClosedJaxpr:
    """Its jaxpr, with floating inputs in `dtype`, or in their own if it is ""."""
    leaves, tree = jax.tree.flatten(args)
    moving = [i for i, leaf in enumerate(leaves) if is_floating(leaf)]

    def traced(given: Callable[[Any], Any]) -> ClosedJaxpr:
        fixed, options = jax.tree.map(given, (leaves, kwargs))

        def of_moving(*values: Any) -> Any:
            whole = list(fixed)
            for i, value in zip(moving, values, strict=True):
                whole[i] = value
            return function(*jax.tree.unflatten(tree, whole), **options)

        return _make_jaxpr(of_moving, [_aval(leaves[i], dtype) for i in moving])

    try:
        return traced(_as_given)
    except Exception as problem:
        if not any(map(_is_whole, leaves)):
            raise
        # What is computed from JAX's arrays has no numbers in a trace, though where it runs: NumPy's has. And
        # what is compiled gets JAX's, whatever was given.
        try:
            return traced(_as_other)
        except Exception:
            raise problem from None


def _is_whole(leaf: Any) -> bool:
    """Whether a leaf is an array that does not move."""
    return isinstance(leaf, np.ndarray) and not is_floating(leaf)


def _as_given(leaf: Any) -> Any:
    """A leaf that does not move, of the kind that the caller gave."""
    own = _is_whole(leaf) and not isinstance(leaf, OfNumPy)
    return jax.numpy.asarray(leaf) if own else _copied(leaf)


def _as_other(leaf: Any) -> Any:
    """The same of the other kind."""
    return jax.numpy.asarray(np.array(leaf)) if isinstance(leaf, OfNumPy) else _copied(leaf)


def _copied(leaf: Any) -> Any:
    """An array as another of NumPy's: JAX knows those by identity, and sees none that was written into."""
    return np.array(leaf) if isinstance(leaf, np.ndarray) else leaf


def _make_jaxpr(function: Callable[..., Any], avals: Sequence[Any]) -> ClosedJaxpr:
    try:
        with _named, rules_on_their_lines:
            return with_kernels_read(jax.make_jaxpr(function)(*avals))
    except (
        jax.errors.ConcretizationTypeError,
        jax.errors.TracerArrayConversionError,
        jax.errors.TracerIntegerConversionError,
        jax.errors.NonConcreteBooleanIndexError,
    ) as error:
        frames = traceback.extract_tb(error.__traceback__)[::-1]
        own = user_frame(f.filename for f in frames)
        at = "" if own is None else f" (at {frames[own].filename}:{frames[own].lineno})"
        raise Opaque(
            f"the function needs numbers while it is traced{at}: "
            "a Python `if` or `float()` on a traced value, or NumPy or compiled code. "
            "Use jnp.where, lax.cond, jax.numpy. JAX says: " + str(error).split("\n")[0]
        ) from error


def _aval(leaf: Any, dtype: str) -> Any:
    """What is traced in place of a floating leaf; a Python number takes the dtype of what it meets."""
    number = not hasattr(leaf, "dtype")
    kind = dtype or (jax.dtypes.canonicalize_dtype(np.float64) if number else leaf.dtype)
    weak = getattr(leaf, "weak_type", number)
    return jax.ShapeDtypeStruct(np.shape(leaf), kind, weak_type=weak)  # type: ignore[no-untyped-call]
