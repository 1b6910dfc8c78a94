"""What functions with a `custom_vjp` or `custom_jvp` get besides what is differentiated, and instead."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import ClosedJaxpr, Literal

from oracles.frameworks.jax_ownership import inside, is_custom, is_librarys
from oracles.frameworks.operands import Operands, chosen_of, is_one_number, names_for

Function = Callable[..., Any]
Place = tuple[str, tuple[int, ...]]  # an argument of a rule, by its name, and its shape


def operands_of(closed: ClosedJaxpr, floats: Sequence[float]) -> Operands | None:
    """What rules get that depends on nothing; None where there is nothing.

    Args:
        closed: The function.
        floats: Single numbers that it was given: these are its own arguments.
    """
    found: dict[Place, Any] = {}

    def note(equation: Any, number: int, value: Any) -> Any:
        value = jnp.asarray(value, equation.invars[number].aval.dtype)
        place = _name(equation, number), value.shape
        is_one = place not in found or np.array_equal(found[place], value)
        is_own = value.ndim == 0 and complex(value) in floats
        found[place] = value if is_one and is_one_number(value) and not is_own else None
        return value

    _run(closed.jaxpr, closed.consts, [Known(None, True)] * len(closed.jaxpr.invars), note)
    few = chosen_of({place: value for place, value in found.items() if value is not None})
    if not few:
        return None
    names = dict(zip(few, names_for(few), strict=True))
    values = {names[place]: found[place] for place in few}
    return Operands(values, functools.partial(_around, names), nullcontext)


def _around(names: Mapping[Place, str], function: Function) -> Function:
    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        own = {place: kwargs.pop(name) for place, name in names.items()}
        leaves, tree = jax.tree_util.tree_flatten((args, kwargs))
        arrays = [k for k, leaf in enumerate(leaves) if isinstance(leaf, jax.Array | np.ndarray)]

        def of_arrays(*given: Any) -> Any:
            filled = list(leaves)
            for k, array in zip(arrays, given, strict=True):
                filled[k] = array
            args, kwargs = jax.tree_util.tree_unflatten(tree, filled)
            return function(*args, **kwargs)

        given = [leaves[k] for k in arrays]
        closed, shapes = jax.make_jaxpr(of_arrays, return_shape=True)(*given)

        def instead(equation: Any, number: int, value: Any) -> Any:
            return own.get((_name(equation, number), jnp.shape(value)), value)

        found = _run(closed.jaxpr, closed.consts, [Known(a, True) for a in given], instead)
        results = [own.value for own in found]
        return jax.tree_util.tree_unflatten(jax.tree_util.tree_structure(shapes), results)

    return call


def _name(equation: Any, number: int) -> str:
    params = equation.params
    told = params["call_jaxpr"].jaxpr.debug_info
    names = told.arg_names or ()
    name = names[number] if number < len(names) else f"argument {number - params['num_consts']}"
    return f"{name} of {(told.func_src_info or 'a rule').partition(' at ')[0]}"


class Known(NamedTuple):
    """A value, None if nobody knows it; whether it depends on an argument, and on which constants."""

    value: Any
    moves: bool
    constants: frozenset[int] = frozenset()


def _run(
    jaxpr: Any, constants: Sequence[Any], args: Sequence[Known], change: Callable[[Any, int, Any], Any]
) -> list[Known]:
    """Evaluate a program in which rules of the caller's get other numbers for what depends on no argument."""
    own = (Known(value, False, frozenset([id(value)])) for value in constants)
    known = dict(zip(jaxpr.constvars, own, strict=True))
    known |= zip(jaxpr.invars, args, strict=True)

    def read(v: Any) -> Known:
        return Known(v.val, False) if isinstance(v, Literal) else known[v]

    for equation in jaxpr.eqns:
        given = list(map(read, equation.invars))
        for k in _operands(equation, given):
            given[k] = Known(change(equation, k, given[k].value), False)
        inner = inside(equation)
        if inner is not None:
            results = _run(inner.jaxpr, inner.consts, given, change)
        else:
            moves, of = any(own.moves for own in given), frozenset().union(*(own.constants for own in given))
            results = [Known(value, moves, of) for value in _values(equation, [own.value for own in given])]
        known |= zip(equation.outvars, results, strict=True)
    return [read(v) for v in jaxpr.outvars]


def _operands(equation: Any, given: Sequence[Known]) -> list[int]:
    """Which of these a rule of the caller's gets besides what moves.

    None if two are computed of one constant, as a weight and its inverse: one may have to follow the other.
    """
    if not any(own.moves for own in given) or not is_custom(equation) or is_librarys(equation):
        return []
    kinds = [jnp.issubdtype(v.aval.dtype, jnp.inexact) for v in equation.invars]
    before = equation.params["num_consts"]  # what its closure holds, which the rule may take from there
    found = [k for k, own in enumerate(given) if k >= before and kinds[k] and not own.moves]
    constants = [given[k].constants for k in found]
    return [] if len(frozenset().union(*constants)) < sum(map(len, constants)) else found


def _values(equation: Any, given: Sequence[Any]) -> Sequence[Any]:
    if any(value is None for value in given):
        return [None] * len(equation.outvars)
    bound = equation.primitive.get_bind_params(equation.params)
    functions, params = bound if isinstance(bound, tuple) else ((), bound)  # apart before JAX 0.10
    found = equation.primitive.bind(*functions, *given, **params)
    return found if equation.primitive.multiple_results else [found]
