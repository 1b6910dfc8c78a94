"""Elements of a result that are 0 whatever the inputs are: the gradient of a bias before batch norm.

Balls only come close to such a 0, with any number of digits. It is an identity of rational functions, and
these are told by numbers: a program is evaluated modulo a prime, with random inputs. A function that is not
rational gives a random number for each argument, the same for the same: what holds then holds for any
function. Likewise a comparison: what is chosen by it is c x + (1 - c) y.

A polynomial of degree d that is not 0 is 0 at one of 2^61 / d random points at the most, and a quotient is 0
where the polynomial above is (Schwartz, Fast probabilistic algorithms for verification of polynomial
identities, J. ACM 27, 1980, lemma 1). Each element is asked at two points. A quotient of polynomials says
nothing of points where one divides by 0: there, no ball is finite, and nobody asks.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from oracles.exact.core.plans import PLAIN, once
from oracles.exact.program import residues as field
from oracles.exact.program.jets import JETS
from oracles.exact.program.primitives.arrays import constant_value
from oracles.exact.program.program import Array, Equation, Program, Var
from oracles.exact.program.residues import Residues, added, drawn, inverse, multiplied, negative, whole

POINTS = ("one", "another")
NEAR = 24  # equations before a result, where most identities are; what comes before them stands for anything
MOST = 64  # the largest exponent that is multiplied out
ZERO, ONE = (whole(np.asarray(k)) for k in (0, 1))
Mask: TypeAlias = NDArray[np.bool_]
Rule: TypeAlias = Callable[..., Residues]


def vanishing(
    program: Program, inputs: Sequence[Array], wanted: Sequence[Mask], here: bool = False
) -> list[Mask]:
    """Where outputs are 0 for any floating inputs, of the elements that are wanted.

    Integers and booleans among the inputs are as they are given. `here`, any inputs are those that are equal
    where these are, or opposite, or 0 or 1: the gradient of a sum, whose cotangent is 1 everywhere.
    """
    some = [k for k, mask in enumerate(wanted) if mask.any()]
    found = [np.zeros(mask.shape, bool) for mask in wanted]
    for steps in (NEAR, len(program.equations)):
        if all((found[k] | ~wanted[k]).all() for k in some):
            break
        for k, zero in zip(some, _asked(program, inputs, tuple(some), steps, here), strict=False):
            found[k] = wanted[k] & zero
    return found


def _asked(
    program: Program, inputs: Sequence[Array], some: tuple[int, ...], steps: int, here: bool
) -> list[Mask]:
    """Where these outputs are 0 at both points; what holds for any inputs is kept with the plans."""

    def ask() -> list[Mask]:
        try:
            results = [_Point(program, inputs, name, here).results(some, steps) for name in POINTS]
        except _Undetermined:
            return []
        return [np.logical_and.reduce([x == 0 for x in own]) for own in zip(*results, strict=True)]

    if here:
        return ask()
    numbers = [np.asarray(x).tobytes() for v, x in zip(program.inputs, inputs, strict=True) if not v.is_float]
    return once(("vanishing", some, steps, *numbers), program, ask) or []


class Log(NamedTuple):
    """A number as rest + log(factor): its exponential is a product."""

    rest: Residues
    factor: Residues


class _Undetermined(Exception):
    """Which elements are moved depends on floats."""


class _Point:
    """A program at one random point, equation by equation.

    Integers and booleans that no float decides are themselves (`numbers`); all else is in the field.
    """

    def __init__(self, program: Program, inputs: Sequence[Array], name: str, here: bool) -> None:
        self.program, self.name = program, name
        self.numbers: dict[Var, Array] = {}
        self.values: dict[Var, Residues] = {}
        self.logs: dict[Var, Log] = {}
        for v, x in zip(program.inputs, inputs, strict=True):
            if not v.is_float:
                self.numbers[v] = np.asarray(x)
            elif here and np.asarray(x).dtype != object:
                self.values[v] = self._alike(np.asarray(x, np.float64))

    def results(self, some: Sequence[int], steps: int) -> list[Residues]:
        """Some of the outputs, by so many equations before them."""
        program, outputs = self.program, [self.program.outputs[k] for k in some]
        far = dict.fromkeys(outputs, 0)
        for e in reversed(program.equations):
            if far.get(e.output, steps) < steps:
                for v in e.operands:
                    far[v] = min(far.get(v, steps), far[e.output] + 1)
        for number, equation in enumerate(program.equations):
            if far.get(equation.output, steps) < steps or self._is_known(equation):
                self._evaluate(number, equation)
            for v in program.last_uses.get(number, ()):
                for kept in (self.numbers, self.values, self.logs):
                    kept.pop(v, None)
        return [np.broadcast_to(self._value(v), v.shape) for v in outputs]

    def _alike(self, numbers: Array) -> Residues:
        """Numbers for which only those stand that are equal, opposite, 0 or 1."""
        size = np.abs(numbers)
        found = np.where(size == 1, ONE, self.function("number", size.view(np.uint64)))
        return np.asarray(np.where(numbers == 0, ZERO, np.where(numbers < 0, negative(found), found)))

    def _value(self, v: Var) -> Residues:
        if v in self.numbers:
            return whole(self.numbers[v])
        if v not in self.values:  # an input, or from before the equations that are looked at
            self.values[v] = self.array(f"value {self._order[v]}", v)
        return self.values[v]

    @cached_property
    def _order(self) -> dict[Var, int]:
        every = (*self.program.inputs, *(e.output for e in self.program.equations))
        return {v: k for k, v in enumerate(every)}

    def function(self, name: str, *operands: Residues) -> Residues:
        """A function of elements: as if drawn by chance, once for each argument."""
        return drawn(f"{self.name} {name}", *operands)

    def array(self, name: str, like: Var, *operands: Residues) -> Residues:
        """A function of whole arrays: its elements are drawn once for the same arrays."""
        key = [name]
        for x in operands:
            places = np.arange(x.size, dtype=np.uint64).reshape(x.shape)
            key.append(f"{x.shape} {int(np.bitwise_xor.reduce(drawn('', x, places), axis=None))}")
        return self.function(" ".join(key), np.arange(like.size, dtype=np.uint64).reshape(like.shape))

    def _evaluate(self, number: int, equation: Equation) -> None:
        primitive, output, params = equation.primitive, equation.output, equation.params
        if primitive.name == "constant" and output.is_float and _has_place(params["value"]):
            self.values[output] = _placed(params["value"])
            return
        if self._is_known(equation):
            given = [self.numbers[v] for v in equation.operands]
            self.numbers[output] = np.asarray(primitive.evaluate(*given, **params))
            return
        values = [self._value(v) for v in equation.operands]
        rule = RULES.get(primitive.name) if output.is_float else COMPARISONS.get(primitive.name)
        found = rule(self, equation, *values) if rule else None
        if found is None:
            named = bool(values) and all(map(_is_plain, params.values()))
            which = f"{primitive.name} {params}" if named else f"equation {number}"
            found = self.array(which, output, *values)
        self.values[output] = np.broadcast_to(found, output.shape)  # a rule may give one for all: x^0
        follow = FOLLOWED.get(primitive.name)
        if follow and (primitive.name == "taylor" or any(v in self.logs for v in equation.operands)):
            logs = [self.logs.get(v) or Log(x, ONE) for v, x in zip(equation.operands, values, strict=True)]
            if (log := follow(self, equation, *logs)) is not None:
                self.logs[output] = Log(*(np.broadcast_to(part, output.shape) for part in log))

    def _is_known(self, equation: Equation) -> bool:
        """Whether it gives integers, or booleans, that no float decides."""
        return not equation.output.is_float and all(v in self.numbers for v in equation.operands)

    def positions(self, equation: Equation) -> Array:
        """Those that elements are taken from, or added to.

        Raises:
            _Undetermined: Floats decide them.
        """
        known = self.numbers.get(equation.operands[1])
        if known is None:
            raise _Undetermined
        return known

    def below(self, x: Residues, y: Residues) -> Residues:
        """1 where x < y, else 0."""
        return self.function("below", x, y)

    def magnitude(self, x: Residues) -> Residues:
        """|x|."""
        return _chosen(self.below(x, ZERO), negative(x), x)


def _has_place(value: Array) -> bool:
    """Whether they are numbers that the field has."""
    return value.dtype != object and bool(np.isfinite(np.asarray(value, np.float64)).all())


def _placed(value: Array) -> Residues:
    return whole(value) if value.dtype.kind in "iub" else field.fraction(value)


def _is_plain(x: Any) -> bool:
    return isinstance(x, PLAIN) or (isinstance(x, tuple) and all(isinstance(one, PLAIN) for one in x))


# -- rules: `rule(point, equation, *values)`, None where the result is a function like no other -------------


def _plainly(function: Callable[..., Residues]) -> Rule:
    return lambda point, equation, *values: function(*values)


def _moved(point: _Point, equation: Equation, *values: Residues) -> Residues:
    return np.asarray(equation.primitive.evaluate(*values, **equation.params))


def _chosen(c: Residues, x: Residues, y: Residues) -> Residues:
    """x where c is 1, and y where it is 0."""
    return added(y, multiplied(c, added(x, negative(y))))


def _compared(swapped: bool, opposite: bool) -> Rule:
    def rule(point: _Point, equation: Equation, *values: Residues) -> Residues:
        found = point.below(*(values[::-1] if swapped else values))
        return added(ONE, negative(found)) if opposite else found

    return rule


def _take(point: _Point, equation: Equation, x: Residues, _: Residues) -> Residues:
    return np.asarray(equation.primitive.evaluate(x, point.positions(equation)))


def _scatter_add(point: _Point, equation: Equation, x: Residues, _: Residues) -> Residues:
    where, output = point.positions(equation).ravel(), equation.output
    inside = where >= 0
    return field.scattered(x.ravel()[inside], where[inside], output.size).reshape(output.shape)


def _taylor(point: _Point, equation: Equation, x: Residues, *parameters: Residues) -> Residues:
    params = dict(equation.params)
    function, order = params.pop("function"), params.pop("order")
    if function == "exp" and (log := point.logs.get(equation.operands[0])):
        y = multiplied(point.function("exp", log.rest), log.factor)
        return multiplied(y, inverse(whole(np.asarray(math.factorial(order)))))
    if function in JETS and not (params or parameters):
        found: Residues = JETS[function](_Functions(point), _Number(x), order)[order].value
        return found
    n = _whole_exponent(equation) if function == "power" and not params else None
    if n is not None:
        return multiplied(_power(x, n - order), whole(np.asarray(_binomial(n, order))))
    return point.function(f"{function} {order} {sorted(params.items())}", x, *parameters)


def _whole_exponent(equation: Equation) -> int | None:
    """The one integer that all exponents are; None where they are not, or where it is large."""
    known = constant_value(equation.operands[1])
    if known is None or len(np.unique(known)) != 1:
        return None
    n = float(known.flat[0])
    return int(n) if abs(n) <= MOST and n % 1 == 0 else None


def _binomial(n: int, k: int) -> int:
    return math.prod(range(n, n - k, -1)) // math.factorial(k)


def _power(x: Residues, n: int) -> Residues:
    found = ONE
    for _ in range(abs(n)):
        found = multiplied(found, x)
    return found if n >= 0 else inverse(found)


@dataclass(frozen=True, slots=True)
class _Number:
    """A value of a formula of `jets`."""

    value: Residues

    def __add__(self, other: _Number) -> _Number:
        return _Number(added(self.value, other.value))

    def __mul__(self, other: _Number) -> _Number:
        return _Number(multiplied(self.value, other.value))

    def __neg__(self) -> _Number:
        return _Number(negative(self.value))


@dataclass(frozen=True, slots=True)
class _Functions:
    """What formulas of `jets` are written with; each that is not rational is drawn."""

    point: _Point

    def __getattr__(self, name: str) -> Callable[[_Number], _Number]:
        return lambda x: _Number(self.point.function(name, x.value))

    def number(self, above: int, below: int = 1) -> _Number:
        """A fraction."""
        return _Number(multiplied(whole(np.asarray(above)), inverse(whole(np.asarray(below)))))

    def two_over_root_pi(self, sign: int) -> _Number:
        """2 / sqrt(pi), with a sign."""
        return _Number(multiplied(self.point.function("2 / sqrt(pi)"), whole(np.asarray(sign))))

    def logarithm(self, number: int, power: int) -> _Number:
        """log(number)^power."""
        return _Number(_power(self.point.function(f"log({number})"), power))

    def magnitude(self, x: _Number) -> _Number:
        """|x|."""
        return _Number(self.point.magnitude(x.value))

    def reciprocal(self, x: _Number) -> _Number:
        """1 / x."""
        return _Number(inverse(x.value))

    def length(self, x: _Number) -> _Number:
        """The root of a sum of squares."""
        return _Number(self.point.function("sqrt", x.value))

    def rsqrt(self, x: _Number) -> _Number:
        """1 / sqrt(x)."""
        return _Number(inverse(self.point.function("sqrt", x.value)))

    def exp2(self, x: _Number) -> _Number:
        """e^(x log 2)."""
        return _Number(self.point.function("exp", (x * self.logarithm(2, 1)).value))


def _logarithm(point: _Point, equation: Equation, x: Log, *_: Log) -> Log | None:
    is_one = (equation.params["function"], equation.params["order"]) == ("log", 0)
    return Log(np.zeros_like(x.rest), x.rest) if is_one else None


def _moved_log(point: _Point, equation: Equation, x: Log) -> Log:
    return Log(*(_moved(point, equation, part) for part in x))


def _taken_log(point: _Point, equation: Equation, x: Log, _: Log) -> Log | None:
    where = point.positions(equation)
    return None if (where < 0).any() else Log(*(_take(point, equation, part, ZERO) for part in x))


FOLLOWED: dict[str, Callable[..., Log | None]] = {
    "taylor": _logarithm,
    "add": lambda point, equation, x, y: Log(added(x.rest, y.rest), multiplied(x.factor, y.factor)),
    "sub": lambda point, equation, x, y: Log(
        added(x.rest, negative(y.rest)), multiplied(x.factor, inverse(y.factor))
    ),
    "neg": lambda point, equation, x: Log(negative(x.rest), inverse(x.factor)),
    **dict.fromkeys(("detach", "no_grad"), lambda point, equation, x: x),
    **dict.fromkeys(("reshape", "permute", "broadcast"), _moved_log),
    "take": _taken_log,
}
COMPARISONS: dict[str, Rule] = {
    "lt": _compared(swapped=False, opposite=False),
    "gt": _compared(swapped=True, opposite=False),
    "ge": _compared(swapped=False, opposite=True),
    "le": _compared(swapped=True, opposite=True),
}
RULES: dict[str, Rule] = {
    "add": _plainly(added),
    "sub": _plainly(lambda x, y: added(x, negative(y))),
    "neg": _plainly(negative),
    **dict.fromkeys(("mul", "scale"), _plainly(multiplied)),
    **dict.fromkeys(("div", "unit"), _plainly(lambda x, y: multiplied(x, inverse(y)))),
    "taylor": _taylor,
    **dict.fromkeys(("convert", "detach", "no_grad", "edged"), _plainly(lambda *values: values[-1])),
    **dict.fromkeys(("rough", "within"), _plainly(lambda *values: values[0])),
    "abs": lambda point, equation, x: point.magnitude(x),
    "maximum": lambda point, equation, x, y: _chosen(point.below(x, y), y, x),
    "minimum": lambda point, equation, x, y: _chosen(point.below(x, y), x, y),
    "select": _plainly(_chosen),
    "blend": lambda point, equation, a, b, x, y: _chosen(point.below(b, a), x, y),
    "edge_rate": _plainly(np.zeros_like),  # at an edge it is no number
    "reduce_sum": lambda point, equation, x: field.total(x, equation.params["axes"]),
    "cumsum": lambda point, equation, x: field.running(x, equation.params["axis"]),
    "matmul": _plainly(field.product),
    **dict.fromkeys(("reshape", "permute", "broadcast", "concatenate"), _moved),
    "take": _take,
    "scatter_add": _scatter_add,
}
