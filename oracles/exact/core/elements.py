"""Single elements of a plan by Arb, where a hundred bits do not decide them: with all that they need.

In a gradient of attention under a mask the first row is exactly 0, and a peaked softmax cancels in some rows:
a few elements want more bits, and the others need not wait for them.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from flint import arb
from numpy.typing import NDArray

from oracles.exact.core.layout import GIVEN
from oracles.exact.core.nodes import AROUND, STEPS, Node, Value
from oracles.exact.core.pairs import Pairs
from oracles.exact.program.balls import KINKS, ZERO, certain_extreme, filled, precision
from oracles.exact.program.errors import Undecided, Unsupported
from oracles.exact.program.primitives.arithmetic import towards_zero
from oracles.exact.program.program import PRIMITIVES, Array
from oracles.exact.program.series import lgamma

Mask = NDArray[np.bool_]
Positions = NDArray[np.int64]

ARITHMETIC: dict[str, Callable[..., Any]] = {
    "add": operator.add,
    "sub": operator.sub,
    "mul": operator.mul,
    "div": operator.truediv,
    "neg": operator.neg,
    "abs": abs,
    "nonnegative": arb.nonnegative_part,
    "larger": certain_extreme("max"),
    "smaller": certain_extreme("min"),
    "and": operator.and_,
    "or": operator.or_,
    "xor": operator.xor,
    "not": lambda p: 1 - p,
    "integer": arb,
    "copy": lambda x: x,
    "select": lambda p, x, y: x if p else y,
    "lgamma": lambda x: lgamma(x, 0)[0],  # below 0 too, where Arb has none
    **{
        name: getattr(arb, name)
        for name in [
            "exp",
            "log",
            "sqrt",
            "tanh",
            "erf",
            "erfc",
            "sin",
            "cos",
            "expm1",
            "log1p",
            "atan",
            "tan",
            "sinh",
            "cosh",
            "asinh",
            "acosh",
            "atanh",
            "asin",
            "acos",
            "digamma",
        ]
    },
}
NONE = np.empty(0, object)  # of a node of which nothing is needed
MOST = 2**24  # operations: of each one's operands it is written down where they are
COMPARISONS = {"lt": (-1,), "le": (-1, 0), "gt": (1,), "ge": (0, 1), "eq": (0,), "ne": (-1, 1)}


class Elements:
    """The elements that are wanted of a plan's outputs, and what they need of every node.

    Args:
        nodes, inputs, outputs: The plan's; outputs are not repeated along any axis.
        wanted: Which elements of each output, flat; of the first ones alone, if there are fewer masks.
        most: How many operations they may be.

    Raises:
        Unsupported: A node that is needed has no rule here, or they are more.
    """

    def __init__(
        self,
        nodes: Sequence[Node],
        inputs: Sequence[Value],
        outputs: Sequence[Value],
        wanted: Sequence[Mask],
        most: float,
    ) -> None:
        self.inputs = {id(v.node): k for k, v in enumerate(inputs)}
        self.outputs, self.wanted = [v.node for v in outputs[: len(wanted)]], wanted
        self.needed: dict[int, Mask] = {}
        for node, mask in zip(self.outputs, wanted, strict=True):
            self._need(node, np.flatnonzero(mask))
        self.cost = 0
        for node in reversed(nodes):
            if id(node) in self.needed and node.operation not in GIVEN:
                at = np.flatnonzero(self.needed[id(node)])
                self.cost += _cost(node, at)
                if self.cost > min(most, MOST):  # asked before: n elements of a row may be n * n terms
                    raise Unsupported("too many elements")
                for (operand, _, _), positions in zip(node.operands, _read(node, at), strict=False):
                    self._need(operand, positions.ravel())
        self.nodes = [node for node in nodes if id(node) in self.needed]

    def _need(self, node: Node, positions: Positions) -> None:
        if positions.size:
            self.needed.setdefault(id(node), np.zeros(node.size, bool))[positions] = True

    def at(self, inputs: Sequence[Any], bits: int) -> list[Array]:
        """The wanted elements of each output as Arb's balls, for flat inputs.

        Raises:
            Undecided: A comparison or a choice is not certain.
        """
        values: dict[int, Array] = {}
        with precision(bits):
            for node in self.nodes:
                at = np.flatnonzero(self.needed[id(node)])
                found = values[id(node)] = np.empty(node.size, object)
                if node.operation in GIVEN:
                    known = node.known if node.balls is None else node.balls
                    given = inputs[self.inputs[id(node)]] if id(node) in self.inputs else known
                    found[at] = filled(_numbers(given, at), at.shape)
                else:
                    own = [values.get(id(o), NONE) for o, _, _ in node.operands]
                    found[at] = filled(_computed(node, at, own), at.shape)
        return [
            values[id(n)][mask] if mask.any() else NONE
            for n, mask in zip(self.outputs, self.wanted, strict=True)
        ]


def _numbers(given: Any, at: Positions) -> list[Any]:
    if isinstance(given, Pairs):
        return list(given.flat[at].balls)
    numbers = np.ravel(given)[at]
    if numbers.dtype == object:
        return list(numbers)
    if numbers.dtype.kind in "iub":
        return [int(n) for n in numbers.tolist()]
    return [arb(v) for v in numbers.astype(np.float64).tolist()]


def _cost(node: Node, at: Positions) -> int:
    """How many operations these elements are."""
    match node.operation:
        case "sum" | "top" | "bottom" | "mixture" | "weights" | "cumsum" | "matmul":
            return at.size * node.numbers[0]
        case "scatter":
            return max(at.size, _positions(node).size)
    return at.size


def _terms(node: Node, at: Positions) -> Positions:
    """Where the terms of each result of a reduction are."""
    count, apart, _ = node.numbers
    return (at // apart * count * apart + at % apart)[:, None] + apart * np.arange(count)


def _rows(node: Node, at: Positions) -> Positions:
    """Where all elements of the row of each are, along the axis that a node runs along."""
    count, apart, _ = node.numbers
    first = at // (count * apart) * count * apart + at % apart
    return first[:, None] + apart * np.arange(count)


def _read(node: Node, at: Positions) -> list[Positions]:
    """Which elements of each operand these elements need."""
    match node.operation:
        case "sum" | "top" | "bottom":
            return [_terms(node, at)]
        case "mixture":
            return [_terms(node, at), _terms(node, at)]
        case "weights" | "cumsum":
            return [_rows(node, at)]
        case "take":
            where = _positions(node)[at]
            return [where[where >= 0]]
        case "scatter":
            return [np.flatnonzero(np.isin(_positions(node), at))]
        case "matmul":
            inner, _, rows = node.numbers
            k, batch = np.arange(inner), at // (rows * node.columns)
            y = (batch[:, None] * inner + k) * node.columns + (at % node.columns)[:, None]
            return [(at // node.columns)[:, None] * inner + k, y]
    if node.operation not in ARITHMETIC and node.operation not in (*COMPARISONS, *STEPS, "blend", "whole"):
        raise Unsupported(f"single elements of {node.operation}")
    row, column = np.divmod(at, node.columns)
    return [row * outer + column * inner for _, outer, inner in node.operands]


def _positions(node: Node) -> Positions:
    where = node.operands[1][0].known
    if not isinstance(where, np.ndarray):
        raise Unsupported("positions that are computed")
    return where.ravel()


def _computed(node: Node, at: Positions, own: Sequence[Array]) -> list[Any]:
    """These elements of a node, from the values of its operands."""
    if node.operation == "take":
        return [own[0][k] if k >= 0 else ZERO for k in _positions(node)[at].tolist()]
    if node.operation == "scatter":
        where = _positions(node)
        order = np.argsort(where, kind="stable")
        begin, end = (np.searchsorted(where[order], at, side).tolist() for side in ("left", "right"))
        return [sum(own[0][order[i:j]], ZERO) for i, j in zip(begin, end, strict=True)]
    read = [x[positions] for x, positions in zip(own, _read(node, at), strict=True)]
    match node.operation:
        case "sum":
            return [sum(terms, ZERO) for terms in read[0]]
        case "top" | "bottom":
            choose = ARITHMETIC["larger" if node.operation == "top" else "smaller"]
            return [_folded(choose, terms) for terms in read[0]]
        case "mixture":
            return [t[_winner(x, node.numbers[2])] for x, t in zip(*read, strict=True)]
        case "weights":
            place = at // node.numbers[1] % node.numbers[0]
            return [arb(int(_winner(x, node.numbers[2]) == k)) for x, k in zip(read[0], place, strict=True)]
        case "cumsum":
            last = at // node.numbers[1] % node.numbers[0]
            return [sum(x[: k + 1], ZERO) for x, k in zip(read[0], last, strict=True)]
        case "matmul":
            return [sum(map(operator.mul, x, y), ZERO) for x, y in zip(*read, strict=True)]
        case "blend":
            return [_blended(*four) for four in zip(*read, strict=True)]
        case "whole":
            return [_cut(x, *node.numbers) for x in read[0]]
    if node.operation in STEPS:
        return _stepped(node, read[0])
    if node.operation in COMPARISONS:
        holds = COMPARISONS[node.operation]
        return [int(_sign(x, y) in holds) for x, y in zip(*read, strict=True)]
    return list(map(ARITHMETIC[node.operation], *read))


def _stepped(node: Node, x: Array) -> list[Any]:
    name = f"{node.operation}_around" if node.numbers[0] & AROUND else node.operation
    with KINKS.collected() as kinks:
        found = PRIMITIVES[name].evaluate(x)
    if kinks:
        raise Undecided(kinks[0])
    return list(found)


def _cut(x: arb, least: int, most: int) -> int:
    """As an integer, towards 0."""
    found = towards_zero(x)
    if not least <= found <= most:
        raise Undecided(f"{x.str(8)} is not among the integers of its dtype")
    return int(str(found.unique_fmpz()))


def _folded(choose: Callable[[arb, arb], arb], terms: Sequence[arb]) -> arb:
    found = terms[0]
    for one in terms[1:]:
        found = choose(found, one)
    return found


def _sign(x: arb, y: arb) -> int:
    """Which of two is larger, 0 for the same number."""
    if x > y or x < y:
        return 1 if x > y else -1
    if x is y or x == y:
        return 0
    raise Undecided(f"cannot compare {x.str(8)} with {y.str(8)}")


def _winner(row: Sequence[arb], sign: int) -> int:
    """Which is certainly the largest, or for sign -1 the smallest."""
    best = max(range(len(row)), key=lambda k: float(sign * row[k].mid()))
    if any(not sign * row[best] > sign * x for k, x in enumerate(row) if k != best):
        raise Undecided("several may be the extreme one")
    return best


def _blended(a: arb, b: arb, x: arb, y: arb) -> arb:
    if a < b:
        return y
    if a > b or (x == y and x.is_exact()):
        return x
    raise Undecided(f"neither of {a.str(8)} and {b.str(8)} is certainly larger")


def narrowed(
    elements: Elements, inputs: Sequence[Any], bits: int, most: int, enough: Callable[[int, arb], bool]
) -> list[Array] | None:
    """The wanted elements at `bits`, doubled until `enough(output, ball)` holds for all; None at the most.

    Where something is not decided at any of them, nothing is given either.
    """
    while bits <= most:
        try:
            found = elements.at(inputs, bits)
        except Undecided:
            found = []
        if found and all(enough(k, ball) for k, own in enumerate(found) for ball in own):
            return found
        bits *= 2
    return None
