"""A program: a straight line of equations, recorded at one point, that every evaluation runs.

Front ends (NumPy code, jaxprs, ATen records) translate into it; `derive` turns it into the program of its
derivative; `evaluate` runs it in ball arithmetic. An equation applies one primitive to earlier values and
gives one array. Shapes are static. Floating values are balls when evaluated; integers and booleans are exact.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple, TypeAlias, cast

import numpy as np
from flint import arb
from numpy.typing import NDArray

Array: TypeAlias = NDArray[Any]
Shape: TypeAlias = tuple[int, ...]
LEAST = 64  # additions that any equation costs
FLOATS = frozenset({"float64", "float32", "float16", "bfloat16"})


class Comparison(NamedTuple):
    """What a comparison of two numbers says besides true or false.

    Attributes:
        opposite: The name of the comparison that holds where this one fails.
        larger: Which operand is the larger one where it holds (they meet at its edge); None for eq and ne.
    """

    opposite: str
    larger: int | None = None


class Kink(NamedTuple):
    """What is known where a primitive may be at a kink, and its result a hull.

    Attributes:
        tied: `tied(*operands, **params)`: where the result is such a hull.
        gap: `gap(*operands, **params)`: per element of the result, the number that is 0 at its kink and not
            beside it, of any sign; or an integer, where elements share one choice among many: which.
        mixed: `mixed(share, *operands, **params)`: the result for a mixture of what may be chosen; 1 is what
            the recorded code takes where the numbers are one.
    """

    tied: Callable[..., Array]
    gap: Callable[..., Array]
    mixed: Callable[..., Array]


PRIMITIVES: dict[str, Primitive] = {}


@dataclass(frozen=True, slots=True, eq=False)  # there is one of each
class Primitive:
    """One operation, in one place: all that is known of it, for every interpreter of programs.

    Whoever makes one enters it into PRIMITIVES, the table that programs are written from; the first of a name
    stays.

    Attributes:
        name: Its name in programs and messages.
        evaluate: `evaluate(*arrays, **params)` on object arrays of balls (integers and booleans as such).
        jvp: `jvp(equation, tangents)` gives the tangent of the output as a `Var`, from the tangents of the
            operands (None where an operand has none). Absent for a primitive that is constant between jumps.
        transpose: `transpose(equation, k, cotangent)` for a primitive that is linear in operand k: the
            cotangent of that operand.
        rounded: `rounded(growth, equation, operands, format)` gives balls around every value that a program
            may compute (see `formats.Growth`). Absent where no rounding model is known.
        opened: `opened(*arrays, **params)` on three truth values (see `balls`), where rounding may turn a
            comparison. Absent where nothing can be said then.
        rows: `rows(maxima, equation, operands, result)` gives the result, or a limit of it, by what is known
            of the rows of the operands (see `maxima`). Absent where that is forgotten.
        comparison: What kind of comparison it is, if it is one.
        edge: `edge(equation)` gives how far each element is from where an order or comparison turns: 0 there.
        jumps: Whether its value may jump (steps, comparisons, orders).
        around: `around(equation)` writes its value for a derivative: at its jump, the hull of both sides.
            Absent where it has no jump, or cannot be both.
        kink: What is known at its kinks, for one whose result is a hull there.
        cost: `cost(equation)`: how much work it is, in additions. Absent where that is one for each element
            of its largest operand or of its result.
        apart: `apart(operands, gone, **params)` from what is missing of each operand: the operands with other
            numbers for it, and what is missing of the result, or None. Absent where NaN spreads as such.
        itself: What it gives of a number and itself, NaN left out. None where that is not always the same.
        terms: For a sum: `terms(*operands, **params)` on absolute values gives how large what is added is.
    """

    name: str
    evaluate: Callable[..., Array]
    jvp: Callable[[Equation, Sequence[Var | None]], Var] | None = None
    transpose: Callable[[Equation, int, Var], Var] | None = None
    rounded: Callable[[Any, Equation, list[Array], Any], Array] | None = None
    opened: Callable[..., Array] | None = None
    rows: Callable[[Any, Equation, list[Array], Array], Any] | None = None
    comparison: Comparison | None = None
    edge: Callable[[Equation], list[Var]] | None = None
    jumps: bool = False
    terms: Callable[..., Array] | None = None
    around: Callable[[Equation], Var] | None = None
    kink: Kink | None = None
    cost: Callable[[Equation], float] | None = None
    apart: Callable[..., tuple[Sequence[Var], Var | None]] | None = None
    itself: float | None = None

    def __post_init__(self) -> None:
        PRIMITIVES.setdefault(self.name, self)


def _operators(name: str) -> tuple[Callable[[Var, Operand], Var], Callable[[Var, Operand], Var]]:
    """A primitive as an operator, with the `Var` on its left and on its right."""
    return (
        lambda var, other: var.builder.elementwise(name, var, other),
        lambda var, other: var.builder.elementwise(name, other, var),
    )


class Var:
    """The value of one equation or input: its shape and the dtype of the program it came from.

    Arithmetic between `Var`s (and numbers) writes equations into the builder they belong to. `linear` marks
    tangents: values that depend linearly on the direction of differentiation. `size` counts the elements.
    """

    __slots__ = ("builder", "dtype", "linear", "shape", "size")
    __array_ufunc__ = None  # so that `array - var` is asked of the Var and not spread over the elements

    def __init__(self, builder: Builder, shape: Shape, dtype: str, linear: bool = False) -> None:
        self.builder, self.shape, self.dtype, self.linear = builder, shape, dtype, linear
        self.size = math.prod(shape)

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self.shape)

    @property
    def is_float(self) -> bool:
        """Whether it is a ball when evaluated."""
        return self.dtype in FLOATS

    __add__, __radd__ = _operators("add")
    __sub__, __rsub__ = _operators("sub")
    __mul__, __rmul__ = _operators("mul")
    __truediv__, __rtruediv__ = _operators("div")

    def __getitem__(self, key: Any) -> Var:
        positions = np.arange(self.size).reshape(self.shape)[key]
        where = self.builder.constant(positions)
        return self.builder.emit(PRIMITIVES["take"], (self, where), where.shape, self.dtype)

    def __neg__(self) -> Var:
        return self.builder.elementwise("neg", self)


def broadcast(shapes: Sequence[Shape]) -> Shape:
    """The shape to which arrays of these are repeated; NumPy's own function takes 10 us."""
    own = [shape for shape in shapes if shape] or [()]
    return own[0] if own.count(own[0]) == len(own) else np.broadcast_shapes(*own)


Operand: TypeAlias = Var | float | int | Array


def sum_of(*terms: Var | None) -> Var:
    """The sum of the terms that there are."""
    present = [t for t in terms if t is not None]
    total = present[0]
    for term in present[1:]:
        total = total + term
    return total


# Ends the name of an operation whose gradient relies on what the caller promises of the operator.
SYMMETRIC = "(symmetric=True)"


@dataclass(unsafe_hash=True, order=True, slots=True)
class Line:
    """A line of the user's code, as text "loss.py:12".

    Attributes:
        file: As Python names it.
        number: Its number.
        offset: Which instruction of the code runs; a line is the same wherever in it that is.
    """

    file: str
    number: int
    offset: int = field(default=-1, compare=False)

    def __str__(self) -> str:
        return f"{os.path.basename(self.file)}:{self.number}"


class Origin(NamedTuple):
    """Which call of the recorded code an equation comes from: a library function is one call.

    Attributes:
        operation: Its name where it was called (numpy's `exp`, JAX's `logistic`, ATen's `_softmax`).
        place: The line of the user's code, None if it is not known.
        call: Its number in the recording: all equations of one call have the same.
        library: Whose it is, where that is not who runs the program: NumPy's, called by another framework.
    """

    operation: str
    place: Line | None
    call: int = 0
    library: str = ""

    def __str__(self) -> str:
        return f"{self.operation} at {self.place}" if self.place else self.operation


class Equation(NamedTuple):
    """`output = primitive(*operands, **params)`."""

    primitive: Primitive
    operands: tuple[Var, ...]
    params: dict[str, Any]
    output: Var
    origin: Origin | None = None

    @property
    def cost(self) -> float:
        """How much work it is, in additions; an empty one is some, too."""
        size = max([self.output.size, LEAST, *[v.size for v in self.operands]])
        return size if self.primitive.cost is None else max(self.primitive.cost(self), size)

    @property
    def called(self) -> str:
        """The operation as the recorded code called it."""
        return self.origin.operation if self.origin else self.primitive.name


Series: TypeAlias = tuple[tuple[Var, ...], tuple[tuple[str, Any], ...]]


def series_of(equation: Equation) -> Series:
    """Which function at which value a Taylor coefficient is one of."""
    rest = tuple(sorted((k, v) for k, v in equation.params.items() if k != "order"))
    return equation.operands, rest


@dataclass(frozen=True)
class Program:
    """Inputs, equations in order, outputs; and the guards a run must find true.

    A guard is a boolean or integer value that was used while recording (`if x.max() > 0`): the recorded line
    is the program only where the guard has that value.
    """

    inputs: tuple[Var, ...]
    equations: list[Equation]
    outputs: tuple[Var, ...]
    guards: list[tuple[Var, Array]] = field(default_factory=list)

    @property
    def cells(self) -> Any:
        """What writes both sides of indices that jump into its derivatives (`Jumps`); None: nothing."""
        return vars(self).get("written_cells")

    def write_cells(self, cells: Any) -> None:
        """Say so: it depends on the point at which they are evaluated."""
        vars(self)["written_cells"] = cells

    def giving(self, which: slice) -> Program:
        """The program of some of the outputs, without the equations that they and the guards do not need."""
        known = vars(self).setdefault("parts", {})
        key = which.indices(len(self.outputs))
        if key not in known:
            known[key] = self._giving(self.outputs[which])
        found: Program = known[key]
        return found

    def _giving(self, outputs: tuple[Var, ...]) -> Program:
        kept, needed = [], {*outputs, *(v for v, _ in self.guards)}
        for equation in reversed(self.equations):
            if equation.output in needed:
                kept.append(equation)
                needed.update(equation.operands)
        return Program(self.inputs, kept[::-1], outputs, self.guards)

    def between(self, starts: Iterable[Var], ends: Iterable[Var]) -> set[Var]:
        """The values on the way of a derivative from some values to others, these included."""
        passing = [e for e in self.equations if e.output.is_float and e.primitive.jvp is not None]
        depends, needed = set(starts), set(ends)
        for equation in passing:
            if depends.intersection(equation.operands):
                depends.add(equation.output)
        for equation in reversed(passing):
            if equation.output in needed:
                needed.update(equation.operands)
        return depends & needed

    def moves_with(self, starts: Iterable[Var]) -> bool:
        """Whether a derivative leads from one of these values to some result."""
        return not self.between(starts, self.outputs).isdisjoint(self.outputs)

    @cached_property
    def dtypes(self) -> frozenset[str]:
        """Those of all values."""
        return frozenset(v.dtype for v in (*self.inputs, *(e.output for e in self.equations)))

    @cached_property
    def costs(self) -> list[float]:
        """How much work each equation is."""
        return [equation.cost for equation in self.equations]

    @cached_property
    def cost(self) -> float:
        """How much work all of them are."""
        return sum(self.costs)

    @cached_property
    def last_uses(self) -> dict[int, list[Var]]:
        """For each equation, by its number, the values that nothing after it needs."""
        last: dict[Var, int] = {}
        for number, equation in enumerate(self.equations):
            last[equation.output] = number
            for v in equation.operands:
                last[v] = number
        for v in (*self.outputs, *(g for g, _ in self.guards)):
            last.pop(v, None)
        uses: dict[int, list[Var]] = {}
        for v, number in last.items():
            uses.setdefault(number, []).append(v)
        return uses

    @cached_property
    def series(self) -> dict[Var, tuple[Series, int]]:
        """For each Taylor coefficient its series, and the highest order that is asked of that."""
        asked = (e for e in self.equations if e.primitive.name == "taylor")
        own = {e.output: (series_of(e), e.params["order"]) for e in asked}
        highest: dict[Series, int] = {}
        for key, order in own.values():
            highest[key] = max(highest.get(key, 0), order)
        return {v: (key, highest[key]) for v, (key, _) in own.items()}


class Builder:
    """Writes a program, equation by equation.

    An equation with a linear operand goes onto the tape, the linear half of a derivative, and its output is
    linear. Constants are equations too; exact ones (integers, booleans) are folded as they are written.
    """

    def __init__(self) -> None:
        self.inputs: list[Var] = []
        self.equations: list[Equation] = []
        self.tape: list[Equation] = []
        self.guards: list[tuple[Var, Array]] = []
        self.definitions: dict[Var, Equation] = {}
        self.moving: set[Var] = (
            set()
        )  # while deriving: what moves with the inputs, held fixed (`detach`) or not
        # Likewise the tangent of each, where a rule may take those of what its operands are made of.
        self.tangents: dict[Var, Var] | None = None
        self.forward = False  # likewise whether these are what is asked for, and no cotangents
        self.staying: dict[Var, Any] = {}  # where each value stays all the same (see `staying`)
        self.at_most: dict[Var, Array] = {}  # where such a mask may hold
        self.missing: dict[Var, Var | None] = {}  # where it is NaN whatever the inputs are (see `missing`)
        self.void: dict[Var, Var | None] = {}  # where it is NaN as 0/0 is,
        self.poles: dict[Var, Var | None] = {}  # and infinite as 1/0 is, where code has asked;
        self.ups: dict[Var, Var | None] = {}  # where that is +inf
        self.leaving: dict[
            Var, tuple[str, Var]
        ] = {}  # the masks of NaN, or of infinities, and of which value
        # How many comparisons each mask is made of, and as numbers, 1 and 0, those of many (see `choices`).
        self.comparisons: dict[Var, int] = {}
        self.shares: dict[str, dict[Var, Var | None]] = {}
        self.lacks = False  # whether a number that stands in the code is NaN
        self.unsure: set[Var] = set()  # of which that is not known, though of what it is made of
        self.origin: Origin | None = None  # of the equations that are written now

    def calls(self, operation: str, place: Line | None, library: str = "") -> None:
        """The equations from here on belong to a new call of this operation at this place."""
        self.origin = Origin(operation, place, 1 + (self.origin.call if self.origin else 0), library)

    def input(self, shape: Shape, dtype: str, linear: bool = False) -> Var:
        """A new input."""
        var = Var(self, shape, dtype, linear)
        self.inputs.append(var)
        return var

    def constant(self, value: Any, dtype: str | None = None) -> Var:
        """A constant array; its numbers are taken exactly as they are, and integers wrap in their dtype.

        Infinities and NaN are balls that are these, which spread as such.
        """
        array = np.asarray(value)
        kind = dtype or ("float64" if array.dtype.kind in "fO" else str(array.dtype))
        if kind not in FLOATS and array.dtype.kind in "iub":
            array = array.astype(kind, copy=False)
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            array = np.fromiter(map(arb, array.ravel().tolist()), object, array.size).reshape(array.shape)
        if array.dtype == object and not self.lacks:
            self.lacks = any(ball.is_nan() for ball in array.ravel().tolist())
        return self.emit(PRIMITIVES["constant"], (), array.shape, kind, value=array)

    def emit(
        self, primitive: Primitive, operands: tuple[Var, ...], shape: Shape, dtype: str, /, **params: Any
    ) -> Var:
        """Write one equation whose output has this shape and dtype."""
        linear = any(v.linear for v in operands)
        output = Var(self, tuple(shape), dtype, linear)
        equation = Equation(primitive, operands, params, output, self.origin)
        if operands and not equation.output.is_float:
            known = [self.known(v) for v in operands]
            if all(value is not None for value in known):
                return self.constant(primitive.evaluate(*known, **params), dtype)
        (self.tape if linear else self.equations).append(equation)
        self.definitions[equation.output] = equation
        return equation.output

    def elementwise(self, name: str, *operands: Operand, dtype: str | None = None, **params: Any) -> Var:
        """Write an elementwise primitive; numbers become constants and shapes are broadcast."""
        one = operands[0]
        if isinstance(one, Var) and all(isinstance(v, Var) and v.shape == one.shape for v in operands):
            whole = cast("tuple[Var, ...]", operands)
            return self.emit(PRIMITIVES[name], whole, one.shape, dtype or one.dtype, **params)
        kind = dtype or next(v.dtype for v in operands if isinstance(v, Var))
        shape = broadcast([v.shape if isinstance(v, Var) else np.shape(v) for v in operands])
        like = next((v.dtype for v in operands if isinstance(v, Var)), kind)
        whole = tuple(self.broadcast(self.as_var(v, like), shape) for v in operands)
        return self.emit(PRIMITIVES[name], whole, shape, kind, **params)

    def as_var(self, value: Operand, dtype: str) -> Var:
        """A number or array as a constant, a whole one of an integer dtype as integers; a `Var` as it is."""
        if isinstance(value, Var):
            return value
        array = np.asarray(value)
        if dtype.startswith(("int", "uint")) and array.dtype.kind == "f" and np.all(array % 1 == 0):
            array = array.astype(dtype)
        return self.constant(array, dtype)

    def broadcast(self, x: Var, shape: Shape) -> Var:
        """x repeated along new and one-element axes."""
        if x.shape == tuple(shape):
            return x
        return self.emit(PRIMITIVES["broadcast"], (x,), shape, x.dtype, shape=tuple(shape))

    def given(self, x: Var) -> Array | None:
        """The numbers of an input, where they are known."""
        return None

    def is_fixed(self, var: Var) -> bool:
        """Whether it is made of constants alone, whatever is done with them."""
        waiting, seen = [var], set[Var]()
        while waiting:
            v = waiting.pop()
            if v in seen:
                continue
            seen.add(v)
            if v not in self.definitions:
                return False
            waiting += self.definitions[v].operands
        return True

    def known(self, x: Var) -> Array | None:
        """The value of an exact constant (integer or boolean), None if x is not one."""
        if x.is_float or x not in self.definitions or self.definitions[x].primitive.name != "constant":
            return None
        return np.asarray(self.definitions[x].params["value"])

    def program(self, outputs: Iterable[Var]) -> Program:
        """What has been written, without the equations that no output or guard needs."""
        whole = Program(tuple(self.inputs), self.equations + self.tape, tuple(outputs), list(self.guards))
        return whole.giving(slice(None))
