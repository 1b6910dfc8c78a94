"""What the largest element of a row says about the row, which balls forget.

`x - max(x)` is at most 0 and 0 somewhere, so its exponential is at most 1 and their sum at least 1; of
`x == max(x)` at least one holds. Without these, softmax and attention are unbounded in bfloat16.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from flint import arb

from oracles.exact.program.balls import ONE, each
from oracles.exact.program.program import Array, Equation, Var
from oracles.exact.rounding import truths
from oracles.exact.rounding.formats import FORMATS, format_of
from oracles.exact.rounding.library import TWICE_UNITS

MOVES = frozenset({"reshape", "broadcast", "permute", "take", "detach", "convert"})


class Fact(NamedTuple):
    """What is known of a value, row by row.

    Attributes:
        kind: "top": the largest of its row of `of`. "shifted": at most 0, and exactly 0 somewhere in each
            row. "unit": in [0, 1], and exactly 1 somewhere in each row.
        rows: For each element, the row that it belongs to.
        length: How many elements a row has.
        of: For "top", what it is the largest of, and `home` the row of each of its elements.
        slack: For "shifted" and "unit", one number per row: where a compiler computes an element twice, once
            for the maximum and once to subtract it, the difference is at most this, and at least minus this
            somewhere in the row.
    """

    kind: str
    rows: Array
    length: int
    of: Var | None = None
    home: Array | None = None
    slack: Array | None = None


class Maxima:
    """Facts about the values of one evaluation, in the order of its equations."""

    def __init__(self, fused: bool) -> None:
        self.fused = fused
        self.facts: dict[Var, Fact] = {}
        self.same: dict[Var, Var] = {}  # a value that is another one's, in the same shape

    def follow(self, equation: Equation, operands: list[Array], result: Array) -> Array:
        """The result, narrowed by what is known of it."""
        name, out = equation.primitive.name, equation.output
        first = equation.operands[0] if equation.operands else None
        if first is None:
            return result
        if name == "reduce_max" and out.is_float:
            rows, axes = np.arange(out.size).reshape(out.shape), equation.params["axes"]
            home = np.broadcast_to(np.expand_dims(rows, axes), first.shape)
            self.facts[out] = Fact("top", rows, first.size // max(out.size, 1), self._source(first), home)
        elif name in MOVES:
            if name == "detach" or (name == "convert" and _keeps(equation)):
                self.same[out] = self._source(first)
            self._inherit(equation, operands)
        elif name == "maximum":
            self._maximum(equation, operands)
        elif name == "select" and out.is_float and operands[0].dtype == bool:
            if operands[0].all() and equation.operands[1] in self.facts:
                self.facts[out] = self.facts[equation.operands[1]]
        elif name == "sub":
            return self._difference(equation, operands[0], result)
        elif name == "taylor" and (fact := self.facts.get(first)) and fact.kind == "shifted":
            if equation.params["function"] == "exp" and equation.params["order"] < 2:
                slack = _rounded(fact.slack, out.dtype)
                self.facts[out] = fact._replace(kind="unit", slack=slack)
                return each(_at_most, result, _powers(slack)[fact.rows])
        elif name == "reduce_sum" and (fact := self.facts.get(first)) and fact.kind == "unit":
            return self._total(equation, fact, result) if result.dtype == object else result
        return result

    def choice(self, equation: Equation, operands: list[Array]) -> Array | None:
        """Which elements may equal the largest of their row; None if that is not what is compared."""
        if equation.primitive.name != "eq" or len(equation.operands) != 2:
            return None
        x, top = equation.operands
        values = operands[0]
        fact = self._top_of(x, top)
        if fact is None:
            x, top, values = top, x, operands[1]
            fact = self._top_of(x, top)
        if fact is None or values.dtype != object:
            return None
        order = np.argsort(fact.rows.ravel(), kind="stable")
        rows = values.ravel()[order].reshape(-1, fact.length)
        found = np.zeros(rows.shape, truths.KIND)
        for i, row in enumerate(rows):
            low = max((b.lower() for b in row), key=_Key)
            may = [not b < low for b in row]
            found[i] = np.where(may, 1.0 if sum(may) == 1 else 0.5, 0.0)
            if sum(may) > 1 and all(b.is_exact() and b == low for b in row[may]):
                found[i][may] = 1.0
        flat = np.empty(values.size, truths.KIND)
        flat[order] = found.ravel()
        whole = flat.reshape(values.shape)
        slack = np.zeros(len(rows))
        self.facts[equation.output] = fact._replace(kind="unit", of=None, slack=slack)
        return whole if (whole == 0.5).any() else whole == 1

    def _source(self, v: Var) -> Var:
        return self.same.get(v, v)

    def _top_of(self, x: Var, top: Var) -> Fact | None:
        """The fact that `top` holds the largest of each of x's rows, element by element."""
        fact = self.facts.get(top)
        if fact is None or fact.kind != "top" or fact.of is not self._source(x) or top.shape != x.shape:
            return None
        return fact if fact.home is not None and np.array_equal(fact.rows, fact.home) else None

    def _difference(self, equation: Equation, x: Array, result: Array) -> Array:
        fact = self._top_of(*equation.operands)
        if fact is None:
            return result
        slack = np.zeros(1 + int(fact.rows.max(initial=-1)))
        if self.fused:
            np.maximum.at(slack, fact.rows.ravel(), [_diameter(b) for b in x.ravel().tolist()])
            slack *= 1 + 2 * format_of(equation.output.dtype).unit
        self.facts[equation.output] = fact._replace(kind="shifted", of=None, slack=slack)
        return each(_at_most, result, slack[fact.rows])

    def _total(self, equation: Equation, fact: Fact, result: Array) -> Array:
        """At least 1 where whole rows are summed."""
        axes = equation.params["axes"]
        rest = [i for i in range(fact.rows.ndim) if i not in axes]
        cells = fact.rows.transpose(*rest, *axes).reshape(result.size, -1)
        if not (cells == cells[:, :1]).all() or cells.shape[1] != fact.length:
            return result
        assert fact.slack is not None
        return each(_at_least, result, _powers(-fact.slack)[cells[:, 0]].reshape(result.shape))

    def _inherit(self, equation: Equation, operands: list[Array]) -> None:
        fact = self.facts.get(equation.operands[0])
        if fact is None:
            return
        out = equation.output
        if equation.primitive.name in {"detach", "convert"}:
            if out in self.same:
                self.facts[out] = fact
            elif fact.kind != "top":  # rounded, a largest one is no longer that
                slack = _rounded(fact.slack, out.dtype) if out.is_float else fact.slack
                self.facts[out] = fact._replace(slack=slack)
            return
        if equation.primitive.name == "take" and (operands[1] < 0).any():
            return  # zeros between
        if fact.kind != "top" and not _rearranges(equation, operands):
            return  # a row may be incomplete
        rows = equation.primitive.evaluate(fact.rows, *operands[1:], **equation.params)
        self.facts[equation.output] = fact._replace(rows=np.asarray(rows))

    def _maximum(self, equation: Equation, operands: list[Array]) -> None:
        """max(-inf, top) is top, as JAX writes it."""
        for k in (0, 1):
            fact, other = self.facts.get(equation.operands[k]), operands[1 - k]
            if fact and fact.kind == "top" and all(b == arb("-inf") for b in other.ravel().tolist()):
                self.facts[equation.output] = fact


def _rearranges(equation: Equation, operands: list[Array]) -> bool:
    """Whether a move keeps every element, once."""
    size = equation.operands[0].size
    taken = operands[1].ravel() if equation.primitive.name == "take" else np.arange(equation.output.size)
    return np.array_equal(np.sort(taken), np.arange(size))


def _rounded(slack: Array | None, dtype: str) -> Array:
    """The slack of exponents after they, or their powers, were rounded; 0 and 1 themselves stay."""
    assert slack is not None
    return np.where(slack > 0, (1 + slack) * (1 + TWICE_UNITS * format_of(dtype).unit) - 1, 0.0)


class _Key:
    """Exact numbers in order."""

    def __init__(self, number: arb) -> None:
        self.number = number

    def __gt__(self, other: _Key) -> bool:
        return bool(self.number > other.number)

    def __lt__(self, other: _Key) -> bool:
        return bool(self.number < other.number)


def _keeps(equation: Equation) -> bool:
    """Whether a cast changes no number."""
    before, after = (FORMATS.get(v.dtype) for v in (equation.operands[0], equation.output))
    if before is None or after is None:
        return False
    return before.digits <= after.digits and before.greatest_exponent <= after.greatest_exponent


def _diameter(b: arb) -> float:
    """How far two numbers of a ball can be apart."""
    return float((2 * b.rad()).upper()) if not b.is_exact() else 0.0


def _powers(exponents: Array) -> Array:
    """e^x, exact where it is 1."""
    return each(lambda x: arb(x).exp() if x else ONE, exponents)


def _at_most(b: arb, limit: arb | float) -> arb:
    limit = arb(limit).upper()
    return b if b <= limit or b.is_nan() or not limit.is_finite() else limit - (limit - b).nonnegative_part()


def _at_least(b: arb, limit: arb) -> arb:
    limit = limit.lower()
    return b if b >= limit or b.is_nan() else limit + (b - limit).nonnegative_part()
