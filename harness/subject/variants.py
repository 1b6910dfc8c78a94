"""A derivative otherwise: along one direction, in some arguments, with zeros for none, beside a value."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from harness.subject.derivative import Function, OfDerivative
from oracles.exact.program.trees import Derived, Flat


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
class Alone(OfDerivative):
    """A derivative along the direction of number `k` alone; None stands for the others."""

    k: int

    def __call__(self, directions: Sequence[Any], *inputs: Any) -> Any:
        """The derivative."""
        return self.derivative(tuple(d if j == self.k else None for j, d in enumerate(directions)), *inputs)


@dataclass(frozen=True)
class InSome(OfDerivative):
    """Some parts of a gradient, by their numbers, and of what pulls back on a graph."""

    parts: tuple[int, ...]
    graph: Function | None

    def __call__(self, directions: Sequence[Any], *inputs: Any) -> tuple[Any, ...]:
        """The parts."""
        return self._of(self.derivative(directions, *inputs))

    def pulling(self, *inputs: Any) -> Function:
        """What pulls back on the graph at these inputs."""
        assert self.graph is not None
        pull = self.graph(*inputs)
        return lambda directions: self._of(pull(directions))

    def _of(self, found: Sequence[Any]) -> tuple[Any, ...]:
        known = len(found) > max(self.parts)  # it gave so many before
        return tuple(found[k] for k in self.parts) if known else tuple(found)


@dataclass(frozen=True)
class Symmetrised(OfDerivative):
    """A gradient, and for some of its parts, by number, the mean with their transpose."""

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
class OfArrays(Derived):
    """What runs a function of arguments, for the arrays in these; what else they are stays."""

    of_arguments: Function
    flat: Flat

    def graph(self, *arrays: Any) -> Function:
        """Run it, and give what it gives."""
        args, _ = self.flat.arguments(*arrays)
        found: Function = self.of_arguments(*args)
        return found

    @property
    def origins(self) -> tuple[Any, ...]:
        """What runs, and the function of these arrays."""
        return (getattr(self.of_arguments, "__self__", self.of_arguments), self.flat)
