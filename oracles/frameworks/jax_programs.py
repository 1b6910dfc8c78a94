"""Whether two functions run the same program: their jaxprs, without what the results do not need."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import numpy as np
from jax._src.interpreters import partial_eval  # what drops dead code has no public name
from jax.extend.core import ClosedJaxpr, Jaxpr, Literal


def needed(closed: ClosedJaxpr, result: int) -> ClosedJaxpr:
    """What a program runs for one of its results."""
    wanted = [k == result for k in range(len(closed.jaxpr.outvars))]
    jaxpr, _ = partial_eval.dce_jaxpr(closed.jaxpr, wanted, instantiate=True)
    return ClosedJaxpr(jaxpr, closed.consts)


def computes_of(closed: ClosedJaxpr, held: Sequence[Any]) -> bool:
    """Whether a program computes something of these arrays, its constants, alone.

    Where it runs these are numbers, which Python code may read; where it was traced they were none.
    """
    names = set(map(id, held))
    known = {v for v, c in zip(closed.jaxpr.constvars, closed.consts, strict=True) if id(c) in names}
    moving = set(closed.jaxpr.invars)
    for equation in closed.jaxpr.eqns:
        operands = [v for v in equation.invars if not isinstance(v, Literal)]
        if not moving.isdisjoint(operands):
            moving.update(equation.outvars)
        elif not known.isdisjoint(operands):
            return True
    return False


def are_same(one: ClosedJaxpr, of_one: Sequence[Any], other: ClosedJaxpr, of_other: Sequence[Any]) -> bool:
    """Whether two programs compute the same of the same arrays, operation by operation.

    Args:
        one, other: The programs.
        of_one, of_other: What they are called with. An array that is an argument of one may be a constant of
            the other.
    """
    named: dict[object, object] = {id(array): object() for array in (*of_one, *of_other)}

    def name(constant: Any) -> object:
        own: object = id(constant)
        if own not in named:
            array = np.asarray(constant)
            own = array.dtype, array.shape, array.tobytes()
        return named.setdefault(own, object())

    def known(closed: ClosedJaxpr, args: Sequence[Any]) -> dict[Any, object]:
        names = [*map(name, closed.consts), *(named[id(array)] for array in args)]
        return dict(zip([*closed.jaxpr.constvars, *closed.jaxpr.invars], names, strict=True))

    return _are_same(one.jaxpr, known(one, of_one), other.jaxpr, known(other, of_other))


def _are_same(one: Jaxpr, known: dict[Any, object], other: Jaxpr, of_other: dict[Any, object]) -> bool:
    """`known` and `of_other`: a name for each value, equal where both have the same."""

    def alike(ours: Sequence[Any], theirs: Sequence[Any]) -> bool:
        return len(ours) == len(theirs) and all(map(atoms, ours, theirs))

    def atoms(a: Any, b: Any) -> bool:
        if isinstance(a, Literal) or isinstance(b, Literal):
            return type(a) is type(b) and a.aval == b.aval and _equal(a.val, b.val)
        return known[a] is of_other[b]

    if len(one.eqns) != len(other.eqns):
        return False
    for e, f in zip(one.eqns, other.eqns, strict=True):
        same = e.primitive is f.primitive and alike(e.invars, f.invars) and _equal(_run_by(e), _run_by(f))
        if not same or [v.aval for v in e.outvars] != [v.aval for v in f.outvars]:
            return False
        for v, w in zip(e.outvars, f.outvars, strict=True):
            known[v] = of_other[w] = object()
    return alike(one.outvars, other.outvars)


def _run_by(equation: Any) -> dict[str, Any]:
    """The parameters of what an equation runs: a rule that is left in a derivative does not run."""
    if equation.primitive.name in {"custom_jvp_call", "custom_vjp_call"}:
        return {"call_jaxpr": equation.params["call_jaxpr"]}
    found: dict[str, Any] = equation.params
    return found


def _equal(a: Any, b: Any) -> bool:
    """Whether two parameters are equal; of functions nobody can tell but where they are one."""
    if a is b:
        return True
    if type(a) is not type(b):
        return False
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(_equal(a[key], b[key]) for key in a)
    if isinstance(a, tuple | list):
        return len(a) == len(b) and all(map(_equal, a, b))
    if isinstance(a, ClosedJaxpr):
        return _equal(list(a.consts), list(b.consts)) and _equal(a.jaxpr, b.jaxpr)
    if isinstance(a, Jaxpr):
        ours, theirs = [*a.constvars, *a.invars], [*b.constvars, *b.invars]
        if [v.aval for v in ours] != [v.aval for v in theirs]:
            return False
        names = [object() for _ in ours]
        return _are_same(a, dict(zip(ours, names, strict=True)), b, dict(zip(theirs, names, strict=True)))
    if isinstance(a, np.ndarray | np.generic | jax.Array):
        x, y = np.asarray(a), np.asarray(b)
        return x.dtype == y.dtype and x.shape == y.shape and x.tobytes() == y.tobytes()
    if isinstance(a, float):
        return np.float64(a).tobytes() == np.float64(b).tobytes()
    return bool(a == b)
