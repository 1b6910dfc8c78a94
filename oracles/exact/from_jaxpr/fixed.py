"""What a jaxpr makes of constants alone, and on which side of a step it lies.

0.7 * 10 rounds to 7 in float32, and its floor is 7 there; of the exact product it is 6. What is
differentiated is no part of it, so the code means what it computes: NumPy, which computes constants at once,
has nothing else. What is drawn from a known key is what JAX draws.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache, partial
from typing import Any

import jax
import numpy as np
from jax.extend.core import ClosedJaxpr, Literal, jaxpr_as_fun

from oracles.exact.from_jaxpr.call import constant, constant_of_any
from oracles.exact.from_jaxpr.draws import draws, is_followed, unknown
from oracles.exact.from_jaxpr.keys import Key, is_key
from oracles.exact.from_jaxpr.rules.control import CONTROL
from oracles.exact.from_jaxpr.tracing import x64_for
from oracles.exact.program.program import Var
from oracles.exact.program.recording import Recorder

MOVES = frozenset({"broadcast", "reshape", "permute", "take", "concatenate"})
STEPS = frozenset({"floor", "ceil", "round", "sign", "rem", "nextafter"})
FUNCTIONS = frozenset({"remainder", "fmod", "floor_divide", "trunc", "fix", "round", "sign"})  # of jax.numpy


Run = Callable[[], Any]  # gives the numbers


class Fixed:
    """The constants of a jaxpr and what it makes of them, run where a step asks for the numbers."""

    def __init__(self) -> None:
        self._runs: dict[Var, Run | None] = {}  # None of what moves with an input

    def constant(self, var: Any, value: Any) -> None:
        """A constant with the number that the run has."""
        if isinstance(var, Var):
            self._runs.setdefault(var, lambda: value)

    def stepped(
        self, recorder: Recorder, jaxpr: Any, equation: Any, operands: Sequence[Any], found: Sequence[Any]
    ) -> Sequence[Any]:
        """What was found of an equation; of one that steps, of constants alone, what it gives as it runs."""
        runs = [self._run_of(recorder, v) for v in operands]
        known = [run for run in runs if run is not None]
        if not known or len(known) < len(runs):
            return found
        run = cache(partial(_run, jaxpr, equation, known))
        if _steps(equation):
            pairs = zip(found, run(), strict=True)
            found = [constant(recorder, n, v.dtype) if isinstance(v, Var) else v for v, n in pairs]
        for k, v in enumerate(found):
            if isinstance(v, Var):
                self._runs[v] = self._runs.get(v) or partial(_one_of, run, k)
        return found

    def drawn(
        self, recorder: Recorder, jaxpr: Any, equation: Any, operands: Sequence[Any]
    ) -> list[Any] | None:
        """What an equation makes of known keys; None of one that does not, or that is followed.

        Raises:
            Unsupported: Its key, or a number that it needs, is not known.
        """
        if not draws(equation):
            return None
        found = self.run(recorder, jaxpr, equation, operands)
        if found is None and not is_followed(equation):
            raise unknown(equation)
        return found

    def run(self, recorder: Recorder, jaxpr: Any, equation: Any, operands: Sequence[Any]) -> list[Any] | None:
        """What an equation gives as it runs, of constants alone; None where it has others."""
        runs = [self._run_of(recorder, v) for v in operands]
        known = [run for run in runs if run is not None]
        if len(known) < len(runs):
            return None
        numbers = _run(jaxpr, equation, known)
        found = [
            constant_of_any(recorder, n, str(v.aval.dtype))
            for n, v in zip(numbers, equation.outvars, strict=True)
        ]
        for v, number in zip(found, numbers, strict=True):
            self.constant(v, number)
        return found

    def _run_of(self, recorder: Recorder, v: Any) -> Run | None:
        """What gives the numbers of a constant, or of what a rule has moved of some; None of all else."""
        if isinstance(v, Key):
            return lambda: v.value
        if isinstance(v, Var) and v not in self._runs:
            self._runs[v] = self._moved(recorder, v)
        return self._runs.get(v)

    def _moved(self, recorder: Recorder, v: Var) -> Run | None:
        if (number := recorder.known(v)) is not None:
            return lambda: number
        made = recorder.definitions.get(v)
        if made is None or made.primitive.name not in MOVES:
            return None
        runs = [self._run_of(recorder, operand) for operand in made.operands]
        if None in runs:
            return None
        return lambda: made.primitive.evaluate(*(np.asarray(run()) for run in runs if run), **made.params)


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


def _run(jaxpr: Any, equation: Any, operands: Sequence[Run]) -> Sequence[Any]:
    """The numbers of an equation's outputs, for those of its operands."""
    reads = {v: x for v, x in zip(equation.invars, operands, strict=True) if not isinstance(v, Literal)}
    names = jaxpr.debug_info.with_unknown_names()
    ins, outs = list(reads), list(equation.outvars)
    alone = jaxpr.replace(constvars=[], invars=ins, outvars=outs, eqns=[equation], debug_info=names)
    with x64_for(True):
        given = [x() if is_key(v.aval) else jax.numpy.asarray(x(), v.aval.dtype) for v, x in reads.items()]
        found = jaxpr_as_fun(ClosedJaxpr(alone, ()))(*given)
        return [x if is_key(x) else np.asarray(x) for x in found]


def _one_of(run: Callable[[], Sequence[Any]], place: int) -> Any:
    return run()[place]
