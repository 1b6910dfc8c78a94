"""A backward that a person wrote, of trees, as a function of arrays: what is examined."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from oracles.exact.program.trees import Derived, Fixed, Flat, Tree, flatten


@dataclass(frozen=True)
class First(Derived):
    """A forward that returns (result, residuals), without the residuals."""

    forward: Callable[..., Any]

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
            what = f"{len(found)} values" if several else f"a {type(found).__name__}"
            raise ValueError(
                f"with residual_vjp= the function must return (result, residuals); it returns {what}"
            )
        return found[0], found[1]

    @property
    def origins(self) -> tuple[Any, ...]:
        """The forward."""
        return (self.forward,)


@dataclass(frozen=True)
class Argument:
    """A differentiated argument: its place among all, its tree, which of its leaves are differentiated."""

    place: int
    tree: Tree
    moving: tuple[bool, ...]


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
    """

    backward: Callable[..., Any]
    flat: Flat
    result: Tree
    fixed: tuple[Fixed, ...]
    arguments: tuple[Argument, ...]

    def __call__(self, cotangents: Sequence[Any], *arrays: Any) -> tuple[Any, ...]:
        """One gradient for each differentiated array; another number of them where the backward is wrong."""
        args, kwargs = self.flat.arguments(*arrays)
        given, places = iter(cotangents), {f.place for f in self.fixed}
        # What has no cotangent gets None: an integer has no gradient, which is not a zero one.
        leaves = [None if k in places else next(given) for k in range(len(self.result.names))]
        cotangent = self.result.filled(leaves)
        if isinstance(self.flat.function, First):
            _, residuals = self.flat.function.pair(*args, **kwargs)
            return self._gradients(self.backward(residuals, cotangent), len(args))
        return self._gradients(self.backward(cotangent, *args, **kwargs), len(args))

    def _gradients(self, found: Any, count: int) -> tuple[Any, ...]:
        parts = list(found) if isinstance(found, tuple | list) else [found]
        if len(self.arguments) == 1 and _tree(self.result.framework, found) == self.arguments[0].tree.spec:
            parts = [found]  # the one gradient, which is a tree itself
        elif len(parts) == count != len(self.arguments):
            parts = [parts[a.place] for a in self.arguments]  # one for each argument, differentiated or not
        if len(parts) != len(self.arguments):
            return tuple(parts)
        gradients: list[Any] = []
        for part, argument in zip(parts, self.arguments, strict=True):
            leaves, tree = flatten(self.result.framework, part)
            whole = tree.spec == argument.tree.spec
            chosen = zip(leaves, argument.moving if whole else [True] * len(leaves), strict=True)
            gradients += [gradient for gradient, moves in chosen if moves]
        return tuple(gradients)

    @property
    def origins(self) -> tuple[Any, ...]:
        """The backward, and the function."""
        return (self.backward, self.flat)


def _tree(framework: str, value: Any) -> Any:
    return flatten(framework, value)[1].spec
