"""Whose values and gradients are proven: JAX's functions against the enclosures.

Every function of `jax_functions` is asked with its arguments there, with other values of each of its options,
with other shapes and numbers, and on integers.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import reduce
from itertools import islice
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import jax.scipy.linalg
import jax.scipy.special
import jax.scipy.stats
import numpy as np

from oracles.exact.coverage.jax_functions import OPTIONS, TABLE
from oracles.exact.coverage.operations import Compared, Theirs, compared, examined
from oracles.exact.from_jaxpr import is_floating, record
from oracles.exact.program.program import Array

KEPT = 15  # functions whose compiled programs are kept
QUICKLY = {"xla_backend_optimization_level": 0}  # a third less time in all, for the same function


def coverage(named: str = "", every: int = 1) -> Iterator[tuple[str, str]]:
    """For each sample its function and "proven", or "disagrees", "unsupported", "undecided" or "error": why.

    `named` asks for one function, `every` for each such sample.
    """
    seen: set[str] = set()
    with jax.enable_x64(True):
        for sample in map(_with_pairs, islice(variants(), 0, None, every)):
            if named in ("", sample.name) and (theirs := _jax(sample)) is not None:
                yield sample.name, examined(lambda: _compared(sample, theirs), "JAX")  # noqa: B023
                if len(seen := seen | {sample.name}) > KEPT:
                    seen = set()
                    jax.clear_caches()  # type: ignore[no-untyped-call]


def _with_pairs(sample: Sample) -> Sample:
    """Complex results as pairs of numbers."""

    def function(*args: Any, **kwargs: Any) -> Any:
        return jax.tree.map(_as_pairs, sample.function(*args, **kwargs))

    return sample._replace(function=function)


def _as_pairs(y: Any) -> Any:
    return jnp.stack([y.real, y.imag], -1) if jnp.iscomplexobj(y) else y


def examine(sample: Sample) -> str:
    """One sample: its values, and its gradient along seeded random cotangents, ours and JAX's."""
    sample = _with_pairs(sample)
    theirs = _jax(sample)
    assert theirs is not None, "JAX does not take it"
    return examined(lambda: _compared(sample, theirs), "JAX")


def _jax(sample: Sample) -> Theirs | None:
    """None where JAX itself does not take it."""
    leaves, tree = jax.tree.flatten(sample.args)
    moving = [i for i, leaf in enumerate(leaves) if is_floating(leaf)]
    draw = np.random.default_rng(0)

    def of_moving(*numbers: Any) -> tuple[list[Any], list[Any]]:
        whole = list(leaves)
        for i, number in zip(moving, numbers, strict=True):
            whole[i] = number
        found = jax.tree.leaves(sample.function(*jax.tree.unflatten(tree, whole), **sample.kwargs))
        return [y for y in found if _floats(y)], found

    try:
        numbers = [jnp.asarray(leaves[i]) for i in moving]
        _, shapes = jax.eval_shape(of_moving, *numbers)  # some take a negative axis, but not traced
        along = {
            k: jnp.asarray(np.round(draw.normal(size=y.shape), 2), y.dtype)
            for k, y in enumerate(shapes)
            if _floats(y)
        }

        def both(numbers: Sequence[Any], along: Sequence[Any]) -> tuple[list[Any], tuple[Any, ...]]:
            _, pullback, values = jax.vjp(of_moving, *numbers, has_aux=True)
            return values, pullback(along) if along else ()

        compiled = jax.jit(both, compiler_options=QUICKLY)  # one program: compiling is what takes time
        values, gradients = compiled(numbers, list(along.values()))
        return Theirs(values, along, list(gradients))
    except Exception:
        return None


def _floats(y: Any) -> bool:
    return bool(jnp.issubdtype(jnp.result_type(y), jnp.floating))


def _compared(sample: Sample, theirs: Theirs) -> Iterator[Compared]:
    return compared(record(sample.function, sample.args, sample.kwargs), theirs, _numbers)


def _numbers(array: Any) -> tuple[Array, float]:
    if not _floats(array):
        return np.asarray(array), 0.0
    return np.asarray(array, np.float64), float(jnp.finfo(jnp.result_type(array)).eps)  # type: ignore[no-untyped-call]


class Sample(NamedTuple):
    """A function and what to call it with."""

    name: str
    function: Any
    args: tuple[Any, ...]
    kwargs: dict[str, Any]


def samples() -> Iterator[Sample]:
    """Every function of the table that this JAX has."""
    for module, names, args, *kwargs in TABLE:
        for name in names.split():
            full = f"{module}.{name}"
            function: Any = reduce(_part, full.split(".")[1:], jax)
            if function is not None:
                yield Sample(full, function, args, *(kwargs or [{}]))


def _part(whole: Any, name: str) -> Any:
    return getattr(whole, name, None)


def variants() -> Iterator[Sample]:
    """Every function with the arguments of the table; with other values of each option; with other arguments.

    JAX does not take all of them: an axis that is not there, a shape that does not fit.
    """
    for sample in samples():
        yield sample
        options = options_of(sample)
        for option, values in options.items():
            for value in values:
                yield sample._replace(kwargs={**sample.kwargs, option: value})
        if {"axis", "keepdims"} <= options.keys():
            yield sample._replace(kwargs={**sample.kwargs, "axis": 0, "keepdims": True})
        for change in CHANGES:
            with suppress(ValueError, IndexError):  # a shape that cannot be changed so
                yield sample._replace(args=jax.tree.map(change, sample.args))
        yield sample._replace(
            function=_on_integers(sample.function), args=jax.tree.map(_forty_times, sample.args)
        )


def _on_integers(function: Any) -> Any:
    """What is whole of it on int8, which wraps, made of floating numbers."""

    def whole(*args: Any, **kwargs: Any) -> Any:
        cast = jax.tree.map(lambda x: jnp.asarray(x).astype(jnp.int8) if is_floating(x) else x, args)
        return [y for y in jax.tree.leaves(function(*cast, **kwargs)) if not _floats(y)]

    return whole


def _forty_times(x: Any) -> Any:
    return np.round(40 * x) if is_floating(x) else x


def _array(change: Any) -> Any:
    return lambda x: change(x) if isinstance(x, np.ndarray) else x


# Other shapes, and other numbers: functions have other series for small and large ones.
CHANGES = [
    _array(lambda x: x[0]),
    _array(lambda x: x[:0]),
    _array(lambda x: x.reshape(2, -1)),
    _array(lambda x: x / 16 if is_floating(x) else x),
    _array(lambda x: x * 8 if is_floating(x) else x),
    _array(lambda x: -x if is_floating(x) else x),
]


def options_of(sample: Sample) -> dict[str, tuple[Any, ...]]:
    """The options of the function that the table does not give, and the values that they are asked with."""
    found = {}
    for parameter in parameters(sample.function)[len(sample.args) :]:
        name = parameter.name
        values = OPTIONS.get(f"{sample.name}.{name}", OPTIONS.get(name))
        if values and (name not in sample.kwargs or f"{sample.name}.{name}" in OPTIONS):
            found[name] = tuple(v for v in values if v is not parameter.default)
    return found


def parameters(function: Any) -> list[inspect.Parameter]:
    """Those with a name, in order."""
    try:
        every = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return []
    return [p for p in every if p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)]
