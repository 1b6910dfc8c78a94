"""Comparisons that are not certain, while only logic reads them: `x == y or abs(x - y) < 1` is often true.

Balls of one number computed in two ways never tell whether it is equal to itself. What is decided without
that is decided; anything else that reads such a comparison, a choice or a branch, is not. But where one of
the two numbers that it chooses from is not known at all, as 0/0, what is chosen is not known either: perhaps
nothing needs it, as under a mask.
"""

from __future__ import annotations

from flint import arb

from oracles.exact.program.balls import OPEN, as_balls, each, settled
from oracles.exact.program.errors import Undecided, listening
from oracles.exact.program.primitives.arrays import broadcast_, concatenate_, permute_, reshape_, take_
from oracles.exact.program.primitives.choices import select_
from oracles.exact.program.primitives.logic import and_, not_, or_, xor
from oracles.exact.program.primitives.predicates import is_infinite, is_nan
from oracles.exact.program.primitives.reductions import reduce_and, reduce_or
from oracles.exact.program.program import Array, Equation, Var

LOGIC = frozenset({
    and_, or_, xor, not_, reduce_and, reduce_or, select_,
    broadcast_, concatenate_, permute_, reshape_, take_,
})  # fmt: skip
KINDS = frozenset({is_nan, is_infinite})


class Open(dict[Var, Undecided]):
    """The values that are open, each with the reason why."""

    def evaluate(self, equation: Equation, operands: list[Array]) -> Array:
        """What an equation gives, of operands that may be open: three truth values then (see `balls`).

        Raises:
            Undecided: It needs one that is open.
        """
        primitive = equation.primitive
        if self and any(v in self for v in equation.operands):
            if primitive is select_ and equation.output.is_float:
                return self._chosen(equation, *operands)
            if primitive not in LOGIC or equation.output.dtype != "bool":
                self.require(*equation.operands)
            assert primitive.opened is not None
            result = settled(primitive.opened(*operands, **equation.params))
            reason = next(self[v] for v in equation.operands if v in self)
        elif primitive.comparison is None and primitive not in KINDS:
            return primitive.evaluate(*operands, **equation.params)
        else:
            try:
                with listening():  # it may not be needed
                    return primitive.evaluate(*operands, **equation.params)
            except Undecided as problem:
                assert primitive.opened is not None
                result, reason = primitive.opened(*operands, **equation.params), problem
        if result.dtype == OPEN:
            self[equation.output] = reason
        return result

    def _chosen(self, equation: Equation, which: Array, x: Array, y: Array) -> Array:
        def one(share: float, a: arb, b: arb) -> arb:
            if share != 0.5:
                return a if share else b
            if a.is_exact() and a == b:
                return a
            if not (a.is_nan() or b.is_nan()):
                self.require(equation.operands[0])
            return a if a.is_nan() else b

        return each(one, which, as_balls(x), as_balls(y))

    def require(self, *values: Var) -> None:
        """Raise the reason why one of these is open.

        Raises:
            Undecided: One is.
        """
        for v in values:
            if v in self:
                raise Undecided(*self[v].args)
