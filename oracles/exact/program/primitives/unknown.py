"""Numbers of which nothing is known: a program that needs them is refused where it is made."""

from __future__ import annotations

from typing import NoReturn

from oracles.exact.program.derive import Tangents
from oracles.exact.program.errors import Opaque
from oracles.exact.program.program import Array, Equation, Primitive, Shape, Var


def anew(reason: Opaque) -> Opaque:
    """The same once more, where it is raised."""
    return Opaque(*reason.args, line=reason.line)


def _unknown(*operands: Array, reason: Opaque, asked: list[Opaque], part: int) -> NoReturn:
    asked.append(reason)  # the user's code, which asks, may catch what is raised
    raise anew(reason)


def _unknown_jvp(equation: Equation, tangents: Tangents) -> NoReturn:
    raise anew(equation.params["reason"])


unknown_ = Primitive("unknown", _unknown, _unknown_jvp)


def unknown(
    operands: tuple[Var, ...], shape: Shape, dtype: str, reason: Opaque, asked: list[Opaque], part: int
) -> Var:
    """The numbers of this part of what is computed from the operands, which are not known for this reason."""
    builder = operands[0].builder
    return builder.emit(unknown_, operands, shape, dtype, reason=reason, asked=asked, part=part)
