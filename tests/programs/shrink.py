"""A failing program, made shorter: fewer results, fewer steps, an earlier value in the place of a later one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from tests.programs.draw import Drawn
from tests.programs.program import Program, Step


def shrunk(drawn: Drawn, fails: Callable[[Drawn], bool], most: int = 100) -> Drawn:
    """The shortest program that was found to fail alike.

    Args:
        drawn: A program that fails.
        fails: Whether another does, in the same way.
        most: How many are tried.
    """
    tried = 0
    while True:
        for program in _shorter(drawn.program):
            tried += 1
            other = replace(drawn, program=program)
            if tried > most:
                return drawn
            if fails(other):
                drawn = other
                break
        else:
            return drawn


def _shorter(program: Program) -> Iterator[Program]:
    """Programs that are a little shorter, the shortest first."""
    for step in program.steps:
        if not step.writes and (step.result,) != program.results:
            yield replace(program, results=(step.result,)).needed()
    for k, step in enumerate(program.steps):
        rest = (*program.steps[:k], *program.steps[k + 1 :])
        if step.writes:
            yield replace(program, steps=rest).needed()
            continue
        for operand in dict.fromkeys(step.operands):
            renamed = tuple(_renamed(s, step.result, operand) for s in rest)
            results = tuple(operand if r == step.result else r for r in program.results)
            yield replace(program, steps=renamed, results=results).needed()


def _renamed(step: Step, name: str, other: str) -> Step:
    return replace(step, operands=tuple(other if o == name else o for o in step.operands))
