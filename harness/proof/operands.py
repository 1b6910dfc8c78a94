"""What is hidden by the numbers that custom functions get besides what is differentiated.

A module's weights of ones, its running mean of zeros, the scale of 1.0 that a closure holds: to the function
they are constants, to the rule arguments. So it is asked at other ones, as if they were the function's too.
What the derivative does not depend on, as the factor by which a rule means to scale the gradient alone, is
what it must be.
"""

from __future__ import annotations

from dataclasses import replace

from harness.inputs.points import as_numbers
from harness.proof.faults import differ, is_right
from harness.proof.hiding import held_hides
from harness.proof.neutral import Ask, faults_elsewhere
from harness.proof.question import Answer, Part
from harness.subject.operands import Opened
from harness.subject.target import Target
from oracles.exact.program.trees import Fixed


def faults_of_operands(opened: Opened, seed: int, ask: Ask) -> tuple[list[Part], list[str]]:
    """What is faulty where custom functions get other numbers, and what hides it; nothing where it is right.

    Args:
        opened: The function with what they get as arguments.
        seed: What seeds the draws.
        ask: Asks the same of other arguments.
    """
    target, hiding = opened.target, dict[int | Fixed, str]()
    for k, name in opened.places:
        if isinstance(k, Fixed):
            hiding[k] = f"{name} is {k.leaf:g}"
            continue
        numbers = as_numbers(target.arrays[k], k in target.flat.complex)
        if held_hides(numbers, target.arrays):
            hiding[k] = f"{name} is all {float(numbers.flat[0].real):g}"
    with opened.given():
        if not hiding or not is_right(here := ask(target)):
            return [], []

        def moved(other: Target) -> Answer:
            there = ask(other)
            return there if differ(here, there) else Answer(())

        return faults_elsewhere(replace(here, hiding=hiding), target, seed, moved)
