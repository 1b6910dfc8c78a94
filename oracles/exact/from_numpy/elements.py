"""What a recorded array is: NumPy's value, and a token for each element.

`in_numpy` is what NumPy computes, which gives shape, dtype, layout and errors; `tokens` say which recorded
value each element is. Nothing is concluded from `in_numpy`: its numbers are rounded, and only the recorded
program is exact.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Self, cast

import numpy as np
from numpy.typing import NDArray

from oracles.exact.from_numpy.dtypes import MOVING, name_of
from oracles.exact.from_numpy.refusals import opaque
from oracles.exact.from_numpy.tape import Tape


class Elements:
    """An array, or a scalar, of a recorded program.

    Attributes:
        tape: The recording that it belongs to.
        in_numpy: What NumPy has here: an ndarray, a NumPy scalar or a float. (`value` is a name of units.)
        tokens: One per element, in the memory layout of `in_numpy`; views share them as they share memory.
    """

    __slots__ = ("__weakref__", "in_numpy", "tape", "tokens")
    in_numpy: Any
    tape: Tape
    tokens: NDArray[Any]

    def __new__(cls, tape: Tape, value: Any, tokens: Any) -> Self:
        """What stands for a value, of the class for such."""
        plain = isinstance(value, np.ndarray) and type(value) is not np.ndarray
        self = object.__new__(cast("type[Self]", cls.of_kind(type(value))))
        self.in_numpy = value.view(np.ndarray) if plain else value
        self.tape, self.tokens = tape, np.asarray(tokens)
        return self

    @staticmethod
    def of_kind(kind: Any) -> type[Elements]:
        """The class of what stands for values of this type."""
        raise NotImplementedError

    @property  # type: ignore[misc]
    def __class__(self) -> type:  # code that asks isinstance(x, np.ndarray) runs unchanged
        return type(self.in_numpy)

    @property
    def shape(self) -> tuple[int, ...]:
        """As NumPy's."""
        return self.tokens.shape

    @shape.setter
    def shape(self, new: Any) -> None:
        self.in_numpy.shape = new
        self.tokens.shape = self.in_numpy.shape

    @property
    def ndim(self) -> int:
        """As NumPy's."""
        return self.tokens.ndim

    @property
    def size(self) -> int:
        """As NumPy's."""
        return self.tokens.size

    @property
    def dtype(self) -> np.dtype[Any]:
        """As NumPy's."""
        kind: Any = getattr(self.in_numpy, "dtype", None)
        return np.asarray(self.in_numpy).dtype if kind is None else kind  # of a float

    @property
    def is_float(self) -> bool:
        """Whether its elements are balls."""
        return name_of(self.dtype) in MOVING

    @property
    def is_scalar(self) -> bool:
        """Whether it stands for a NumPy scalar, which nothing can write into."""
        return not isinstance(self.in_numpy, np.ndarray)

    @property
    def recorded(self) -> Any:
        """The recorded value of the whole array."""
        return self.tape.read(self.tokens, name_of(self.dtype))

    @property
    def real(self) -> Any:
        """As NumPy's."""
        return self.tape.answers.part(self, "re") if self.dtype.kind == "c" else self

    @real.setter
    def real(self, new: Any) -> None:
        if self.dtype.kind == "c" or self.is_scalar:  # in which nothing can be written
            self.tape.answers.put_part(self, "re", new)
        else:
            self[...] = new

    @property
    def imag(self) -> Any:
        """As NumPy's."""
        return self.tape.answers.part(self, "im") if self.dtype.kind == "c" else np.zeros_like(self)

    @imag.setter
    def imag(self, new: Any) -> None:
        if self.dtype.kind == "c":
            self.tape.answers.put_part(self, "im", new)
        else:
            self.in_numpy.imag = 0  # NumPy's own error

    @property
    def flat(self) -> Any:
        """As NumPy's."""
        return self.tape.answers.flat(self)

    @flat.setter
    def flat(self, new: Any) -> None:  # it begins again where there is too little
        self[...] = np.reshape(np.resize(new, self.size), self.shape)

    @property
    def base(self) -> Self | None:
        """As NumPy's: the array whose memory this is a part of, None of one that has its own."""
        value: Any = getattr(self.in_numpy, "base", None)
        if value is None:
            return None
        tokens = self.tokens.base
        if tokens is None or not isinstance(value, np.ndarray) or value.shape != tokens.shape:
            raise opaque("the base of an array that lies in no recorded one; use the array itself")
        return type(self)(self.tape, value, tokens)

    def __len__(self) -> int:
        return len(self.in_numpy)

    def __iter__(self) -> Iterator[Any]:
        if self.ndim == 0:
            raise TypeError("iteration over a 0-d array")
        return (self[i] for i in range(len(self)))

    def __contains__(self, item: Any) -> bool:
        return bool(np.any(self == item))

    def __getitem__(self, key: Any) -> Any:
        return self.tape.answers.get(self, key)

    def __setitem__(self, key: Any, new: Any) -> None:
        self.tape.answers.put(self, key, new)
