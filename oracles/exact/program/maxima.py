"""What the largest element of a row says about the row, which balls forget.

`x - max(x)` is at most 0 and 0 somewhere, so its exponential is at most 1 and their sum at least 1; of
`x == max(x)` at least one holds. Without these, softmax and attention are unbounded in bfloat16.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from flint import arb

from oracles.exact.program.balls import ONE, OPEN, each
from oracles.exact.program.formats import FORMATS, format_of
from oracles.exact.program.program import Array, Equation, Var
from oracles.exact.program.scalars import TWICE_UNITS


class Fact(NamedTuple):
    """What is known of a value, row by row.

    Attributes:
        kind: "top": the largest of its row of `of`. "shifted": at most 0, and exactly 0 somewhere in each
            row. "unit": in [0, 1], and exactly 1 somewhere in each row.
        rows: For each element, the row that it belongs to.
        length: How many elements a row has.
        of: For "top", what it is the largest of, and `home` the row of each of its elements.
        slack: For "shifted" and "unit", one number per row (or what writes them, in a plan): where a compiler
            computes an element twice, once for the maximum and once to subtract it, the difference is at most
            this, and at least minus this somewhere in the row.
    """

    kind: str
    rows: Array
    length: int
    of: Var | None = None
    home: Array | None = None
    slack: Any = None


class Limit(NamedTuple):
    """That every element of a result is at most, or at least, these numbers."""

    at_most: bool
    numbers: Any

    def on(self, result: Array) -> Array:
        """The result, narrowed."""
        return each(_at_most if self.at_most else _at_least, result, self.numbers)

    @property
    def only(self) -> float | None:
        """The one number that all are, where that is so."""
        first = self.numbers.flat[0] if self.numbers.size else 0.0
        return float(first) if (self.numbers == first).all() else None


class Maxima:
    """Facts about the values of one evaluation, in the order of its equations.

    Each method is what one kind of primitive does with them: `(equation, operands, result)` gives the result,
    or a limit of it. Operands whose numbers are not known are None.
    """

    def __init__(self, fused: bool) -> None:
        self.fused = fused
        self.facts: dict[Var, Fact] = {}
        self.same: dict[Var, Var] = {}  # a value that is another one's, in the same shape

    def top(self, equation: Equation, operands: list[Array], result: Array) -> Array:
        """The largest over axes."""
        out, x = equation.output, equation.operands[0]
        if out.is_float:
            rows = np.arange(out.size).reshape(out.shape)
            home = np.broadcast_to(np.expand_dims(rows, equation.params["axes"]), x.shape)
            self.facts[out] = Fact("top", rows, x.size // max(out.size, 1), self._source(x), home)
        return result

    def moved(self, equation: Equation, operands: list[Array], result: Array) -> Array:
        """The elements of x, in other places: all of them once, or copies of a largest one."""
        fact = self.facts.get(equation.operands[0])
        places = operands[1] if len(operands) > 1 else None
        if fact is None or (len(operands) > 1 and (places is None or (places < 0).any())):
            return result  # nobody knows from where, or zeros between
        size = equation.operands[0].size
        taken = np.arange(equation.output.size) if places is None else places.ravel()
        if fact.kind == "top" or np.array_equal(np.sort(taken), np.arange(size)):  # else a row is incomplete
            rows = equation.primitive.evaluate(fact.rows, *operands[1:], **equation.params)
            self.facts[equation.output] = fact._replace(rows=np.asarray(rows))
        return result

    def unchanged(self, equation: Equation, operands: list[Array], result: Array) -> Array:
        """x itself."""
        x, out = equation.operands[0], equation.output
        self.same[out] = self._source(x)
        if x in self.facts:
            self.facts[out] = self.facts[x]
        return result

    def cast(self, equation: Equation, operands: list[Array], result: Array) -> Array:
        """x in another dtype: rounded, a largest one is no longer that."""
        if _keeps(equation):
            return self.unchanged(equation, operands, result)
        out, fact = equation.output, self.facts.get(equation.operands[0])
        if fact is not None and fact.kind != "top":
            slack = self.rounded(fact.slack, out.dtype) if out.is_float else fact.slack
            self.facts[out] = fact._replace(slack=slack)
        return result

    def larger(self, equation: Equation, operands: list[Array], result: Array) -> Array:
        """max(-inf, top) is top, as JAX writes it."""
        for k in (0, 1):
            fact, other = self.facts.get(equation.operands[k]), operands[1 - k]
            if (
                fact
                and fact.kind == "top"
                and other is not None
                and all(b == arb("-inf") for b in other.ravel().tolist())
            ):
                self.facts[equation.output] = fact
        return result

    def chosen(self, equation: Equation, operands: list[Array], result: Array) -> Array:
        """What is chosen everywhere."""
        chosen = operands[0]
        if equation.output.is_float and chosen is not None and chosen.dtype == bool and chosen.all():
            fact = self.facts.get(equation.operands[1])
            if fact is not None:
                self.facts[equation.output] = fact
        return result

    def difference(self, equation: Equation, operands: list[Array], result: Array) -> Array | Limit:
        """x - max(x) is at most 0, and 0 somewhere."""
        fact = self._top_of(*equation.operands)
        if fact is None:
            return result
        slack = self.parted(equation, operands[0], fact)
        self.facts[equation.output] = fact._replace(kind="shifted", of=None, slack=slack)
        return self.limit(True, slack, fact.rows)

    def exponential(self, equation: Equation, operands: list[Array], result: Array) -> Array | Limit:
        """e^(x - max(x)), and its slope, is at most 1, and 1 somewhere."""
        fact = self.facts.get(equation.operands[0])
        if fact is None or fact.kind != "shifted" or equation.params["order"] > 1:
            return result
        slack = self.rounded(fact.slack, equation.output.dtype)
        self.facts[equation.output] = fact._replace(kind="unit", slack=slack)
        return self.limit(True, slack, fact.rows, 1)

    def total(self, equation: Equation, operands: list[Array], result: Array) -> Array | Limit:
        """The sum of numbers of which one is 1 is at least 1, where whole rows are summed."""
        fact = self.facts.get(equation.operands[0])
        if fact is None or fact.kind != "unit" or not equation.output.is_float:
            return result
        axes = equation.params["axes"]
        rest = [i for i in range(fact.rows.ndim) if i not in axes]
        cells = fact.rows.transpose(*rest, *axes).reshape(equation.output.size, -1)
        if not (cells == cells[:, :1]).all() or cells.shape[1] != fact.length:
            return result
        return self.limit(False, fact.slack, cells[:, 0].reshape(equation.output.shape), -1)

    def equal(self, equation: Equation, operands: list[Array], result: Array) -> Array:
        """Which elements may equal the largest of their row: at least one does."""
        x, top = equation.operands
        values: Array | None = operands[0]
        fact = self._top_of(x, top)
        if fact is None:
            x, top, values = top, x, operands[1]
            fact = self._top_of(x, top)
        if fact is None or (values is not None and values.dtype != object):
            return result
        slack = np.zeros(1 + int(fact.rows.max(initial=-1)))
        self.facts[equation.output] = fact._replace(kind="unit", of=None, slack=slack)
        if values is None:
            return result
        order = np.argsort(fact.rows.ravel(), kind="stable")
        rows = values.ravel()[order].reshape(-1, fact.length)
        found = np.zeros(rows.shape, OPEN)
        for i, row in enumerate(rows):
            low = max(b.lower() for b in row)
            may = [not b < low for b in row]
            found[i] = np.where(may, 1.0 if sum(may) == 1 else 0.5, 0.0)
            if sum(may) > 1 and all(b.is_exact() and b == low for b in row[may]):
                found[i][may] = 1.0
        flat = np.empty(values.size, OPEN)
        flat[order] = found.ravel()
        whole = flat.reshape(values.shape)
        return whole if (whole == 0.5).any() else whole == 1

    # -- slack: where a compiler may compute an element twice ------------------------------------------------

    def parted(self, equation: Equation, x: Any, fact: Fact) -> Any:
        """How far apart an element of each row and the same one may be, computed twice and subtracted."""
        slack = np.zeros(1 + int(fact.rows.max(initial=-1)))
        if self.fused:
            np.maximum.at(slack, fact.rows.ravel(), [_diameter(b) for b in x.ravel().tolist()])
            slack *= 1 + 2 * format_of(equation.output.dtype).unit
        return slack

    def rounded(self, slack: Any, dtype: str) -> Any:
        """The slack of exponents after they, or their powers, were rounded; 0 and 1 themselves stay."""
        return np.where(slack > 0, (1 + slack) * (1 + TWICE_UNITS * format_of(dtype).unit) - 1, 0.0)

    def limit(self, at_most: bool, slack: Any, rows: Array, power: int = 0) -> Limit:
        """The limit that each row's slack is, or e^(power slack)."""
        numbers = _powers(power * slack) if power else slack
        return Limit(at_most, numbers[rows.ravel()].reshape(rows.shape))

    # -- which element is which ------------------------------------------------------------------------------

    def _source(self, v: Var) -> Var:
        return self.same.get(v, v)

    def _top_of(self, x: Var, top: Var) -> Fact | None:
        """The fact that `top` holds the largest of each of x's rows, element by element."""
        fact = self.facts.get(top)
        if fact is None or fact.kind != "top" or fact.of is not self._source(x) or top.shape != x.shape:
            return None
        return fact if fact.home is not None and np.array_equal(fact.rows, fact.home) else None


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
