"""Random numbers: what was drawn, since every run begins with the same state of the generators.

Autograd knows no derivative by what they are drawn from. A probability gives steps, which have none; where
a mean or a rate moves, a constant would be a silent zero.
"""

from __future__ import annotations

from typing import Any

from oracles.exact.from_aten.call import OperatorCall, Rule
from oracles.exact.from_aten.memory import numbers
from oracles.exact.program.complex import Complex
from oracles.exact.program.errors import Unsupported
from oracles.exact.program.program import Var


def _drawn(call: OperatorCall, *_: Any, **__: Any) -> Var | Complex:
    """Numbers that depend on nothing but the generator, or by steps alone."""
    return call.constant(numbers(call.results[0]))


def _drawn_by(call: OperatorCall, *operands: Any, **named: Any) -> Var | Complex:
    """Numbers that move with what they are drawn by.

    Raises:
        Unsupported: That is differentiated.
    """
    given = [x for x in (*operands, *named.values()) if isinstance(x, Var)]
    if any(x.is_float and call.recorder.depends(x) for x in given):
        raise Unsupported(
            "random numbers that are drawn by what is differentiated, for which torch gives a gradient of 0; "
            "draw them from fixed numbers, then scale and shift: mean + deviation * torch.randn_like(mean)"
        )
    return _drawn(call)


FREE = """
    rand rand_like randn randn_like randint randint_like randperm uniform exponential cauchy log_normal
    geometric random normal.float_float bernoulli.float bernoulli bernoulli.p multinomial
"""
RULES: dict[str, Rule] = {
    **dict.fromkeys(FREE.split(), _drawn),
    "normal": _drawn,  # in place, of two numbers
    **dict.fromkeys(
        ("normal.Tensor_float", "normal.float_Tensor", "normal.Tensor_Tensor", "poisson"), _drawn_by
    ),
}
