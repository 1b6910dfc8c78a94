"""What a person wrote as a derivative: a backward, with its cotangents and its gradients in their places."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from harness.subject.complex_pairs import ComplexName
from harness.subject.derivative import Function
from harness.subject.gradient_names import named_as, under_own_names
from harness.subject.leaves import Argument
from harness.subject.names import parameters_of
from harness.subject.number_lists import as_number, is_list_for, stacked
from harness.subject.target import Target
from oracles.exact.program.trees import Derived, Fixed, Flat, Tree, dtype_of, flatten, is_complex
from oracles.exact.program.words import kind_of

EXACT = 2**53  # up to this every integer is a float64


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
            raise ValueError(f"f must return (result, residuals) with residual_vjp=, got {what}")
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
        found = under_own_names(found, places)
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
        if many and dtype_of(found) and found.ndim == 1 and self._has_axes(args):
            many = False  # numbers are no gradients of arrays: it is one gradient, of one of them
        parts = list(found) if many else [found]
        # Where several parts are no gradients of several arguments, a list may stand for a tuple.
        if (
            one
            and len(parts) not in {1, len(args)}
            and one.tree.is_like(flatten(one.tree.framework, found)[1])
        ):
            return [found]
        return parts

    def _has_axes(self, args: Sequence[Any]) -> bool:
        """Whether each differentiated argument is an array with axes."""
        given = (args[argument.place] for argument in self.arguments)
        return all(dtype_of(one) and one.ndim for one in given)

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
        if len(self.arguments) == 1:
            found = named_as(args[self.arguments[0].place], found)
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
            given = args[argument.place]
            if is_list_for(part, given):
                part = stacked(own, part, given)
            part = named_as(given, part)
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
        if isinstance(part, dict):
            return [part]
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
