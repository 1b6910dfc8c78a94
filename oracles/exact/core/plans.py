"""The plans that were made: one serves every program of the same structure.

The structure is all that a plan is made from: shapes, dtypes, primitives with their parameters, constants,
what goes where, and the calls that equations belong to. The numbers of the inputs are no part of it.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from hashlib import blake2b
from itertools import count
from typing import Any, TypeVar

import numpy as np

from oracles.exact.core import library
from oracles.exact.core.plan import Plan
from oracles.exact.core.rules import rule
from oracles.exact.program.balls import in_integers
from oracles.exact.program.program import Program, Var

MOST = 128  # plans that are kept
PLAIN = (str, bool, int, float, type(None))  # parameters that are written like no other ones
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


def structure(program: Program) -> bytes:
    """The same for programs that one plan serves.

    It is a digest of all that the plan is made from, written out: a nested tuple for each plan that is kept
    would be thousands of objects, through which every collection of garbage goes.
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
        whole = (
            [(v.shape, v.dtype) for v in program.inputs],
            equations,
            [number[v] for v in program.outputs],
            [(number[v], _plain(expected)) for v, expected in program.guards],
        )
        own["structure"] = blake2b(repr(whole).encode(), digest_size=32).digest()
    return own["structure"]  # type: ignore[no-any-return]


def _plain(value: Any) -> Any:
    """A parameter as what is written like no other one; a number of its own where that is not known."""
    if isinstance(value, tuple):
        return value if set(map(type, value)) <= {int} else tuple(map(_plain, value))
    if not isinstance(value, np.ndarray):
        return value if isinstance(value, PLAIN) else ("unknown", next(_unknown))
    if value.dtype == object:
        return value.shape, [in_integers(ball) for ball in value.ravel().tolist()]
    return value.shape, str(value.dtype), blake2b(value.tobytes(), digest_size=32).digest()
