"""Functions of trees as functions of arrays: what is examined takes and returns arrays alone.

A tree is lists, tuples, dictionaries, torch's sparse and mkldnn tensors, and, with JAX, every node that is
registered there; its leaves are everything else. Arrays are passed on; what is no array is kept where it was.
"""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from oracles.exact.program.patterns import Pattern, has_own_layout, is_sparse, made_dense, values_of
from oracles.exact.program.program import FLOATS


@dataclass(frozen=True)
class Tree:
    """A tree without its leaves. Two of the same shape are equal.

    Attributes:
        framework: Which nodes there are.
        spec: JAX's treedef; else the kind of a node, its keys and its parts, None for a leaf.
        names: The leaves', as Python would reach them: "['w'][0]".
    """

    framework: str
    spec: Any
    names: tuple[str, ...]

    @property
    def is_sparse(self) -> bool:
        """Whether a sparse tensor is in it."""
        return self.framework == "torch" and _has_sparse(self.spec)

    def is_like(self, other: Tree) -> bool:
        """Whether another has its shape, where a list and a tuple are alike, but for JAX."""
        return bool(self.spec == other.spec or _of_sequences(self.spec) == _of_sequences(other.spec))

    def filled(self, leaves: Sequence[Any]) -> Any:
        """The tree with these leaves."""
        if self.framework == "jax":
            import jax

            return jax.tree.unflatten(self.spec, list(leaves))
        return _filled(self.spec, iter(leaves))

    def ordered(self, value: Any, partly: bool = False, called: str = "it") -> Any:
        """A value of this shape with the entries of its dictionaries in the order of the tree's.

        `partly`: some entries may lack. `called`: what an error calls it.

        Raises:
            ValueError: It has dictionaries, and another shape: other keys, say.
        """
        if self.framework != "jax":  # JAX sorts them
            value = _ordered(self.spec, value)
        found = flatten(self.framework, value)[1]
        if self.is_like(found):
            return value
        if _has_dictionary(value) and not partly:
            if not any(self.names):
                raise ValueError(f"{called} must be an array, got a dictionary of {_shown(value)}")
            own = ", ".join(self.names)
            raise ValueError(f"{called} must be {own}, got {_shown(value)}: name the same keys")
        return value


def flatten(framework: str, tree: Any) -> tuple[list[Any], Tree]:
    """The leaves of a tree in order, and the tree. None is a leaf."""
    if framework == "jax":
        import jax

        paths, spec = jax.tree_util.tree_flatten_with_path(tree, is_leaf=lambda leaf: leaf is None)
        names = tuple(jax.tree_util.keystr(path) for path, _ in paths)
        return [leaf for _, leaf in paths], Tree(framework, spec, names)
    pairs = list(_leaves(tree, ""))
    return [leaf for _, leaf in pairs], Tree(framework, _spec(tree), tuple(name for name, _ in pairs))


def dtype_of(leaf: Any) -> str:
    """The name of an array's dtype, "" for what is no array of numbers."""
    nested = getattr(leaf, "is_nested", False) is True  # torch raises where its shape is asked
    if not hasattr(leaf, "dtype") or not (nested or hasattr(leaf, "shape")):
        return ""
    name = str(leaf.dtype).removeprefix("torch.")
    return "" if name.startswith("key<") or name == "object" else name


def is_floating(leaf: Any) -> bool:
    """Whether a leaf is a floating array."""
    return dtype_of(leaf) in FLOATS


def is_complex(leaf: Any) -> bool:
    """Whether a leaf is an array of complex numbers, or one of them."""
    return type(leaf) is complex or dtype_of(leaf).startswith("complex")


def as_it_is(value: Any) -> Any:
    """The value."""
    return value


class Derived(ABC):
    """A function that is made of the user's, and calls nothing else that could change."""

    @property
    @abstractmethod
    def origins(self) -> tuple[Any, ...]:
        """The functions that it calls, and what it passes them."""


class Fixed(NamedTuple):
    """A leaf that is no array: its place, what it is, and how it is written, since 1 == 1.0 == True."""

    place: int
    leaf: Any
    written: str

    @classmethod
    def of(cls, place: int, leaf: Any) -> Fixed:
        """A leaf at its place."""
        plain = isinstance(leaf, bool | int | float | complex | str | bytes | None)
        return cls(place, leaf, repr(leaf) if plain else "")


@dataclass(frozen=True)
class Flat(Derived):
    """A function of trees as one of the arrays in them; its results are the floating ones.

    A complex array is one of real numbers here, pairs along a last axis, and so are complex results.

    Attributes:
        function: The function.
        tree: The tree of (args, kwargs).
        fixed: Its leaves that are no arrays.
        held: Which of the arrays are not differentiated: torch's custom functions may ask, and refuse.
        complex: Which of the arrays are pairs that stand for complex numbers.
        joined, split: Pairs as complex numbers, and complex numbers as pairs, in the framework.
        numbers: Which of the arrays stand for numbers, and their types: code asks what it is given.
        as_number: An array as such a number, in the framework.
        restart: Called before each evaluation, which so starts from the same state.
        like: The tree of results in whose order these are given; None for that of the function itself.
        dtypes: What its results are cast to, as those of the function that it specifies; theirs if empty.
    """

    function: Callable[..., Any]
    tree: Tree
    fixed: tuple[Fixed, ...]
    held: tuple[int, ...] = ()
    complex: tuple[int, ...] = ()
    joined: Callable[[Any], Any] = as_it_is
    split: Callable[[Any], Any] = as_it_is
    numbers: tuple[tuple[int, str], ...] = ()
    as_number: Callable[[Any, str], Any] = lambda array, kind: array
    restart: Callable[[], object] = field(default=lambda: None, compare=False)
    like: Tree | None = None
    dtypes: tuple[str, ...] = ()

    def __call__(self, *arrays: Any) -> tuple[Any, ...]:
        """The floating results of the function."""
        result, framework = self.result(*arrays), self.tree.framework
        one = framework != "jax" and not isinstance(result, dict | list | tuple)  # JAX knows other nodes
        if self.like is not None and not one:
            with suppress(ValueError):  # it is another's, and may be shaped otherwise
                result = self.like.ordered(result)
        leaves = [result] if one else flatten(framework, result)[0]
        real = (self.split(leaf) if is_complex(leaf) else leaf for leaf in leaves)
        found = tuple(leaf for leaf in real if is_floating(leaf) or type(leaf) is float)
        if len(found) != len(self.dtypes):
            return found
        return tuple(cast(framework, leaf, dtype) for leaf, dtype in zip(found, self.dtypes, strict=True))

    def result(self, *arrays: Any) -> Any:
        """What the function returns."""
        args, kwargs = self.arguments(*arrays)
        self.restart()
        found = self.function(*args, **kwargs)
        return made_dense(found) if self.tree.framework == "torch" else found

    def arguments(self, *arrays: Any) -> tuple[Any, Any]:
        """The arguments of the function with these arrays."""
        if self.tree.framework == "torch":
            arrays = tuple(a.detach() if k in self.held else a for k, a in enumerate(arrays))
        if self.complex:
            arrays = tuple(self.joined(a) if k in self.complex else a for k, a in enumerate(arrays))
        if self.numbers:
            kinds = dict(self.numbers)
            arrays = tuple(self.as_number(a, kinds[k]) if k in kinds else a for k, a in enumerate(arrays))
        leaves, fixed = iter(arrays), {f.place: f.leaf for f in self.fixed}
        count = len(self.tree.names)
        args, kwargs = self.tree.filled([fixed[k] if k in fixed else next(leaves) for k in range(count)])
        return args, kwargs

    @property
    def origins(self) -> tuple[Any, ...]:
        """The function, and what of its arguments is no array."""
        return (self.function, *(f.leaf for f in self.fixed))


def cast(framework: str, leaf: Any, dtype: str) -> Any:
    """An array in this dtype; a number of Python's has none."""
    if dtype in ("", dtype_of(leaf)) or type(leaf) is float:
        return leaf
    return leaf.to(getattr(sys.modules["torch"], dtype)) if framework == "torch" else leaf.astype(dtype)


def _leaves(tree: Any, name: str) -> Iterator[tuple[str, Any]]:
    if isinstance(tree, dict):
        for key, part in tree.items():
            yield from _leaves(part, f"{name}[{key!r}]")
    elif isinstance(tree, list | tuple):
        fields = getattr(tree, "_fields", None)
        for k, part in enumerate(tree):
            yield from _leaves(part, f"{name}.{fields[k]}" if fields else f"{name}[{k}]")
    elif has_own_layout(tree):
        yield f"{name}.{'values' if is_sparse(tree) else 'to_dense'}()", values_of(tree)
    else:
        yield name, tree


def _spec(tree: Any) -> Any:
    if isinstance(tree, dict):
        return dict, tuple(tree), tuple(map(_spec, tree.values()))  # another kind is filled otherwise
    if isinstance(tree, list | tuple):
        return type(tree), hasattr(tree, "_fields"), tuple(map(_spec, tree))
    return (Pattern, Pattern.of(tree), (None,)) if has_own_layout(tree) else None


def _ordered(spec: Any, value: Any) -> Any:
    if spec is None:
        return value
    kind, about, parts = spec
    if kind is dict and isinstance(value, dict) and set(value) <= set(about):
        known = [(key, part) for key, part in zip(about, parts, strict=True) if key in value]
        return {key: _ordered(part, value[key]) for key, part in known}
    if kind not in (dict, Pattern) and isinstance(value, list | tuple) and len(value) == len(parts):
        found = [_ordered(part, own) for part, own in zip(parts, value, strict=True)]
        return type(value)(*found) if hasattr(value, "_fields") else type(value)(found)
    return value


def _of_sequences(spec: Any) -> Any:
    """A list, a tuple and a named one are alike."""
    if not isinstance(spec, tuple) or len(spec) != 3:
        return spec
    kind, about, parts = spec
    if kind in (dict, Pattern):
        return kind, about, tuple(map(_of_sequences, parts))
    return list, False, tuple(map(_of_sequences, parts))


def _has_dictionary(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return any(map(_has_dictionary, value))
    return isinstance(value, dict)


def _shown(value: Any) -> str:
    return ", ".join(name for name, _ in _leaves(value, "")) or "nothing"


def _has_sparse(spec: Any) -> bool:
    if spec is None:
        return False
    kind, about, parts = spec
    return about.is_sparse if kind is Pattern else any(map(_has_sparse, parts))


def _filled(spec: Any, leaves: Iterator[Any]) -> Any:
    if spec is None:
        return next(leaves)
    kind, about, parts = spec
    found = [_filled(part, leaves) for part in parts]
    if kind is Pattern:
        return about.filled(*found)
    if kind is dict:
        return dict(zip(about, found, strict=True))
    return kind(*found) if about else kind(found)
