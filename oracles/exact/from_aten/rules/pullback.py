"""The transposed derivative of a rule, written into the program that is being recorded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from oracles.exact.from_aten.call import OperatorCall, Rule
from oracles.exact.from_aten.rules import (
    convolutions,
    elementwise,
    losses,
    moving,
    networks,
    reductions,
    sampling,
)
from oracles.exact.program.derive import vjp
from oracles.exact.program.program import Array, Builder, Program, Var
from oracles.exact.program.recording import Recorder


def pulled(
    call: OperatorCall,
    forward: str,
    gradient: Var,
    operands: Sequence[Any],
    wrt: Sequence[int] = (0,),
    **kwargs: Any,
) -> list[Var]:
    """What the gradient of the result of an operator's rule gives the operands in `wrt`."""
    outer: list[Var] = []
    inner = _Inner(call.recorder, outer)

    def inside(operand: Any) -> Any:
        if not isinstance(operand, Var):
            return operand
        known = call.recorder.known(operand)
        if known is not None:
            return inner.constant(known, operand.dtype)
        outer.append(operand)
        return inner.input(operand.shape, operand.dtype)

    own, named = [inside(v) for v in operands], {k: inside(v) for k, v in kwargs.items()}
    func = getattr(torch.ops.aten, forward).default
    found = FORWARD[forward](OperatorCall(inner, func, (), {}, [call.given[0]]), *own, **named)
    out = found[0] if isinstance(found, (tuple, list)) else found
    call.recorder.looked |= inner.looked
    program = vjp(inner.program([out]), [inner.inputs.index(own[i]) for i in wrt])
    return inlined(call.recorder, program, [*outer, gradient])


FORWARD: dict[str, Rule] = {}
for _kind in (elementwise, moving, reductions, convolutions, sampling, networks, losses):
    FORWARD |= _kind.RULES


class _Inner(Recorder):
    """A program inside another one, which decides for it."""

    is_inner = True

    def __init__(self, around: Recorder, operands: list[Var]) -> None:
        super().__init__()
        self.around, self.operands = around, operands

    def decide(self, var: Var) -> Array:
        """The value of an integer or boolean, in the program around."""
        known = self.known(var)
        if known is not None:
            return known
        return self.around.decide(*inlined(self.around, self.program([var]), self.operands))


def inlined(builder: Builder, program: Program, operands: Sequence[Var]) -> list[Var]:
    """The outputs of a program, written once more into a builder."""
    values = dict(zip(program.inputs, operands, strict=True))
    for equation in program.equations:
        out, own = equation.output, tuple(values[v] for v in equation.operands)
        values[out] = builder.emit(equation.primitive, own, out.shape, out.dtype, **equation.params)
    return [values[v] for v in program.outputs]
