"""The arguments of a check as their leaves: which are arrays, and which of them are differentiated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from harness.subject.argnums import chosen_arguments, is_moving
from harness.subject.objects import stays
from harness.subject.refused import lacks_numbers, refuse_strange, refuse_subclasses
from oracles.exact.from_numpy.held import Held
from oracles.exact.program.trees import Tree, dtype_of, flatten
from oracles.frameworks.framework import Framework


@dataclass(frozen=True)
class Argument:
    """A differentiated argument: its place among all, its tree, which of its leaves are active.

    Attributes:
        numbers: Which of them are numbers of Python's or NumPy's, and no arrays of no axes.
    """

    place: int
    tree: Tree
    active: tuple[bool, ...]
    numbers: tuple[bool, ...]

    def holding(self, at: int) -> Argument:
        """The same with one leaf as a constant."""
        return replace(self, active=tuple(moves and k != at for k, moves in enumerate(self.active)))

    def rebuilt(self, parts: Sequence[Any]) -> Any:
        """One thing per active leaf, in the structure of the argument; None at the other leaves."""
        waiting = iter(parts)
        return self.tree.filled([next(waiting) if active else None for active in self.active])


@dataclass(frozen=True)
class Leaves:
    """The leaves of all arguments, those of the positional ones first.

    Attributes:
        parts: Of each positional argument its own leaves and its tree.
        tree: Of all arguments.
        every: All of them; a float of Python's that is differentiated is an array.
        kinds: Their types as they were given.
        owners: Which argument each is of; those beyond are of keywords.
        chosen: The arguments that are differentiated, in the order of argnums.
    """

    parts: tuple[tuple[list[Any], Tree], ...]
    tree: Tree
    every: tuple[Any, ...]
    kinds: tuple[type, ...]
    owners: tuple[int, ...]
    chosen: tuple[int, ...]

    @staticmethod
    def of(
        name: str, args: Sequence[Any], kwargs: Mapping[str, Any], argnums: int | Sequence[int] | None
    ) -> Leaves:
        """Of arguments to a function of the framework of this name.

        Raises:
            ValueError: One stands for numbers, or argnums is not what it must be.
            Unsupported: One is a nested tensor.
        """
        args = [_itself(name, a) for a in args]
        parts = [flatten(name, a) for a in args]
        leaves = [leaf for part, _ in parts for leaf in part]
        owners = tuple(k for k, (part, _) in enumerate(parts) for _ in part)
        leaves += flatten(name, dict(kwargs))[0]
        refuse_strange(leaves)
        refuse_subclasses(leaves)
        chosen = chosen_arguments([own for own, _ in parts], argnums)
        kinds = tuple(map(type, leaves))
        for k, owner in enumerate(owners):
            if kinds[k] is float and owner in chosen:
                leaves[k] = np.array(leaves[k])
        tree = flatten(name, (tuple(args), dict(kwargs)))[1]
        return Leaves(tuple(parts), tree, tuple(leaves), kinds, owners, tuple(chosen))

    def places(self, own: Framework) -> list[int]:
        """Which of them are arrays of numbers.

        A mask's infinities, and what is missing of data, are constants, as in a closure.
        """
        moves = {k for k, owner in enumerate(self.owners) if owner in self.chosen}
        return [
            k for k, leaf in enumerate(self.every)
            if dtype_of(leaf)
            and ((k in moves and is_moving(leaf)) or not (stays(leaf) or lacks_numbers(own, leaf)))
        ]  # fmt: skip

    def active(self, places: Sequence[int]) -> tuple[int, ...]:
        """Which of these are differentiated, by their numbers among these.

        Several arguments in the order that argnums has: so come the gradients of a backward by hand.
        """
        return tuple(
            at
            for k in self.chosen
            for at, place in enumerate(places)
            if place < len(self.owners) and self.owners[place] == k and is_moving(self.every[place])
        )

    def numbers(self, places: Sequence[int]) -> tuple[tuple[int, str], ...]:
        """Which of these were single numbers of Python's or NumPy's, and of which type."""
        return tuple(
            (k, self.kinds[place].__name__)
            for k, place in enumerate(places)
            if self.kinds[place] is float or issubclass(self.kinds[place], np.generic)
        )

    @property
    def arguments(self) -> tuple[Argument, ...]:
        """Those that are differentiated."""
        return tuple(
            Argument(
                k,
                self.parts[k][1],
                tuple(is_moving(leaf) or type(leaf) is float for leaf in self.parts[k][0]),
                tuple(type(leaf) is float or isinstance(leaf, np.generic) for leaf in self.parts[k][0]),
            )
            for k in self.chosen
        )


def _itself(name: str, arg: Any) -> Any:
    """An argument as it is, where another thread that records has replaced the caller's variables."""
    leaves, tree = flatten(name, arg)
    if not any(type(leaf) is Held for leaf in leaves):
        return arg
    return tree.filled([leaf.view(np.ndarray) if type(leaf) is Held else leaf for leaf in leaves])
