"""The derivative under test: the framework's own, or one that a person wrote; how it runs and is recorded."""

from __future__ import annotations

import inspect
import sys
import types
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import Any, NamedTuple

from harness.subject.complex_pairs import ComplexName
from harness.subject.derivative import FORWARD, GRADIENT, Array, Derivative, Function
from harness.subject.names import parameters_of
from harness.subject.number_lists import as_number, is_list_for, stacked
from harness.subject.target import Argument, Target
from oracles.exact.program.errors import Unsupported
from oracles.exact.program.program import Line, Origin
from oracles.exact.program.recording import Recording
from oracles.exact.program.trees import Derived, Fixed, Flat, Tree, dtype_of, flatten, is_complex
from oracles.exact.program.words import kind_of
from oracles.frameworks.calls import Mend, Watched
from oracles.frameworks.framework import Subject

EXACT = 2**53  # up to this every integer is a float64


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
        return replace(self, derivative=OrZeros(self.derivative, own.active, own.framework.zeros_like))

    def in_some(self, parts: Sequence[int]) -> Tested | None:
        """The same gradient without its other parts; None if it was not written by hand."""
        if self.own:
            return None
        target = replace(self.target, active=tuple(self.target.active[k] for k in parts))
        some = InSome(self.derivative, tuple(parts), self.graph)
        graph = some.graph if self.graph else None
        return replace(self, target=target, derivative=some, graph=graph)

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
        return self.target.framework.record(self.target.flat, arrays, True, self.exactly)

    def record(self, directions: tuple[Array, ...], inputs: Sequence[Array], alone: bool) -> Programs:
        """Its programs; `alone`: of copies of the inputs, since it writes into them.

        Raises:
            Unsupported, Undecided: It cannot be recorded.
        """
        own = self.target.framework
        derivative = own.leaving_alone(self.derivative) if alone else self.derivative
        both = own.record(derivative, [directions, *inputs], differentiate=False, exactly=self.exactly)
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


def by_hand(target: Target, backward: Function) -> HandWritten:
    """What a person wrote, as the derivative of a target."""
    flat, results = target.flat, target.results
    if not target.is_complex:
        return HandWritten(backward, flat, results.tree, results.fixed, target.arguments, results.numbers)
    return OfComplex(
        backward, flat, results.tree, results.fixed, target.arguments, results.numbers,
        tuple(isinstance(name, ComplexName) for name in results.names),
        tuple(k in flat.complex for k in target.active),
        target.framework.conjugates,
    )  # fmt: skip


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


@dataclass(frozen=True)
class Beside(Derived):
    """A derivative of a derivative, and beside it the value that the first derivative's run gives.

    Attributes:
        primal: That value, of the arrays alone: the first so many inputs.
    """

    primal: Function
    derivative: Function
    count: int

    def __call__(self, directions: Sequence[Any], *inputs: Any) -> tuple[Any, Any]:
        """Both."""
        return self.primal(*inputs[: self.count]), self.derivative(directions, *inputs)

    @property
    def origins(self) -> tuple[Any, ...]:
        """Both."""
        return (self.primal, self.derivative)


@dataclass(frozen=True)
class Alone(Derived):
    """A derivative along the direction of number `k` alone; None stands for the others."""

    derivative: Function
    k: int

    def __call__(self, directions: Sequence[Any], *inputs: Any) -> Any:
        """The derivative."""
        return self.derivative(tuple(d if j == self.k else None for j, d in enumerate(directions)), *inputs)

    @property
    def origins(self) -> tuple[Any, ...]:
        """The derivative."""
        return (self.derivative,)


@dataclass(frozen=True)
class InSome(Derived):
    """Some parts of a gradient, by their numbers, and of what pulls back on a graph."""

    derivative: Function
    parts: tuple[int, ...]
    whole: Function | None

    def __call__(self, directions: Sequence[Any], *inputs: Any) -> tuple[Any, ...]:
        """The parts."""
        return self._of(self.derivative(directions, *inputs))

    def graph(self, *inputs: Any) -> Function:
        """Run the forward, and give what pulls back."""
        assert self.whole is not None
        pull = self.whole(*inputs)
        return lambda directions: self._of(pull(directions))

    def _of(self, found: Sequence[Any]) -> tuple[Any, ...]:
        known = len(found) > max(self.parts)  # it gave so many before
        return tuple(found[k] for k in self.parts) if known else tuple(found)

    @property
    def origins(self) -> tuple[Any, ...]:
        """The gradient."""
        return (self.derivative,)


@dataclass(frozen=True)
class OrZeros(Derived):
    """A gradient in the `active` inputs, with zeros where it gives None."""

    derivative: Function
    active: tuple[int, ...]
    zeros: Function

    def __call__(self, directions: Sequence[Any], *inputs: Any) -> Any:
        """The gradient."""
        found = self.derivative(directions, *inputs)
        if not isinstance(found, tuple) or len(found) != len(self.active):
            return found
        pairs = zip(found, self.active, strict=True)
        return tuple(self.zeros(inputs[i]) if gradient is None else gradient for gradient, i in pairs)

    @property
    def origins(self) -> tuple[Any, ...]:
        """The gradient."""
        return (self.derivative,)


@dataclass(frozen=True)
class Symmetrised(Derived):
    """A gradient, and for some of its parts, by number, the mean with their transpose."""

    derivative: Function
    which: frozenset[int]
    graph: Function | None

    def __call__(self, directions: Sequence[Any], *inputs: Any) -> Any:
        """The gradient."""
        return self._means(self.derivative(directions, *inputs))

    def pulling(self, *inputs: Any) -> Function:
        """What pulls back on the graph at these inputs."""
        assert self.graph is not None
        pull = self.graph(*inputs)
        return lambda directions: self._means(pull(directions))

    def _means(self, found: Any) -> Any:
        if not isinstance(found, tuple):
            return found
        return tuple((g + g.swapaxes(-1, -2)) / 2 if k in self.which else g for k, g in enumerate(found))

    @property
    def origins(self) -> tuple[Any, ...]:
        """The gradient."""
        return (self.derivative,)


@dataclass(frozen=True)
class First(Derived):
    """A forward that returns (result, residuals), without the residuals."""

    forward: Callable[..., Any]

    @property
    def __signature__(self) -> inspect.Signature:
        return inspect.signature(self.forward)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """The result alone."""
        return self.pair(*args, **kwargs)[0]

    def pair(self, *args: Any, **kwargs: Any) -> tuple[Any, Any]:
        """Both.

        Raises:
            ValueError: The forward does not return two things.
        """
        found = self.forward(*args, **kwargs)
        if not isinstance(found, tuple | list) or len(found) != 2:
            several = isinstance(found, tuple | list)
            what = f"{len(found)} values" if several else kind_of(found)
            raise ValueError(
                f"with residual_vjp= the function must return (result, residuals); it returns {what}"
            )
        return found[0], found[1]

    @property
    def origins(self) -> tuple[Any, ...]:
        """The forward."""
        return (self.forward,)


@dataclass(frozen=True)
class WithoutCotangent(Derived):
    """A gradient of a single number, which takes no cotangent, as a backward that is given 1."""

    gradient: Callable[..., Any]

    def __call__(self, cotangent: Any, *args: Any, **kwargs: Any) -> Any:
        """The gradient."""
        return self.gradient(*args, **kwargs)

    @property
    def origins(self) -> tuple[Any, ...]:
        """The gradient."""
        return (self.gradient,)


@dataclass(frozen=True)
class AfterForward(Derived):
    """A gradient by hand, with the function that runs before it: `graph(*arrays)(cotangents)`."""

    graph: Function

    def __call__(self, cotangents: Sequence[Any], *arrays: Any) -> tuple[Any, ...]:
        """The gradients."""
        found: tuple[Any, ...] = self.graph(*arrays)(cotangents)
        return found

    @property
    def origins(self) -> tuple[Any, ...]:
        """Whose graph it is."""
        return (getattr(self.graph, "__self__", self.graph),)


@dataclass(frozen=True)
class HandWritten(Derived):
    """`pull(cotangents, *arrays)`: the gradients that a backward gives for the differentiated arrays.

    Attributes:
        backward: `backward(cotangent, *args, **kwargs)`; where the forward keeps residuals,
            `backward(residuals, cotangent)`.
        flat: The function.
        result: The tree of the function's result.
        fixed: What in it has no cotangent.
        arguments: The differentiated ones, in the order of the gradients.
        numbers: Which results are numbers: so are their cotangents, which nobody can write into.
    """

    backward: Callable[..., Any]
    flat: Flat
    result: Tree
    fixed: tuple[Fixed, ...]
    arguments: tuple[Argument, ...]
    numbers: tuple[bool, ...]

    def __call__(self, cotangents: Sequence[Any], *arrays: Any) -> tuple[Any, ...]:
        """One gradient for each differentiated array; another number of them where the backward is wrong."""
        return self._from(self._residuals(arrays), cotangents, arrays)

    def graph(self, *arrays: Any) -> Function:
        """Run the forward, and give `pull(cotangents)`."""
        residuals = self._residuals(arrays)
        if residuals is None:
            self.flat.result(*arrays)  # it may leave something behind, for the backward to find
        return lambda cotangents: self._from(residuals, cotangents, arrays)

    def _residuals(self, arrays: Sequence[Any]) -> tuple[Any] | None:
        if not isinstance(self.flat.function, First):
            return None
        args, kwargs = self.flat.arguments(*arrays)
        self.flat.restart()
        return (self.flat.function.pair(*args, **kwargs)[1],)

    def given(self, cotangents: Sequence[Any], *arrays: Any) -> Mapping[int, Any]:
        """What the backward gives after a run of the function, by the places of the arguments.

        Of those that are not differentiated too, where it gives something for every argument.
        """
        residuals = self._residuals(arrays)
        if residuals is None:
            self.flat.result(*arrays)
        found, args = self._found(residuals, cotangents, arrays)
        return self._named(found) or self._by_place(self._parts(found, args), args)

    def _from(
        self, residuals: tuple[Any] | None, cotangents: Sequence[Any], arrays: Sequence[Any]
    ) -> tuple[Any, ...]:
        return self._gradients(*self._found(residuals, cotangents, arrays))

    def _found(
        self, residuals: tuple[Any] | None, cotangents: Sequence[Any], arrays: Sequence[Any]
    ) -> tuple[Any, Sequence[Any]]:
        """What the backward returns, and the arguments."""
        args, kwargs = self.flat.arguments(*arrays)
        told = zip(cotangents, self.numbers, strict=True)
        given = (c[()] if is_number and self.result.framework == "numpy" else c for c, is_number in told)
        places = {f.place for f in self.fixed}
        # What has no cotangent gets None: an integer has no gradient, which is not a zero one.
        leaves = [None if k in places else next(given) for k in range(len(self.result.names))]
        cotangent = self.result.filled(leaves)
        if residuals is not None:
            return self.backward(residuals[0], cotangent), args
        return self.backward(cotangent, *args, **kwargs), args

    def _named(self, found: Any) -> Mapping[int, Any]:
        """What is found by the places of the arguments, where it is a dictionary of their names.

        None of them where it is of one argument that is a tree, which has names of its own.
        """
        if type(found) is not dict or (len(self.arguments) == 1 and self.arguments[0].tree.names[0]):
            return {}
        places = {name: k for k, name in enumerate(parameters_of(self.flat.function))}
        return {places[name]: part for name, part in found.items()} if found.keys() <= places.keys() else {}

    def _parts(self, found: Any, args: Sequence[Any]) -> list[Any]:
        """What is found, as one part for each argument, or for each differentiated one."""
        one = self.arguments[0] if len(self.arguments) == 1 else None
        if one and _is_scalar(args[one.place]) and 1 < _rows(found) == len(args):
            return list(found)  # an array is no gradient of a number
        if one and (_is_one(one.tree, found) or is_list_for(found, args[one.place])):
            return [found]  # the one gradient, which is a tree itself, or a list of the array's numbers
        many = isinstance(found, tuple | list)
        many = many or (one is None and _rows(found) in {len(args), len(self.arguments)})
        parts = list(found) if many else [found]
        # Where several parts are no gradients of several arguments, a list may stand for a tuple.
        if (
            one
            and len(parts) not in {1, len(args)}
            and one.tree.is_like(flatten(one.tree.framework, found)[1])
        ):
            return [found]
        return parts

    def _by_place(self, parts: Sequence[Any], args: Sequence[Any]) -> Mapping[int, Any]:
        """The parts by the places of their arguments; none where there is another number of them.

        They are those of the differentiated arguments, or of all, or of those and of Python's numbers.
        """
        chosen = [argument.place for argument in self.arguments]
        with_floats, with_numbers = (
            [k for k, arg in enumerate(args) if k in chosen or type(arg) in kinds]
            for kinds in ({float}, {float, int})
        )
        for places in (chosen, range(len(args)), with_floats, with_numbers):
            if len(parts) == len(places):
                return dict(zip(places, parts, strict=True))
        return {}

    def _gradients(self, found: Any, args: Sequence[Any]) -> tuple[Any, ...]:
        own, placed = self.result.framework, self._named(found)
        if not placed:
            parts = self._parts(found, args)
            placed = self._by_place(parts, args)
            if not placed:
                return tuple(parts)
        gradients: list[Any] = []
        for argument in self.arguments:
            part = placed.get(argument.place)
            if part is None:
                gradients += [None] * sum(argument.active)
                continue
            if is_list_for(part, args[argument.place]):
                part = stacked(own, part, args[argument.place])
            leaves = leaves_of(part, argument.tree)
            whole = len(leaves) == len(argument.tree.names)
            if not whole:
                gradients += leaves
                continue
            chosen = zip(leaves, argument.active, argument.numbers, strict=True)
            gradients += [as_number(g) if number else g for g, active, number in chosen if active]
        # An integer of Python's has no dtype, and a float the one that JAX computes in.
        floats = tuple(float(g) if type(g) is int and abs(g) <= EXACT else g for g in gradients)
        if own != "jax":
            return floats
        return tuple(sys.modules["jax.numpy"].asarray(g) if type(g) is float else g for g in floats)

    @property
    def origins(self) -> tuple[Any, ...]:
        """The backward, and the function."""
        return (self.backward, self.flat)


def leaves_of(part: Any, tree: Tree) -> list[Any]:
    """The gradients in what is given for an argument, in the order of its tree."""
    if tree.framework != "jax":  # of a list of numbers it is an array, as code computes with those
        part = _in_rows(tree.spec, part)
    try:
        return flatten(tree.framework, tree.ordered(part))[0]
    except ValueError:  # other keys: of as many entries none is a gradient
        leaves, other = flatten(tree.framework, part)
        if leaves and {*other.names} <= {*tree.names}:  # some keys: the others have none
            known = dict(zip(other.names, leaves, strict=True))
            return list(map(known.get, tree.names))
        return [str(part)] if len(leaves) == len(tree.names) else leaves


def _in_rows(spec: Any, part: Any) -> Any:
    """A part in the structure of an argument: where that has a list, and the part an array, its rows."""
    if spec is None or spec[0] is dict or not (_rows(part) or isinstance(part, list | tuple)):
        return part
    parts = spec[-1]
    is_alike = len(part) == len(parts) and not hasattr(part, "_fields")
    return list(map(_in_rows, parts, part)) if is_alike else part


def _rows(part: Any) -> int:
    """How long the first axis of an array is; 0 of anything else."""
    return len(part) if dtype_of(part) and part.ndim else 0


def _is_scalar(argument: Any) -> bool:
    """Whether it is a number, or an array without axes."""
    return type(argument) is float or bool(dtype_of(argument) and not argument.shape)


def _is_one(tree: Tree, found: Any) -> bool:
    """Whether it is shaped as a tree that holds several arrays."""
    with suppress(ValueError):
        return bool(flatten(tree.framework, tree.ordered(found))[1].spec == tree.spec)
    return False


@dataclass(frozen=True)
class OfComplex(HandWritten):
    """The same where some arrays stand for complex numbers: what a person wrote takes and gives those.

    Attributes:
        results, gradients: Which cotangents and which gradients are complex.
        conjugates: Whether a gradient is dL/da - i dL/db, and not dL/da + i dL/db.
    """

    results: tuple[bool, ...]
    gradients: tuple[bool, ...]
    conjugates: bool

    def _found(
        self, residuals: tuple[Any] | None, cotangents: Sequence[Any], arrays: Sequence[Any]
    ) -> tuple[Any, Sequence[Any]]:
        pairs = zip(cotangents, self.results, strict=True)
        given = [self._told(self.flat.joined(c)) if of_complex else c for c, of_complex in pairs]
        return super()._found(residuals, given, arrays)

    def _gradients(self, found: Any, args: Sequence[Any]) -> tuple[Any, ...]:
        gradients = super()._gradients(found, args)
        if len(gradients) != len(self.gradients):
            return gradients
        return tuple(
            self.flat.split(self._told(g)) if of_complex and is_complex(g) else g
            for g, of_complex in zip(gradients, self.gradients, strict=True)
        )

    def _told(self, numbers: Any) -> Any:
        return numbers.conj() if self.conjugates else numbers
