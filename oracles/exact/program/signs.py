"""The sign of a zero, which exact numbers do not have: known of what is given, written, moved or added up."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np

from oracles.exact.program.primitives import compare, select
from oracles.exact.program.primitives.arithmetic import (
    add,
    constant,
    convert_,
    detach_,
    div,
    mul,
    neg,
    no_grad_,
    sub,
)
from oracles.exact.program.primitives.arrays import MOVES, concatenate_, reduce_sum_
from oracles.exact.program.primitives.choices import abs_
from oracles.exact.program.primitives.predicates import signed_
from oracles.exact.program.primitives.roughness import rough_
from oracles.exact.program.program import Array, Equation, Line, Origin, Var

Sign: TypeAlias = Array | Var  # booleans: where a zero would be -0.0

_KEEPS = (detach_, no_grad_, convert_, neg, *MOVES)
DEEP = 64  # operations that are looked through


def negative(x: Var, unless: Var | None = None) -> Var:
    """Whether x is below 0 or is -0.0, as `signbit` says; undecided at a zero whose sign is not known.

    `unless`: where nothing hangs on it.
    """
    signs = _Signs()
    minus = signs.believed(x, x.builder.origin, DEEP, unless)
    if minus is not None and signs.is_zero(x, DEEP):  # no edge: it has no other side
        return x.builder.broadcast(_as_var(x, minus), x.shape)
    x = x if unless is None else select(unless, 1.0, x)
    if minus is None:
        return compare("lt", _signed(x), 0.0)
    below = compare("lt", x, 0.0)
    if _are_plus(minus):
        return below
    zero = x.builder.broadcast(_as_var(x, minus), x.shape)
    not_above = x.builder.elementwise("and", compare("le", x, 0.0), zero, dtype="bool")
    return x.builder.elementwise("or", below, not_above, dtype="bool")


class _Signs:
    """What is known of zeros, by IEEE 754 and rounding to nearest; each value is looked at once."""

    def __init__(self) -> None:
        self._known: dict[Var, Sign | None] = {}
        self._zero: dict[Var, bool] = {}

    def believed(self, x: Var, asks: Origin | None, depth: int, unless: Var | None = None) -> Sign | None:
        """As `of`; but of what another call computed only that it is +0.0, or what asks is undecided.

        There NumPy does as IEEE 754 says; but -z is 0 - z in torch, and XLA's roots take -0.0 for 0.0.
        """
        minus = self.of(x, depth)
        if minus is None or _are_plus(minus) or not self._is_anothers(x, asks):
            return minus
        return _undecided_at(minus, unless)

    def _is_anothers(self, x: Var, asks: Origin | None) -> bool:
        """Whether another call computed it, and not only moved it."""
        while (e := x.builder.definitions.get(x)) is not None:
            if e.primitive in (add, sub, mul, div) or (e.primitive is neg and self.is_zero(x, DEEP)):
                return _call(e.origin) != _call(asks)
            if e.primitive is concatenate_:
                return any(self._is_anothers(v, asks) for v in e.operands)
            if e.primitive not in _KEEPS:
                return False
            x = e.operands[0]
        return False

    def of(self, x: Var, depth: int) -> Sign | None:
        """Where a zero in x would be -0.0, seen through so many operations; None if that is not known.

        A program decides it where it hangs on a number: 0 x is -0.0 where x is below 0.
        """
        if x not in self._known:
            self._known[x] = self._found(x, depth) if depth else None
        return self._known[x]

    def _found(self, x: Var, depth: int) -> Sign | None:
        equation = x.builder.definitions.get(x)
        if equation is None:
            given = x.builder.given(x)
            return None if given is None else np.signbit(given.astype(np.float64))
        primitive, operands = equation.primitive, equation.operands
        if primitive is constant:
            value = equation.params["value"]
            return np.signbit(value) if value.dtype.kind == "f" else np.zeros(x.shape, bool)
        if primitive is abs_ or (primitive is convert_ and not operands[0].is_float):
            return np.zeros(x.shape, bool)
        if primitive is concatenate_:
            parts = [self.of(v, depth - 1) for v in operands]
            known = [p for p in parts if p is not None and not isinstance(p, Var)]
            return np.concatenate(known, equation.params["axis"]) if len(known) == len(parts) else None
        if primitive in (add, sub):
            return self._of_sum(equation, depth)
        if primitive in (mul, div):
            return self._of_product(equation, depth) if self.is_zero(x, depth) else None
        if primitive is rough_ and equation.params["kind"] == "quotient":
            return self._of_quotient(equation, depth)
        if primitive is neg:
            inner = self.believed(operands[0], equation.origin, depth - 1)
            return None if inner is None else _not(inner)
        if primitive is not reduce_sum_ and primitive not in _KEEPS:
            return None
        inner = self.of(operands[0], depth - 1)
        if primitive is reduce_sum_:
            return np.zeros(x.shape, bool) if _are_plus(inner) else None
        return _moved(equation, inner) if primitive in MOVES and inner is not None else inner

    def _of_sum(self, equation: Equation, depth: int) -> Sign | None:
        """-0.0 where both terms are; what cancels is +0.0."""
        a, b = equation.operands
        subtracts = equation.primitive is sub
        if subtracts and a is b:
            return np.zeros(a.shape, bool)
        p, q = (self.believed(v, equation.origin, depth - 1) for v in (a, b))
        q = _not(q) if subtracts and q is not None else q
        for v, own, other in ((a, p, q), (b, q, p)):
            if _are_plus(own):  # XLA makes x of x + 0.0
                is_zero = _written(v) is not None and not _is_positive(v)
                certain = subtracts or not is_zero or not (other is None or isinstance(other, Var))
                return np.zeros(a.shape, bool) if certain else _undecided_at(other)
        if p is None or q is None or not self.is_zero(equation.output, depth):
            return None
        return _both("and", a, p, q)

    def _of_product(self, equation: Equation, depth: int) -> Sign | None:
        """Of a product that is 0, or of a quotient: that of one factor, and of the other."""
        signs: list[Sign | None] = []
        for v in equation.operands:
            if self.is_zero(v, depth - 1):
                signs.append(self.believed(v, equation.origin, depth - 1))
            else:
                signs.append(np.zeros(v.shape, bool) if _is_positive(v) else negative(v))
        p, q = signs
        return None if p is None or q is None else _both("xor", equation.output, p, q)

    def _of_quotient(self, equation: Equation, depth: int) -> Sign | None:
        """+0.0 of a real number by a positive one; of others kernels differ, and are not as our formula."""
        _, _, above, below, zero = equation.operands
        signs = [self.of(v, depth - 1) for v in (above, zero)]
        reals = all(self.is_zero(v, depth - 1) for v in (above, zero)) and all(map(_are_plus, signs))
        return np.zeros(above.shape, bool) if reals and _is_positive(below) else None

    def is_zero(self, x: Var, depth: int) -> bool:
        """Whether it is 0 whatever the inputs are, as the imaginary part of a real number."""
        if x not in self._zero:
            equation = x.builder.definitions.get(x)
            self._zero[x] = equation is not None and depth > 0 and self._stays_zero(equation, depth)
        return self._zero[x]

    def _stays_zero(self, equation: Equation, depth: int) -> bool:
        primitive, operands = equation.primitive, equation.operands
        if primitive is constant:
            value = equation.params["value"]
            return value.dtype.kind in "iuf" and not value.any()
        if primitive in (add, sub):
            return all(self.is_zero(v, depth - 1) for v in operands)
        if primitive is mul:
            return any(self.is_zero(v, depth - 1) for v in operands)
        return primitive in (div, reduce_sum_, rough_, *_KEEPS) and self.is_zero(operands[0], depth - 1)


def _undecided_at(minus: Sign | None, unless: Var | None = None) -> Sign | None:
    """That a zero is +0.0; where it may be -0.0 that is undecided."""
    if not isinstance(minus, Var):
        return None
    number = select(minus, minus.builder.constant(0.0), 1.0)
    return compare("lt", _signed(number if unless is None else select(unless, 1.0, number)), 0.0)


def _written(x: Var) -> Array | None:
    """The numbers that stand in the code, of which it is made; None if there are none."""
    equation = x.builder.definitions.get(x)
    while equation is not None and equation.primitive in (convert_, *MOVES):
        equation = x.builder.definitions.get(equation.operands[0])
    return equation.params["value"] if equation is not None and equation.primitive is constant else None


def _is_positive(x: Var) -> bool:
    """Whether its numbers stand in the code, and are above 0."""
    value = _written(x)
    return value is not None and value.dtype.kind in "iuf" and bool((value > 0).all())


def _signed(x: Var) -> Var:
    return x.builder.emit(signed_, (x,), x.shape, x.dtype)


def _call(origin: Origin | None) -> tuple[str, Line | None] | None:
    """Which function is called, and where: others are called inside it, as C's hypot is."""
    return None if origin is None else (origin.operation, origin.place)


def _as_var(like: Var, sign: Sign) -> Var:
    return sign if isinstance(sign, Var) else like.builder.constant(sign)


def _are_plus(sign: Sign | None) -> bool:
    return sign is not None and not isinstance(sign, Var) and not sign.any()


def _both(name: str, like: Var, p: Sign, q: Sign) -> Sign:
    if not (isinstance(p, Var) or isinstance(q, Var)):
        return np.asarray((np.logical_and if name == "and" else np.logical_xor)(p, q))
    return like.builder.elementwise(name, _as_var(like, p), _as_var(like, q), dtype="bool")


def _not(sign: Sign) -> Sign:
    return sign.builder.elementwise("not", sign, dtype="bool") if isinstance(sign, Var) else ~sign


def _moved(equation: Equation, inner: Sign) -> Sign | None:
    """As the number itself."""
    places, out = equation.operands[1:], equation.output
    if isinstance(inner, Var):
        return out.builder.emit(equation.primitive, (inner, *places), out.shape, "bool", **equation.params)
    known = [out.builder.known(v) for v in places]
    if any(p is None for p in known):
        return None
    return np.asarray(equation.primitive.evaluate(inner, *known, **equation.params))
