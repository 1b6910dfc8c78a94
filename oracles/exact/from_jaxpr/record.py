"""Records a JAX function: traces it to a jaxpr and writes that, equation by equation, as a program.

What is recorded is the forward: a `custom_jvp` or `custom_vjp` rule is never followed. Loops are unrolled
and branches decided by balls, each with a guard. Functions of JAX's libraries that are coded as
approximations are their mathematical definition.

To add a primitive, add one entry to the table it belongs to: `rules.py` (elementwise),
`array_rules.py`, `indexing.py`, `windows.py`, `linear_algebra.py`, `control.py`
(what contains jaxprs), or `definitions.py` (library functions known by name).
"""

from __future__ import annotations

import os
import traceback
from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np
from jax.extend.core import ClosedJaxpr, Literal

from oracles.exact.edges import declare_edges
from oracles.exact.errors import Unsupported
from oracles.exact.from_jaxpr.array_rules import REDUCTIONS, SHAPES
from oracles.exact.from_jaxpr.control import CONTROL
from oracles.exact.from_jaxpr.definitions import definition
from oracles.exact.from_jaxpr.indexing import INDEXING
from oracles.exact.from_jaxpr.linear_algebra import LINEAR_ALGEBRA
from oracles.exact.from_jaxpr.rules import ELEMENTWISE, Call, Rule, constant
from oracles.exact.from_jaxpr.windows import WINDOWS
from oracles.exact.program import FLOATS, Var
from oracles.exact.recording import Recorder, Recording

RULES: dict[str, Rule] = {
    **ELEMENTWISE,
    **SHAPES,
    **REDUCTIONS,
    **INDEXING,
    **WINDOWS,
    **LINEAR_ALGEBRA,
    **CONTROL,
}
_JAX, _HERE = os.path.dirname(jax.__file__), os.path.dirname(os.path.dirname(__file__))


def record(function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Recording:
    """The function at these arguments.

    Floating leaves of `args` (arrays and Python numbers) are inputs; everything else is passed on as it is.
    It is traced in 64 bits if an array is float64 or none is floating, else in 32 bits, as JAX would run it.
    """
    leaves, tree = jax.tree.flatten(args)
    moving = [i for i, leaf in enumerate(leaves) if is_floating(leaf)]

    def of_moving(*values: Any) -> Any:
        whole = list(leaves)
        for i, value in zip(moving, values, strict=True):
            whole[i] = value
        return function(*jax.tree.unflatten(tree, whole), **kwargs)

    with jax.enable_x64(_is_wide(leaves + jax.tree.leaves(kwargs))):
        jaxpr = _trace(of_moving, [leaves[i] for i in moving])
    recorder = Recorder()
    inputs = [
        recorder.input_at(leaves[i], _dtype(v.aval)) for i, v in zip(moving, jaxpr.jaxpr.invars, strict=True)
    ]
    outputs = declare_edges(recorder, interpret(recorder, jaxpr, inputs))
    owner = np.repeat(np.arange(len(args)), [len(jax.tree.leaves(a)) for a in args])

    def rebuild(k: int, values: list[Any]) -> Any:
        waiting = iter(values)
        return jax.tree.map(lambda leaf: next(waiting) if is_floating(leaf) else None, args[k])

    return Recording(
        recorder.program(outputs), tuple(recorder.values), tuple(int(owner[i]) for i in moving), rebuild
    )


def is_floating(leaf: Any) -> bool:
    """Whether a leaf of the arguments is differentiated: a real floating array or number."""
    return isinstance(leaf, float) or str(getattr(leaf, "dtype", "")) in FLOATS


def _is_wide(leaves: Sequence[Any]) -> bool:
    floating = {str(leaf.dtype) for leaf in leaves if hasattr(leaf, "dtype") and is_floating(leaf)}
    return not floating or "float64" in floating


def _trace(function: Callable[..., Any], values: Sequence[Any]) -> ClosedJaxpr:
    try:
        return jax.make_jaxpr(function)(*values)
    except (
        jax.errors.ConcretizationTypeError,
        jax.errors.TracerArrayConversionError,
        jax.errors.TracerIntegerConversionError,
        jax.errors.NonConcreteBooleanIndexError,
    ) as error:
        places = [(f.filename, f.lineno) for f in traceback.extract_tb(error.__traceback__)]
        raise Unsupported(
            f"the function needs numbers while it is traced{_at(places[::-1])}: a Python `if` or `float()` "
            "on a traced value, or NumPy or compiled code. Use jnp.where, lax.cond, jax.numpy. JAX says: "
            + str(error).split("\n")[0]
        ) from error


def _at(places: Sequence[tuple[str, int | None]]) -> str:
    """The innermost place that is neither JAX's nor ours, " (at file:line)"."""
    users = (p for p in places if not p[0].startswith((_JAX, _HERE)))
    return next((f" (at {name}:{line})" for name, line in users), "")


def interpret(recorder: Recorder, closed: ClosedJaxpr, operands: Sequence[Var]) -> list[Var]:
    """Write the equations of a jaxpr; the values of its outputs."""
    jaxpr = closed.jaxpr
    values: dict[Any, Var] = dict(zip(jaxpr.invars, operands, strict=True))
    for v, number in zip(jaxpr.constvars, closed.consts, strict=True):
        values[v] = constant(recorder, number, _dtype(v.aval))

    def read(atom: Any) -> Var:
        if isinstance(atom, Literal):
            return constant(recorder, atom.val, _dtype(atom.aval))
        return values[atom]

    for equation in jaxpr.eqns:
        found = _apply(recorder, equation, [read(atom) for atom in equation.invars])
        values.update(zip(equation.outvars, found, strict=True))
    return [read(atom) for atom in jaxpr.outvars]


def _apply(recorder: Recorder, equation: Any, operands: list[Var]) -> Sequence[Var]:
    try:
        rule = _rule(equation)
        first = equation.outvars[0].aval if equation.outvars else None
        shape = getattr(first, "shape", ())
        call = Call(recorder, equation.params, shape, _dtype(first), equation.outvars, interpret)
        found = rule(call, *operands)
    except Unsupported as reason:
        if " (at " in str(reason) or (trace := equation.source_info.traceback) is None:
            raise
        places = [(f.file_name, f.line_num) for f in trace.frames]
        raise Unsupported(f"{reason}{_at(places)}") from None
    return (found,) if isinstance(found, Var) else found


def _rule(equation: Any) -> Rule:
    name = equation.primitive.name
    for v in equation.outvars:
        if (kind := _dtype(v.aval)).startswith("complex"):
            raise Unsupported(f"JAX's {name} on complex numbers: not yet")
        if "float" in kind and kind not in FLOATS:
            raise Unsupported(f"JAX's {name} in {kind}: use one of {', '.join(sorted(FLOATS))}")
    rule = definition(equation) or RULES.get(name)
    if rule is None:
        raise Unsupported(_missing(name))
    return rule


def _missing(name: str) -> str:
    if name.startswith(("random_", "threefry", "rng_")):
        return f"{name}: the function draws random numbers; draw them outside and pass them as an argument"
    if "callback" in name or "ffi" in name or "pallas" in name:
        return f"{name}: the function calls compiled or Python code that JAX does not see; write it in JAX"
    return f"JAX's primitive {name} has no rule; add one entry, see oracles/exact/from_jaxpr.py"


def _dtype(aval: Any) -> str:
    return str(getattr(aval, "dtype", ""))
