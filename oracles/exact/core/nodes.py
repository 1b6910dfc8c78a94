"""What a plan is made of: nodes, one for each instruction, and values, which read a node in some shape."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from oracles.exact.core.pairs import Pairs
from oracles.exact.program.program import Array, Equation, Shape

# As the enumeration of instruction.h, and the list of smooth.h.
GAMMAS = "lgamma digamma trigamma tetragamma pentagamma hexagamma"
SMOOTH = f"erf erfc expm1 log1p atan sinh asinh acosh atanh asin acos cbrt sin cos tan cosh {GAMMAS}"
ROUGH_SMOOTH = f"tanh log erf erfc sin cos expm1 log1p atan {GAMMAS}"
OPERATIONS = (
    "add sub mul div neg abs larger smaller exp log sqrt tanh select blend "
    "rough_add rough_sub rough_mul rough_div rough_exp rough_sqrt lt le gt ge eq ne "
    "and or xor not integer copy floor ceil trunc round sign whole spread "
    "grow widen pad nonnegative at_most at_least upper stored share "
    "sum top bottom weights mixture attains best take scatter cumsum matmul sum_grows matmul_grows point"
)
NAMES = [*OPERATIONS.split(), *SMOOTH.split(), *(f"rough_{name}" for name in ROUGH_SMOOTH.split())]
CODES = {name: code for code, name in enumerate(NAMES)}
FUNCTIONS = frozenset({"exp", "log", "sqrt", "tanh", *SMOOTH.split()})
STEPS = frozenset({"floor", "ceil", "trunc", "round", "sign"})
ROUGH = {code: CODES[f"rough_{name}"] for name, code in CODES.items() if f"rough_{name}" in CODES}
HULL, AROUND = 1, 2  # how a step is taken, as elementwise.h calls it
NOWHERE = -1
OPEN = -(2**63)  # among booleans: rounding may turn this comparison


@dataclass(eq=False, slots=True)
class Node:
    """What one instruction makes: so many elements, balls or integers.

    Attributes:
        operation: Its name, or "constant", "input", "detour".
        operands: With the strides along rows and columns that they are read with.
        size, columns: How many elements, and how many in a row.
        integers: Whether they are integers and booleans, and no balls.
        numbers: The instruction's own three.
        known: Of a constant; `balls` as it was given, if that was Arb's.
        equation: Of a detour, with its operands, and what Arb makes of their balls.
        at: Where its elements lie in the arena, once it is known.
    """

    operation: str
    operands: tuple[tuple[Node, int, int], ...]
    size: int
    columns: int
    integers: bool = False
    numbers: tuple[int, ...] = ()
    known: Pairs | NDArray[np.int64] | None = None
    balls: Array | None = None
    equation: tuple[Equation, tuple[Value, ...], Callable[..., Array]] | None = None
    at: int = NOWHERE

    @property
    def words(self) -> int:
        """How much of the arena it takes."""
        return self.size if self.integers else 3 * self.size


@dataclass(frozen=True, slots=True)
class Value:
    """A value of the program: elements in C order, in a shape with 1 along the axes that repeat them."""

    node: Node
    shape: Shape
    whole: Shape

    @property
    def key(self) -> Hashable:
        """The same for the same value."""
        return id(self.node), self.shape


def instruction(node: Node) -> list[int]:
    """As the struct of instruction.h, in 64-bit words."""
    words = [CODES[node.operation], node.size, node.columns, node.at, node.size]
    for operand, outer, inner in node.operands:
        words += [operand.at, operand.size, outer, inner]
    for _ in range(4 - len(node.operands)):
        words += [NOWHERE, 0, 0, 0]
    return [*words, *node.numbers, *([0] * (3 - len(node.numbers)))]


def point(node: Node) -> list[int]:
    """The instruction after which what is known of a node's balls is their midpoints alone."""
    return [CODES["point"], node.size, node.columns, node.at, node.size, *(NOWHERE, 0, 0, 0) * 4, 0, 0, 0]


def groups_of(shape: Shape, own: Sequence[Shape]) -> list[tuple[int, tuple[bool, ...]]]:
    """Neighbouring axes that every operand has, or repeats, alike: how many elements, and who has them."""
    found: list[tuple[int, tuple[bool, ...]]] = []
    for axis, n in enumerate(shape):
        if n == 1:
            continue
        has = tuple([s[axis] == n for s in own])
        if found and found[-1][1] == has:
            found[-1] = (found[-1][0] * n, has)
        else:
            found.append((n, has))
    return found


def strides(axes: list[tuple[int, bool]]) -> tuple[int, int]:
    """The steps from row to row and from column to column of an operand."""
    if not axes:
        return 1, 1
    if len(axes) == 1:
        n, has = axes[0]
        return (n, 1) if has else (0, 0)
    (_, rows), (columns, cols) = axes
    return (columns if cols else 1) if rows else 0, 1 if cols else 0
