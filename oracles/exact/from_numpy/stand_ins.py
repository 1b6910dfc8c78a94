"""What stands in place of NumPy's modules, functions and types in the recorded code, and passes for them.

To other threads that run the same code each is what it stands for.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np

from oracles.exact.from_numpy.held import recording
from oracles.exact.from_numpy.memory import FOLDING, of_lists

CACHE = type(functools.cache(len))


class Module:
    """A module of NumPy's: what is in it is replaced where it is asked for."""

    def __init__(self, module: ModuleType, of: Callable[[Any], Any]) -> None:
        """`of` gives what replaces something, None if nothing does."""
        self.__module, self.__of = module, of

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.__module, name)
        new = self.__of(found) if recording.get() else None
        return found if new is None else new


class Function:
    """A function that is replaced. It passes for the original: as a key of a table, say."""

    def __init__(self, function: Callable[..., Any], new: Callable[..., Any]) -> None:
        self.__function, self.__new = function, new

    @property  # type: ignore[misc]
    def __class__(self) -> type:
        return type(self.__function)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """The substitute's answer."""
        return (self.__new if recording.get() else self.__function)(*args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__function, name)

    def __eq__(self, other: object) -> bool:
        return self is other or self.__function is other

    def __hash__(self) -> int:
        return hash(self.__function)

    def __copy__(self) -> Function:
        return self

    def __deepcopy__(self, memo: Any) -> Function:
        return self


class Subscripted(Function):
    """What is subscripted and replaced.

    Attributes:
        stands_for: The original.
    """

    def __init__(self, original: Any, new: Callable[..., Any]) -> None:
        super().__init__(original.__getitem__, functools.partial(new, original.__getitem__))
        self.stands_for = original

    def __getitem__(self, key: Any) -> Any:
        """The substitute's answer."""
        return self(key)


class Ufunc(Function):
    """A ufunc that takes lists of recorded numbers, as its methods do."""

    def __init__(self, ufunc: np.ufunc) -> None:
        super().__init__(ufunc, functools.partial(of_lists, ufunc))
        for name in FOLDING:
            method = getattr(ufunc, name)
            setattr(self, name, Function(method, functools.partial(of_lists, method)))


class Constructor(type):
    """np.ndarray: called, it makes an array that takes recorded numbers; otherwise it is NumPy's type."""

    make: Callable[..., Any]

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        """A new array; one over other memory is NumPy's."""
        own = recording.get() and len(args) <= 2 and not kwargs.keys() - {"shape", "dtype"}
        return (cls.make if own else np.ndarray)(*args, **kwargs)

    def __instancecheck__(cls, item: Any) -> bool:
        return isinstance(item, np.ndarray)

    def __subclasscheck__(cls, kind: type) -> bool:
        return issubclass(kind, np.ndarray)

    def __eq__(cls, other: object) -> bool:
        return other is cls or other is np.ndarray

    def __hash__(cls) -> int:
        return hash(np.ndarray)


def with_own_cache(cached: Any) -> Any:
    """The same function with a cache of its own: its own one would keep what is recorded."""
    return functools.lru_cache(**cached.cache_parameters())(cached.__wrapped__)
