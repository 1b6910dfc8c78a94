"""In which ways the inputs of a program are moved by half an ulp: each number up or down.

Where each element of what the program gives depends on one number of each input, there are two ways for each
input, and all are tried: every number of an input goes the same way then. Elsewhere they are too many, and
some are drawn.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from oracles.exact.program.program import Program, Shape

# Each element of their results is made of the elements at the same place in their operands.
_NAMES = """
    add sub neg mul abs div scale convert taylor holomorphic detach no_grad lt le gt ge eq ne and or xor not
    select blend maximum minimum is_nan is_infinite signed sign floor ceil round trunc
"""
BY_ELEMENT = frozenset(_NAMES.split())


class Ways(NamedTuple):
    """Ways to move inputs.

    Attributes:
        seeds: One for each way.
        together: Whether all numbers of an input go the same way, those of the k-th up where bit k of the
            seed is set; else each goes as the seed draws it.
    """

    seeds: Sequence[int]
    together: bool = False

    def some(self, first: int, count: int) -> Ways:
        """So many of them."""
        return self._replace(seeds=self.seeds[first : first + count])

    def ups(self, seed: int, shapes: tuple[Shape, ...]) -> Sequence[NDArray[np.bool_]]:
        """Which numbers of inputs of these shapes go up; an array without axes stands for all of an input."""
        if self.together:
            return [np.asarray(bool(seed >> k & 1)) for k in range(len(shapes))]
        return _drawn(seed, shapes)


def ways(program: Program, moving: Sequence[int], most: int) -> Ways:
    """All ways to move these inputs where that are at most so many; else so many drawn ones."""
    if not moving:
        return Ways(range(0))
    if 2 ** len(moving) <= most and is_by_element(program, moving):
        return Ways(range(2 ** len(moving)), together=True)
    return Ways(range(most))


def is_by_element(program: Program, moving: Iterable[int]) -> bool:
    """Whether each element of all that depends on these inputs depends on one number of each."""
    moved = {program.inputs[i] for i in moving}
    for equation in program.equations:
        own, out = [v for v in equation.operands if v in moved], equation.output
        if not own:
            continue
        name = equation.primitive.name
        in_place = name in BY_ELEMENT and all(v.shape == out.shape for v in own)
        if not (in_place or name == "reshape" or (name == "broadcast" and own[0].size == 1)):
            return False
        moved.add(out)
    return True


@lru_cache(maxsize=256)  # of small arrays, drawing takes longer than moving
def _drawn(seed: int, shapes: tuple[Shape, ...]) -> list[NDArray[np.bool_]]:
    rng = np.random.default_rng(seed)
    return [np.asarray(rng.integers(0, 2, shape), bool) for shape in shapes]
