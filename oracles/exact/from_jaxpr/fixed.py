"""What a jaxpr makes of constants alone, and on which side of a step it lies.

0.7 * 10 rounds to 7 in float32, and its floor is 7 there; of the exact product it is 6. What is
differentiated is no part of it, so the code means what it computes: NumPy, which computes constants at once,
has nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache, partial
from typing import Any

import jax
import numpy as np
from jax.extend.core import ClosedJaxpr, Literal, jaxpr_as_fun

from oracles.exact.from_jaxpr.call import constant
from oracles.exact.from_jaxpr.rules.control import CONTROL
from oracles.exact.from_jaxpr.tracing import x64_for
from oracles.exact.program.program import Var
from oracles.exact.program.recording import Recorder

STEPS = frozenset({"floor", "ceil", "round", "sign", "rem"})
FUNCTIONS = frozenset({"remainder", "fmod", "floor_divide", "trunc", "fix", "round", "sign"})  # of jax.numpy


class Fixed:
    """The constants of a jaxpr and what it makes of them, run where a step asks for the numbers."""

    def __init__(self) -> None:
        self._runs: dict[Var, Callable[[], Any]] = {}

    def constant(self, var: Any, value: Any) -> None:
        """A constant with the number that the run has."""
        if isinstance(var, Var):
            self._runs.setdefault(var, lambda: value)

    def stepped(
        self, recorder: Recorder, jaxpr: Any, equation: Any, operands: Sequence[Any], found: Sequence[Any]
    ) -> Sequence[Any]:
        """What was found of an equation; of one that steps, of constants alone, what it gives as it runs.

        What rules move by themselves, as the rows of a scan, is not known here.
        """
        if not operands or not all(isinstance(v, Var) and v in self._runs for v in operands):
            return found
        run = cache(partial(_run, jaxpr, equation, [self._runs[v] for v in operands]))
        if _steps(equation):
            pairs = zip(found, run(), strict=True)
            found = [constant(recorder, n, v.dtype) if isinstance(v, Var) else v for v, n in pairs]
        for k, v in enumerate(found):
            if isinstance(v, Var):
                self._runs.setdefault(v, partial(_one_of, run, k))
        return found


def _steps(equation: Any) -> bool:
    """Whether rounding decides a result: a step's, or which integer a floating number becomes."""
    name = equation.primitive.name
    if name in STEPS or (name in {"jit", "pjit"} and equation.params.get("name") in FUNCTIONS):
        return True
    takes, gives = ([v.aval.dtype for v in own] for own in (equation.invars, equation.outvars))
    return name not in CONTROL and any(map(_is_float, takes)) and all(map(_is_discrete, gives))


def _is_float(dtype: Any) -> bool:
    return bool(jax.numpy.issubdtype(dtype, np.floating))


def _is_discrete(dtype: Any) -> bool:
    return bool(jax.numpy.issubdtype(dtype, np.integer) or jax.numpy.issubdtype(dtype, np.bool_))


def _run(jaxpr: Any, equation: Any, operands: Sequence[Callable[[], Any]]) -> Sequence[Any]:
    """The numbers of an equation's outputs, for those of its operands."""
    reads = {v: x for v, x in zip(equation.invars, operands, strict=True) if not isinstance(v, Literal)}
    names = jaxpr.debug_info.with_unknown_names()
    ins, outs = list(reads), list(equation.outvars)
    alone = jaxpr.replace(constvars=[], invars=ins, outvars=outs, eqns=[equation], debug_info=names)
    with x64_for(True):
        given = [jax.numpy.asarray(x(), v.aval.dtype) for v, x in reads.items()]
        return list(map(np.asarray, jaxpr_as_fun(ClosedJaxpr(alone, ()))(*given)))


def _one_of(run: Callable[[], Sequence[Any]], place: int) -> Any:
    return run()[place]
