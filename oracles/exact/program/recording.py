"""What a front end hands over, the builder it records with, and the edges of what was decided."""

from __future__ import annotations

import sys
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, TypeVar

import numpy as np

from oracles.exact.program.alike import HOLDS, Numbering
from oracles.exact.program.anchors import anchored
from oracles.exact.program.balls import exact, precision
from oracles.exact.program.errors import Undecided, listening
from oracles.exact.program.held import released
from oracles.exact.program.primitives import apart, convert
from oracles.exact.program.primitives.arrays import reduce_sum
from oracles.exact.program.primitives.choices import MASKS, select, select_
from oracles.exact.program.primitives.edges import edged
from oracles.exact.program.primitives.same import same_elements
from oracles.exact.program.primitives.symmetric import Moves, moving
from oracles.exact.program.primitives.taylor import at_ends, taylor
from oracles.exact.program.primitives.truths import Open
from oracles.exact.program.program import Array, Builder, Equation, Primitive, Program, Shape, Var, sum_of

R = TypeVar("R")
DECIDING_BITS = (128, 512, 2048)
MOST_DECISIONS = 5_000  # far more than halving down to the smallest float64 takes


class Freedom(NamedTuple):
    """What the derivative of a function may do that its formula does not say.

    Attributes:
        keeps: Whether it may keep something from call to call, or not be linear in the cotangent: a rule of
            the user's, a callback, memory that is given away.
        chooses: Whether it may depend on which arguments move, or which results are used.
    """

    keeps: bool
    chooses: bool


FREE, NONE = Freedom(keeps=True, chooses=True), Freedom(keeps=False, chooses=False)


@dataclass(frozen=True)
class Recording:
    """A function recorded at a point.

    Attributes:
        program: Its inputs are the floating leaves of the arguments, in order; its outputs the leaves of the
            result.
        values: The numbers of the inputs.
        argument: For each input, which argument it is a leaf of.
        notes: What is not known as well as it is written, in words.
        executed: Gives what the recorded operations compute when they run, as the framework runs them; ()
            where that is not known.
        runs_again: Whether `executed` runs them once more, which takes its time.
        wider: Gives what the function returns for the same numbers as float64; () where that is not known. It
            runs the function, and raises what that raises.
        freedom: What its derivative may do beside its formula.
        written: The program and notes with its short literals as they were written; None where none is taken
            as it stands.
        coded: The same with library functions as they are coded that `program` knows by their names; None
            where it knows none.
        cast: Whether some of its literals are known only as the framework cast them to float32.
        attached: The program in which what custom functions give a gradient moves, though it was computed
            where nothing moves; None where there is none.
        beside: Of a gradient, its program with the function's results after its own; None where that is not
            known, or rounds otherwise.
        loses: What a rule loses of its own derivative that is differentiated again, in words: `program` has
            it, so that what is wrong may be meant so; "" where none does.
    """

    program: Program
    values: tuple[Array, ...]
    argument: tuple[int, ...]
    notes: tuple[str, ...] = ()
    executed: Callable[[], tuple[Array, ...]] = tuple
    runs_again: bool = False
    freedom: Freedom = FREE
    written: Callable[[], tuple[Program, tuple[str, ...]]] | None = None
    coded: Callable[[], tuple[Program, tuple[str, ...]]] | None = None
    wider: Callable[[], tuple[Array, ...]] = tuple
    beside: Program | None = None
    attached: Callable[[], Program] | None = None
    cast: bool = False
    loses: str = ""

    def giving(self, which: slice) -> Recording:
        """The same of some of the outputs, without the equations that only the others need."""
        written = self.written

        def executed() -> tuple[Array, ...]:
            return self.executed()[which]

        def some() -> tuple[Program, tuple[str, ...]]:
            assert written is not None
            whole, notes = written()
            return whole.giving(which), notes

        def wider() -> tuple[Array, ...]:
            return self.wider()[which]

        own = self.program.giving(which)
        attached = self.attached
        return replace(
            self, program=own, executed=executed, written=written and some, coded=None, wider=wider,
            beside=None, attached=attached and (lambda: attached().giving(which)),
        )  # fmt: skip

    def as_written(self) -> Recording | None:
        """The same with its short literals as they were written; None where it is no other."""
        if self.written is None:
            return None
        program, notes = self.written()
        return replace(self, program=program, notes=notes, written=None, beside=None)

    def as_attached(self) -> Recording | None:
        """The same where what custom functions give a gradient moves; None where it is no other."""
        return self.attached and replace(self, program=self.attached(), attached=None, beside=None)

    def as_released(self) -> Recording:
        """The same where nothing is held constant: no `detach`, no `no_grad`, no `stop_gradient`."""
        written, coded = self.written, self.coded

        def of(whole: Callable[[], tuple[Program, tuple[str, ...]]]) -> tuple[Program, tuple[str, ...]]:
            program, notes = whole()
            return released(program), notes

        return replace(
            self, program=released(self.program), attached=None, beside=None,
            written=written and (lambda: of(written)), coded=coded and (lambda: of(coded)),
        )  # fmt: skip

    def as_moving(self, moves: Moves) -> Recording:
        """The same where matrices of which one triangle is read move so."""
        written, coded = self.written, self.coded

        def of(whole: Callable[[], tuple[Program, tuple[str, ...]]]) -> tuple[Program, tuple[str, ...]]:
            program, notes = whole()
            return moving(program, moves), notes

        return replace(
            self, program=moving(self.program, moves), attached=None, beside=None,
            written=written and (lambda: of(written)), coded=coded and (lambda: of(coded)),
        )  # fmt: skip

    def as_coded(self) -> Recording | None:
        """The same with library functions as they are coded; None where it is no other."""
        if self.coded is None:
            return None
        program, notes = self.coded()
        return replace(self, program=program, notes=notes, written=None, coded=None, beside=None)


@dataclass
class Claim:
    """A recording that is taken for the function's, nearby and since it was so before, until a run shows it.

    Attributes:
        function, at: The function and its arguments.
        kept: The recording, as the front end keeps it.
        shows: Runs the function, and says whether it does what was recorded, here and nearby.
        keep: Keeps the recording, where that waits for a run that shows it.
        holds: Whether a run has shown it.
        onward: Goes on with the run that was recorded, to its gradient; None where that is another run.
    """

    function: Any
    at: Any
    kept: Any
    shows: Callable[[], bool]
    keep: Callable[[], None] = lambda: None
    holds: bool = False
    onward: Callable[..., Any] | None = None


_most_decisions: ContextVar[int] = ContextVar("_most_decisions", default=sys.maxsize)


@contextmanager
def deciding(most: int) -> Iterator[None]:
    """Inside, a recording decides so many branches at the most."""
    token = _most_decisions.set(most)
    try:
        yield
    finally:
        _most_decisions.reset(token)


class Claims(list[Claim]):
    """What is taken for granted so far, and the `gradient` that will be recorded; None for no other."""

    def __init__(self, gradient: Any = None) -> None:
        super().__init__()
        self.gradient = gradient


_claims: ContextVar[Claims | None] = ContextVar("_claims", default=None)


def claims() -> Claims | None:
    """What is taken for granted so far, and will be shown; None where nothing may be."""
    return _claims.get()


def shown(work: Callable[[], R], gradient: Any = None) -> R:
    """What `work` gives, once all that it took for granted is shown; else what it gives without.

    A `gradient`'s run contains that of its function, so that one run shows both.
    """
    taken = Claims(gradient)
    token, raised = _claims.set(taken), None
    try:
        found = work()
    except Exception as problem:
        raised = problem
    finally:
        _claims.reset(token)
    if not all(one.holds or one.shows() for one in taken):
        return work()
    if raised is not None:
        raise raised
    return found


class Recorder(Builder):
    """A builder that knows its inputs' numbers, so that a branch in the recorded code can be decided.

    Attributes:
        values: The numbers of the inputs.
        looked: Whether what was written depends on numbers, its inputs' or others that a rule looked at.
        is_inner: Whether it writes a gradient, in which an index has the value that it has.
    """

    is_inner = False

    def __init__(self) -> None:
        super().__init__()
        self.values: list[Array] = []
        self.looked = False
        self._seen: dict[int, dict[Var, Array]] = {}
        self._open: dict[int, Open] = {}
        self._alike, self._alike_held = Numbering(self.definitions), Numbering(self.definitions, held=True)
        self._firsts: dict[int, Var] = {}

    def program(self, outputs: Iterable[Var]) -> Program:
        """What has been written; each shift of a logarithm of a sum of exponentials as an exact number."""
        return anchored(super().program(outputs))

    def input_at(self, value: Any, dtype: str) -> Var:
        """A new input with its numbers."""
        array = np.asarray(value)
        self.values.append(array)
        return self.input(array.shape, dtype)

    def emit(
        self, primitive: Primitive, operands: tuple[Var, ...], shape: Shape, dtype: str, /, **params: Any
    ) -> Var:
        """Write one equation; what is missing of the operands is kept apart, where they would be asked.

        Of an element and itself the difference is 0, and a comparison is decided.
        """
        if self.lacks and primitive.apart is not None:
            return apart.emit(self, primitive, operands, shape, dtype, **params)
        same = None
        if primitive.itself is not None and operands[0].is_float:
            x, y = operands
            same = same_elements(self, x, y, self._alike.of, unmoved=not primitive.jumps)
        if same is None:
            return super().emit(primitive, operands, shape, dtype, **params)
        alone = self.constant(np.full(shape, primitive.itself), dtype)
        if same.all():
            return alone
        return select(self.constant(same), alone, super().emit(primitive, operands, shape, dtype, **params))

    def given(self, x: Var) -> Array | None:
        """The numbers of an input."""
        self.looked = True
        return next((value for v, value in zip(self.inputs, self.values, strict=True) if v is x), None)

    def first(self, result: Var) -> Var:
        """The first result of a call that was computed as this one, by the same operations.

        Balls of two are two numbers, though they are one: `cdist(x / r, x / r)` has a diagonal of zeros. What
        a call makes inside stays its own, so that each call still stands for itself.
        """
        return self._firsts.setdefault(self._alike.of(result), result)

    def are_equal(self, x: Var, y: Var) -> bool:
        """Whether two values are one number, since they are computed alike; what is held fixed is as well."""
        return x is y or self._alike_held.of(x) == self._alike_held.of(y)

    def depends(self, var: Var) -> bool:
        """Whether it has a derivative by some input; steps, comparisons and `detach` have none."""
        return any(v not in self.definitions for v in self._moved_by([var]))

    def is_held(self, var: Var) -> bool:
        """Whether something on its way is held fixed that some input moves, there or through other holds."""
        made = (self.definitions.get(v) for v in self._moved_by([var]))
        holds = [e.operands[0] for e in made if e and e.primitive in HOLDS]
        return any(v not in self.definitions for v in self._moved_by(holds, through=HOLDS))

    def reach(self, results: Sequence[Var], values: Container[Var]) -> bool:
        """Whether some of the results has a derivative by some of these values."""
        return any(v in values for v in self._moved_by(results))

    def _moved_by(self, results: Sequence[Var], through: Container[Primitive] = ()) -> Iterator[Var]:
        """All the values by which the results have a derivative, themselves and inputs among them.

        And those that are held fixed by what is looked `through`.
        """
        waiting, seen = list(results), set[Var]()
        while waiting:
            v = waiting.pop()
            if v in seen or not v.is_float:
                continue
            yield v
            seen.add(v)
            equation = self.definitions.get(v)
            if equation and (equation.primitive.jvp is not None or equation.primitive in through):
                waiting += equation.operands

    def decide(self, var: Var) -> Array:
        """The value of an integer or boolean, and a guard that the program holds only where it is this.

        Raises:
            Undecided: No precision up to the last of DECIDING_BITS decides it, or too much was decided.
        """
        known = self.known(var)
        if known is not None:
            return known
        self.looked = True
        most = min(MOST_DECISIONS, _most_decisions.get())
        if len(self.guards) >= most:
            raise Undecided(
                f"the code decides more than {most} branches: a loop that ends by rounding or "
                "underflow where it runs never ends in exact arithmetic"
            )
        for bits in DECIDING_BITS:
            try:
                with precision(bits), listening():  # more bits may do
                    value = self._value(var, bits)
            except Undecided as reason:
                if bits == DECIDING_BITS[-1]:
                    raise Undecided(*reason.args) from None
            else:
                self.guards.append((var, value))
                return value
        raise AssertionError("unreachable")

    def about(self, var: Var) -> Array:
        """About the numbers of a value, as float64; NaN where nothing is known. No decision rests on it."""
        self.looked = True
        bits = DECIDING_BITS[0]
        try:
            with precision(bits), listening():
                value = self._value(var, bits)
        except Undecided:
            return np.full(var.shape, np.nan)
        return np.array([float(ball) for ball in value.ravel()]).reshape(value.shape)

    def _value(self, var: Var, bits: int) -> Array:
        """Evaluate what `var` needs and has not been evaluated yet at so many bits."""
        seen, open_ = self._seen.setdefault(bits, {}), self._open.setdefault(bits, Open())
        for v, number in zip(self.inputs, self.values, strict=True):
            if v not in seen:
                seen[v] = exact(number)
        waiting = [var]
        while waiting:
            v = waiting[-1]
            if v in seen:
                waiting.pop()
                continue
            equation = self.definitions[v]
            missing = [w for w in equation.operands if w not in seen]
            if missing:
                waiting += missing
                continue
            operands = [seen[w] for w in equation.operands]
            result = open_.evaluate(equation, operands)
            if equation.primitive is taylor:
                result = at_ends(equation, operands, result)  # a branch is taken at a point
            seen[v] = exact(result) if v.is_float else np.asarray(result)
        open_.require(var)
        return seen[var]


def declare_edges(recorder: Recorder, outputs: Sequence[Var]) -> list[Var]:
    """The outputs, whose derivatives are unbounded where a branch, mask or order is at its edge.

    A choice `np.where(x > 0, a, b)` is recorded as such, and its derivative knows both sides, of several
    comparisons too (`(x > 0) & (x < 1)`). A comparison that was decided (`if x > 0`, `y[x > 0]`) does not
    lead to the other side, and neither do argmax and argsort at a tie. So each output says how far all of
    these are from their edges. It never changes a value; at an edge the derivative is unbounded, so that it
    has to be told from the slopes around (see `kinks`), or is undecided.
    """
    depends = {v: frozenset([v]) for v in recorder.inputs}
    gaps: dict[frozenset[Var], list[Var]] = {}
    loose = _loose(recorder, outputs)
    for equation in list(recorder.equations):
        out = equation.output
        depends[out] = _moves_with(equation, depends)
        if out in loose and depends[out] and out.size and equation.operands[0].is_float:
            assert equation.primitive.edge is not None
            for gap in equation.primitive.edge(equation):
                gaps.setdefault(depends[out], []).append(convert(gap, "float64"))
    edges = list(outputs)
    for inputs, near in gaps.items():
        moves = [reduce_sum(convert(v, "float64"), range(v.ndim)) for v in recorder.inputs if v in inputs]
        along = sum_of(*moves)
        edges = [edged(v, along, near) if v.is_float and v.size else v for v in edges]
    return edges


def _moves_with(equation: Equation, depends: dict[Var, frozenset[Var]]) -> frozenset[Var]:
    """The inputs that move this value, held fixed or not: floor and sign stay where they are."""
    primitive = equation.primitive
    if equation.output.is_float and primitive.jvp is None and primitive not in HOLDS:
        return frozenset()
    moving = (depends.get(v, frozenset()) for v in equation.operands if v.is_float)
    return frozenset[Var]().union(*moving)


def _loose(recorder: Recorder, outputs: Sequence[Var]) -> set[Var]:
    """The orders that are needed, and the comparisons that do more than choose between two values."""
    needed = set(outputs) | {v for v, _ in recorder.guards}
    found = {v for v, _ in recorder.guards}
    for equation in reversed(recorder.equations):
        out = equation.output
        if out in needed:
            needed.update(equation.operands)
            chooses = equation.primitive is select_ and out.is_float
            is_mask = equation.primitive in MASKS and out.dtype == "bool" and out not in found
            found.update(equation.operands[1:] if chooses else () if is_mask else equation.operands)
    definitions = {v: recorder.definitions[v].primitive for v in found if v in recorder.definitions}
    return {v for v, primitive in definitions.items() if primitive.edge}
