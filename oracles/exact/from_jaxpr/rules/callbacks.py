"""Callbacks: the NumPy code that a jaxpr calls is recorded where it stands.

Of other code, compiled say, only whole numbers of values that are held fixed are taken, as a matching has
them: they have no derivative, and what they are at this point is computed by the code itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import numpy as np

from oracles.exact.from_jaxpr.call import Eqn, Rule
from oracles.exact.from_numpy.called import called
from oracles.exact.program.complex import Complex
from oracles.exact.program.errors import ExactError, Opaque, Undecided, Unsupported, first_line
from oracles.exact.program.program import Var

CALLS = 4
"""What is drawn anew each time from a few is seldom the same four times."""


def _pure_callback(call: Eqn, *operands: Any) -> list[Var]:
    """Its derivative is that of the code, whatever rule is declared around it.

    Raises:
        Opaque: The code is not NumPy's alone, and not whole numbers of fixed values; or of complex numbers.
        Undecided: A branch in it is not certain at this point.
    """
    callback = call.params["callback"]
    if any(isinstance(v, Complex) for v in operands):
        raise Opaque("pure_callback of complex numbers: not yet")
    decided = len(call.recorder.guards)
    try:
        found = called(call.recorder, callback, operands, callback.callback_func)
    except Undecided:
        raise
    except Exception as error:
        del call.recorder.guards[decided:]  # of what was not recorded
        if (known := _at_point(call, operands)) is not None:
            return known
        if isinstance(error, Unsupported):
            raise Opaque(f"pure_callback: {error}", line=error.line) from None
        if isinstance(error, ExactError):
            raise
        raise Opaque(
            f"pure_callback: compiled or other code that is no NumPy: {first_line(error)}"
        ) from error
    avals = [v.aval for v in call.outvars]
    for aval, var in zip(avals, found, strict=True):
        if (var.shape, var.dtype) != (aval.shape, str(aval.dtype)):
            declared = f"{aval.dtype} {aval.shape}"
            raise Opaque(f"pure_callback: the code gives {var.dtype} {var.shape}; declared is {declared}")
    return found


def _at_point(call: Eqn, operands: Sequence[Var]) -> list[Var] | None:
    """The whole numbers that the code gives at this point, where it is called as JAX calls it.

    None where they are no whole numbers, or others each time, or may move with the operands: these are held
    fixed, or it is what runs that is recorded.
    """
    recorder, avals = call.recorder, [v.aval for v in call.outvars]
    whole = all(np.dtype(aval.dtype).kind in "iub" for aval in avals)
    if not whole or not (call.tested or not any(map(recorder.depends, operands))):
        return None
    given = [recorder.about(v) if v.is_float else recorder.decide(v) for v in operands]
    arrays = [jax.numpy.asarray(x.astype(v.dtype)) for x, v in zip(given, operands, strict=True)]
    try:
        found, *again = (list(map(np.asarray, call.params["callback"](*arrays))) for _ in range(CALLS))
    except Exception:  # the user's, which had an error before
        return None
    if not all(all(map(np.array_equal, found, others)) for others in again):
        return None
    return [recorder.constant(x.astype(aval.dtype)) for x, aval in zip(found, avals, strict=True)]


CALLBACKS: dict[str, Rule] = {"pure_callback": _pure_callback}
