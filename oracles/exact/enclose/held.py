"""A function with what is held constant as inputs: a derivative does not move it."""

from __future__ import annotations

from collections.abc import Sequence

from oracles.exact.enclose.evaluate import evaluate
from oracles.exact.program.primitives.arithmetic import detach_, no_grad_
from oracles.exact.program.program import Array, Program


def held(
    function: Program, values: Sequence[Array], bits: int, forward: bool = False
) -> tuple[Program, list[Array]]:
    """The function and its inputs' numbers, then those of what is detached, as balls of so many bits.

    `forward`: as forward mode has it, which does not see torch's `no_grad`.

    Raises:
        Undecided: What is detached has no value at this precision.
    """
    holding = (detach_,) if forward else (detach_, no_grad_)
    cut = tuple(e.output for e in function.equations if e.primitive in holding)
    if not cut:
        return function, list(values)
    rest = [e for e in function.equations if e.output not in set(cut)]
    giving_them = Program(function.inputs, function.equations, cut).giving(slice(None))
    whole = Program((*function.inputs, *cut), rest, function.outputs, function.guards)
    return whole.giving(slice(None)), [*values, *evaluate(giving_them, values, bits)]
