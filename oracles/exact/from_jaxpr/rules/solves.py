"""custom_linear_solve: a solve with the matrix of its `matvec`, whatever algorithm is coded.

But in a gradient under test, what the caller codes without a loop, and what is no solution, is what it is.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
from jax.extend.core import ClosedJaxpr, jaxpr_as_fun
from jax.extend.core import Var as JaxVar

from oracles.exact.enclose.evaluate import evaluate
from oracles.exact.from_jaxpr.call import Eqn, constant_of_any
from oracles.exact.from_jaxpr.keys import aval_of
from oracles.exact.from_jaxpr.lines import is_in_library
from oracles.exact.from_jaxpr.tracing import WIDE, x64_for
from oracles.exact.program.complex import Complex, each_part, vars_of
from oracles.exact.program.complex_arrays import solve as solve_complex
from oracles.exact.program.errors import ExactError, Unsupported
from oracles.exact.program.primitives import detach
from oracles.exact.program.primitives.arrays import concatenate, permute, reshape
from oracles.exact.program.primitives.linear_algebra import solve, transpose
from oracles.exact.program.program import SYMMETRIC, Var
from oracles.exact.program.recording import Recorder

BITS = 128
LOOPS = frozenset({"while", "scan"})


def linear_solve(call: Eqn, *operands: Var) -> Sequence[Var]:
    """The x of matvec(x) = b; under test what the caller's own algorithm gives that does not solve it.

    What the algorithm says beside it (`has_aux`) is what it says, and is not differentiated, as JAX has it.
    """
    lengths, matvec = call.params["const_lengths"], call.params["jaxprs"].matvec
    if call.params["jaxprs"].vecmat is matvec and (origin := call.recorder.origin):
        call.recorder.calls(origin.operation + SYMMETRIC, origin.place)
    right, consts = operands[sum(lengths) :], operands[: lengths.matvec]
    product = _product(matvec) if len(right) == 1 else None
    xs = [_divided(right[0], consts, product)] if product else _by_columns(call, consts, right)
    return [*(_no_solution(call, operands, xs) or xs), *_said_beside(call, operands, len(right))]


class Product(NamedTuple):
    """A matrix that multiplies an array along one axis, as `jnp.linalg.solve` has it.

    Attributes:
        number: Which of the constants the matrix is.
        axes: Its own axes as (batch, rows, columns).
        order: Those of the array as (batch, multiplied, others).
        batch: How many are of the batch.
    """

    number: int
    axes: tuple[int, ...]
    order: tuple[int, ...]
    batch: int


def _product(matvec: ClosedJaxpr) -> Product | None:
    """How `matvec` multiplies its argument, if by one of its constants and along one axis; else None."""
    jaxpr, found = matvec.jaxpr, None
    (*given, x), (y,) = jaxpr.invars, jaxpr.outvars
    places = {x: tuple(range(x.aval.ndim))}  # of what depends on it, which axis of x each of its axes is
    for e in jaxpr.eqns:
        moving = [k for k, v in enumerate(e.invars) if isinstance(v, JaxVar) and v in places]
        if len(moving) != 1:
            return None
        (k,), name = moving, e.primitive.name
        own = places[e.invars[k]]
        if name == "transpose":
            places[e.outvars[0]] = tuple(own[axis] for axis in e.params["permutation"])
        elif name == "reduce_sum" and not e.params["axes"]:
            places[e.outvars[0]] = own
        elif name == "dot_general" and found is None and e.invars[1 - k] in given:
            contracted, batch = ((pair[1 - k], pair[k]) for pair in e.params["dimension_numbers"])
            rows = [a for a in range(e.invars[1 - k].aval.ndim) if a not in (*contracted[0], *batch[0])]
            if len(rows) != 1 or len(contracted[1]) != 1:
                return None
            along, both = own[contracted[1][0]], tuple(own[a] for a in batch[1])
            others = tuple(a for a in own if a != along and a not in both)
            places[e.outvars[0]] = both + ((along, *others) if k else (*others, along))
            axes = (*batch[0], *rows, *contracted[0])
            found = Product(given.index(e.invars[1 - k]), axes, (*both, along, *others), len(both))
        else:
            return None
    return found if isinstance(y, JaxVar) and places.get(y) == places[x] else None


def _divided(b: Any, consts: Sequence[Any], product: Product) -> Any:
    """The x of which this product is b: a solve with its matrix, a column for each of the other places."""
    order, batch = product.order, product.batch
    moved = tuple(b.shape[a] for a in order)
    rows, columns = moved[: batch + 1], math.prod(moved[batch + 1 :])
    matrix = each_part(lambda v: permute(v, product.axes), consts[product.number])
    right = each_part(lambda v: reshape(permute(v, order), (*rows, columns)), b)
    solved = _solve(matrix, right)
    back = tuple(int(k) for k in np.argsort(order))
    return each_part(lambda v: permute(reshape(v, moved), back), solved)


def _by_columns(call: Eqn, consts: Sequence[Var], right: Sequence[Var]) -> list[Var]:
    """By the matrix of all numbers together, a column for each: what `matvec` makes of its unit."""
    matvec = call.params["jaxprs"].matvec
    if len({b.dtype for b in right}) != 1:
        raise Unsupported("custom_linear_solve for several arrays of different dtypes: not yet")
    dtype, sizes = right[0].dtype, [b.size for b in right]
    size, ends = sum(sizes), np.cumsum(sizes)
    bases = [
        rows.reshape(size, *b.shape)
        for rows, b in zip(np.split(np.eye(size), ends[:-1], 1), right, strict=True)
    ]
    with x64_for(dtype in WIDE):
        columns = jax.make_jaxpr(jax.vmap(jaxpr_as_fun(matvec), (None,) * len(consts) + (0,) * len(right)))(
            *map(aval_of, consts),
            *(basis.astype(dtype) for basis in bases),
        )
    units = [constant_of_any(call.recorder, basis, dtype) for basis in bases]
    found = call.interpret(call.recorder, columns, [*consts, *units])
    matrix = each_part(lambda *vs: transpose(_side_by_side(vs, size)), *found)
    column = each_part(lambda *vs: reshape(_side_by_side(vs, 1), (size, 1)), *right)
    solved = _solve(matrix, column)
    return [
        each_part(lambda v, b=b, n=n: reshape(v[n - b.size : n], b.shape), solved)
        for b, n in zip(right, ends.tolist(), strict=True)
    ]


def _solve(matrix: Any, right: Any) -> Any:
    return (solve_complex if isinstance(right, Complex) else solve)(matrix, right)


def _side_by_side(parts: Sequence[Var], rows: int) -> Var:
    """Arrays with a row for each equation, flattened and joined."""
    return concatenate([reshape(v, (rows, v.size // rows)) for v in parts], 1)


def _said_beside(call: Eqn, operands: Sequence[Var], solved: int) -> list[Var]:
    if len(call.outvars) == solved:
        return []
    return [each_part(detach, y) for y in _by_algorithm(call, operands)[solved:]]


def _by_algorithm(call: Eqn, operands: Sequence[Var]) -> list[Any]:
    """What the algorithm gives as it is coded."""
    lengths, algorithm = call.params["const_lengths"], call.params["jaxprs"].solve
    before, ends = lengths.matvec + lengths.vecmat, sum(lengths)
    given = [*operands[before : before + lengths.solve], *operands[ends:]]
    return call.interpret(call.recorder, algorithm, given)


def _no_solution(call: Eqn, operands: Sequence[Var], xs: Sequence[Any]) -> list[Any] | None:
    """What the caller's algorithm gives where that is far from the solution; None where it is not.

    An iteration comes near to it only, and means it.
    """
    algorithm, recorder = call.params["jaxprs"].solve, call.recorder
    if not call.tested or is_in_library(algorithm.jaxpr) or _iterates(algorithm):
        return None
    decided = len(recorder.guards)
    try:
        found = _by_algorithm(call, operands)[: len(xs)]
        if any(_is_far(recorder, x, y) for x, y in zip(xs, found, strict=True)):
            return found
    except ExactError:
        pass
    del recorder.guards[decided:]  # they were about the algorithm alone
    return None


def _iterates(closed: ClosedJaxpr) -> bool:
    """Whether it has a loop, but for those of JAX's own functions."""
    parts = [part for e in closed.jaxpr.eqns for part in e.params.values() if isinstance(part, ClosedJaxpr)]
    return any(e.primitive.name in LOOPS for e in closed.jaxpr.eqns) or any(
        _iterates(part) for part in parts if not is_in_library(part.jaxpr)
    )


def _is_far(recorder: Recorder, x: Any, y: Any) -> bool:
    """Whether some element is off by a hundredth of the largest one."""
    both = [*vars_of(x), *vars_of(y)]
    balls = evaluate(recorder.program(both), recorder.values, BITS)
    numbers = [np.array(list(map(float, b.ravel().tolist()))) for b in balls]
    own, other = np.concatenate(numbers[: len(both) // 2]), np.concatenate(numbers[len(both) // 2 :])
    return bool(np.any(np.abs(own - other) > np.max(np.abs(own), initial=0.0) / 100))
