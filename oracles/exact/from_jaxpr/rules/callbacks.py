"""Callbacks: the NumPy code that a jaxpr calls is recorded where it stands."""

from __future__ import annotations

from typing import Any

from oracles.exact.from_jaxpr.call import Eqn, Rule
from oracles.exact.from_numpy.called import called
from oracles.exact.program.complex import Complex
from oracles.exact.program.errors import ExactError, Opaque, Unsupported, first_line
from oracles.exact.program.program import Var


def _pure_callback(call: Eqn, *operands: Any) -> list[Var]:
    """Its derivative is that of the code, whatever rule is declared around it.

    Raises:
        Opaque: The code is not NumPy's alone, or of complex numbers.
        Undecided: A branch in it is not certain at this point.
    """
    callback = call.params["callback"]
    if any(isinstance(v, Complex) for v in operands):
        raise Opaque("pure_callback of complex numbers: not yet")
    try:
        found = called(call.recorder, callback, operands, callback.callback_func)
    except Unsupported as error:
        raise Opaque(f"pure_callback: {error}", line=error.line) from None
    except ExactError:
        raise
    except Exception as error:
        raise Opaque(
            f"pure_callback: compiled or other code that is no NumPy: {first_line(error)}"
        ) from error
    avals = [v.aval for v in call.outvars]
    for aval, var in zip(avals, found, strict=True):
        if (var.shape, var.dtype) != (aval.shape, str(aval.dtype)):
            declared = f"{aval.dtype} {aval.shape}"
            raise Opaque(f"pure_callback: the code gives {var.dtype} {var.shape}; declared is {declared}")
    return found


CALLBACKS: dict[str, Rule] = {"pure_callback": _pure_callback}
