"""The plans that were made: one serves every program of the same structure.

The structure is all that a plan is made from: shapes, dtypes, primitives with their parameters, constants,
what goes where, and the calls that equations belong to. The numbers of the inputs are no part of it.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Callable, Hashable
from itertools import count
from typing import Any, TypeVar

import numpy as np

from oracles.exact.core import library
from oracles.exact.core.plan import Plan
from oracles.exact.core.rules import rule
from oracles.exact.program.balls import in_integers
from oracles.exact.program.program import Program, Var

MOST = 128  # plans that are kept
PLAIN = (str, bool, int, float, type(None))  # parameters that compare as they are written
NONE = object()
_unknown = count()
P = TypeVar("P")
_made: OrderedDict[Hashable, Any] = OrderedDict()


def planned(program: Program) -> Plan | None:
    """The plan of a program; None where the core cannot be used."""
    return once("exact", program, lambda: Plan(program, rule))


def once(kind: Hashable, program: Program, make: Callable[[], P]) -> P | None:
    """What `make` gives for a program, made once for each structure; None where the core cannot be used."""
    if library.problem():
        return None
    own = vars(program).setdefault("plans", {})
    if kind not in own:
        key = (kind, structure(program))
        found = _made.pop(key, NONE)  # whatever other threads do between, it is whole
        own[kind] = _made[key] = make() if found is NONE else found
        while len(_made) > MOST:
            _made.popitem(last=False)
    return own[kind]  # type: ignore[no-any-return]


def structure(program: Program) -> Hashable:
    """The same for programs that one plan serves.

    It is made of tuples, numbers and strings alone: plans are kept, and no garbage is looked for in these.
    """
    own = vars(program)
    if "structure" not in own:
        number: dict[Var, int] = {}
        for v in program.inputs:
            number[v] = len(number)
        equations = []
        for e in program.equations:
            operands = tuple([number[v] for v in e.operands])
            number[e.output] = len(number)
            call = (e.origin.operation, e.origin.call, e.origin.library) if e.origin else None
            params = tuple([(name, _plain(value)) for name, value in e.params.items()])
            equations.append((e.primitive.name, operands, params, e.output.shape, e.output.dtype, call))
        own["structure"] = (
            tuple((v.shape, v.dtype) for v in program.inputs),
            tuple(equations),
            tuple(number[v] for v in program.outputs),
            tuple((number[v], _plain(expected)) for v, expected in program.guards),
        )
    return own["structure"]  # type: ignore[no-any-return]


def are_one(one: Program, other: Program) -> bool:
    """Whether two programs are the same equations, in whichever order, and whichever calls they belong to."""
    numbers: dict[Hashable, int] = {}

    def read(program: Program) -> tuple[Any, ...]:
        number = {
            v: numbers.setdefault((k, v.shape, v.dtype), len(numbers)) for k, v in enumerate(program.inputs)
        }
        for e in program.equations:
            params = tuple([(name, _plain(value)) for name, value in e.params.items()])
            operands = tuple([number[v] for v in e.operands])
            key = e.primitive.name, operands, params, e.output.shape, e.output.dtype
            number[e.output] = numbers.setdefault(key, len(numbers))
        guards = Counter((number[v], _plain(expected)) for v, expected in program.guards)
        return Counter(number.values()), [number[v] for v in program.outputs], guards

    return read(one) == read(other)


def _plain(value: Any) -> Hashable:
    """A parameter as what compares; like no other where that is not known."""
    if isinstance(value, tuple):
        return value if set(map(type, value)) <= {int} else ("tuple", *map(_plain, value))
    if not isinstance(value, np.ndarray):
        return (
            (type(value).__name__, repr(value)) if isinstance(value, PLAIN) else ("unknown", next(_unknown))
        )
    if value.dtype == object:
        return value.shape, tuple(in_integers(ball) for ball in value.ravel().tolist())
    return value.shape, value.dtype.num, value.dtype.isnative, value.tobytes()
