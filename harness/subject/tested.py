"""The derivative under test: the framework's own, or one that a person wrote; how it runs and is recorded."""

from __future__ import annotations

import types
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import Any, NamedTuple

from harness.subject.by_hand import First, WithoutCotangent, by_hand
from harness.subject.derivative import FORWARD, GRADIENT, Array, Derivative, Function, WithZeros
from harness.subject.target import Target
from harness.subject.variants import AfterForward, Alone, Beside, InSome, Symmetrised
from oracles.exact.program.errors import Unsupported
from oracles.exact.program.program import Line, Origin
from oracles.exact.program.recording import Recording
from oracles.frameworks.calls import Mend, Watched
from oracles.frameworks.framework import Subject


class Programs(NamedTuple):
    """What a tested derivative computes, as programs of the same inputs.

    Attributes:
        gradient: The derivative.
        value: The function's value as the derivative's own run gives it; None where it gives none.
        after_forward: Records the derivative together with the function before it, where that may leave
            something behind for it: alone, what it finds are rounded numbers. None where nothing can be left.
    """

    gradient: Recording
    value: Recording | None
    after_forward: Callable[[], Recording] | None = None


@dataclass(frozen=True)
class Tested:
    """A derivative of a target.

    Attributes:
        target: The function.
        value: The function, of the arrays and then the directions of the derivatives below.
        derivative: `derivative(directions, *inputs)`, of the same inputs; with `primal` a pair, of the
            function's results and of this.
        primal: Whether it returns the function's value too.
        compiled: Whether JAX compiles both.
        graph: `graph(*inputs)` runs the forward and gives `pull(directions)`, which may be called again; None
            where nothing is held between the two.
        own: Whether the derivative is the framework's, and not written by hand.
        reuses: Whether `graph` runs on one object, which has run elsewhere before.
        rule: What a person wrote, where that is known.
        exactly: Whether a literal is the number that stands there, whatever was written.
    """

    target: Target
    value: Function
    derivative: Function
    primal: bool
    compiled: bool
    graph: Function | None = None
    own: bool = False
    reuses: bool = False
    rule: Function | None = None
    exactly: bool = False

    @property
    def home(self) -> Origin | None:
        """Where the rule that a person wrote begins, as far as Python tells."""
        return home_of(self.rule)

    @property
    def rounding(self) -> str:
        """The rounding model's name."""
        return self.target.framework.name

    def subject(self) -> Subject:
        """What runs it."""
        value, derivative = self.value, self.derivative
        if not self.compiled:
            return self.target.subject(value, derivative, self.primal)
        from oracles.frameworks.in_jax import compiled

        def alone(*args: Any) -> Any:
            """To compile the value too would be to run another program than the user's."""
            return derivative(*args)[1] if self.primal else derivative(*args)

        return self.target.subject(compiled(value), compiled(alone))

    @property
    def holds_one(self) -> bool:
        """Whether an object runs both by hand, and so may hold the state of one graph: a layer of NumPy's."""
        given = self.target.flat.function
        function = given.forward if isinstance(given, First) else given
        return not self.own and not isinstance(function, types.FunctionType | types.BuiltinFunctionType)

    def graphs(self) -> Subject:
        """What makes a graph, as its value, and pulls back on it, as its gradient."""
        assert self.graph is not None
        pulls = self.target.subject(self.graph, lambda pull, directions: pull(directions))
        return replace(pulls, value=self.target.subject(self.graph, self.graph).gradient)

    def along(self, k: int) -> Tested:
        """The same along the direction of that number alone: what the others are of is not used."""
        return replace(self, derivative=Alone(self.derivative, k)) if self.own else self

    def or_zeros(self) -> Tested:
        """The same with a gradient of zeros where it gives none: what was used does not depend on that."""
        own = self.target
        return replace(self, derivative=WithZeros(self.derivative, own.active, own.framework.zeros_like))

    def in_some(self, parts: Sequence[int]) -> Tested | None:
        """The same gradient without its other parts; None if it was not written by hand."""
        if self.own:
            return None
        target = replace(self.target, active=tuple(self.target.active[k] for k in parts))
        some = InSome(self.derivative, tuple(parts), self.graph)
        return replace(self, target=target, derivative=some, graph=self.graph and some.pulling)

    def symmetrised(self, which: Collection[int]) -> Tested | None:
        """The same with the mean of each of these gradients and its transpose; None of a framework's own."""
        if self.own:
            return None
        mean = Symmetrised(self.derivative, frozenset(which), self.graph)
        return replace(self, derivative=mean, graph=self.graph and mean.pulling)

    def in_one(self, k: int) -> Tested | None:
        """The gradient in the array of that number alone; None if it was written by hand."""
        if not self.own:
            return None
        flat = self.target.flat
        held = tuple(sorted({*flat.held, *self.target.active} - {k}))
        target = replace(self.target, flat=replace(flat, held=held), active=(k,))
        return under_test(target, GRADIENT, compiled=self.compiled)

    def specify(self, arrays: Sequence[Array]) -> Recording:
        """Record the function at these arrays, as it runs where this differentiates it.

        Raises:
            Unsupported, Undecided: It cannot be recorded.
        """
        return self.target.recorded(self.target.flat, arrays, True, self.exactly)

    def record(self, directions: tuple[Array, ...], inputs: Sequence[Array], alone: bool) -> Programs:
        """Its programs; `alone`: of copies of the inputs, since it writes into them.

        Raises:
            Unsupported, Undecided: It cannot be recorded.
        """
        own = self.target.framework
        derivative = own.leaving_alone(self.derivative) if alone else self.derivative

        def record(derivative: Function) -> Recording:
            return own.record(derivative, [directions, *inputs], differentiate=False, exactly=self.exactly)

        both = self.target.with_plain(record, derivative, inputs, lead=1)
        if self.graph and not self.own and not alone:
            whole = AfterForward(self.graph)
            return Programs(
                both, None, cache(lambda: own.record(whole, [directions, *inputs], differentiate=False))
            )
        if not self.primal:
            return Programs(both, None)
        count = len(self.target.results.names)
        return Programs(both.giving(slice(count, None)), both.giving(slice(count)))

    def watch(self, directions: tuple[Array, ...], inputs: Sequence[Array], mend: Mend) -> Watched:
        """Run it, and see which functions of the libraries it calls; `mend` may give other numbers for some.

        Raises:
            Unsupported: What it calls cannot be seen.
        """
        own = self.target.framework
        return own.watched(self.derivative, [directions, *inputs], mend, own.device_of(self.target.natives))


def under_test(
    target: Target, derivative: Derivative, backward: Function | None = None, compiled: bool = False
) -> Tested:
    """The derivative under test: a hand-written backward's, or else the framework's own.

    Raises:
        Unsupported: The framework cannot differentiate this.
    """
    own, flat, results = target.framework, target.flat, target.results
    if len(derivative.steps) > 1 and any(argument.tree.is_sparse for argument in target.arguments):
        raise Unsupported("torch loses the second derivative through a sparse argument; check the first one")
    graph: Function | None = None
    if backward is not None:
        written = by_hand(target, backward)
        pullback: Function = written
        graph, primal = written.graph, False
    else:
        nested, primal = len(derivative.steps) > 1, own.gives_primal
        pullback = own.pullback(flat, target.active, nested, primal and not nested)
        graph = own.graph(flat, target.active)
    count, steps = len(target.arrays), derivative.steps
    at_once = primal and len(steps) == 1
    function = derivative.of_subject(own, flat, pullback, target.active, count, len(results.names), at_once)
    if primal and not at_once:
        function = Beside(own.primal(flat, target.active, steps[0] == FORWARD), function, count)
    value = (lambda *inputs: flat(*inputs[:count])) if len(steps) > 1 else flat
    held = graph if derivative == GRADIENT and not compiled else None
    rule = backward or _rule_of(flat.function)
    rule = rule.gradient if isinstance(rule, WithoutCotangent) else rule
    return Tested(target, value, function, primal, compiled, held, backward is None, rule=rule)


def _rule_of(function: Function) -> Function | None:
    """The backward of a `jax.custom_vjp`, or of the `apply` of an `autograd.Function`."""
    owner = getattr(function, "__self__", None)
    found = getattr(function, "bwd", None) or getattr(owner, "backward", None)
    return found if callable(found) else None


def home_of(rule: Function | None) -> Origin | None:
    """The name of a function and the line where it begins; None where it is none of Python's."""
    rule = rule.func if isinstance(rule, partial) else rule
    code = getattr(getattr(rule, "__wrapped__", rule), "__code__", None)
    if not isinstance(code, types.CodeType):
        return None
    return Origin(code.co_name, Line(code.co_filename, code.co_firstlineno))
