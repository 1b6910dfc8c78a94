"""What a recorded array is: NumPy's value, and a token for each element.

`value` is what NumPy computes, which gives shape, dtype, layout and errors; `tokens` say which recorded value
each element is. Nothing is concluded from `value`: its numbers are rounded, and only the recorded program is
exact.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Self

import numpy as np

from oracles.exact.from_numpy.dtypes import MOVING, name_of
from oracles.exact.from_numpy.refusals import opaque
from oracles.exact.from_numpy.tape import Tape


class Elements:
    """An array, or a scalar, of a recorded program.

    Attributes:
        tape: The recording that it belongs to.
        value: What NumPy has here: an ndarray, a NumPy scalar or a float.
        tokens: One per element, in the memory layout of `value`; views share them as they share memory.
    """

    __slots__ = ("tape", "tokens", "value")

    def __init__(self, tape: Tape, value: Any, tokens: Any) -> None:
        plain = isinstance(value, np.ndarray) and type(value) is not np.ndarray
        self.value = value.view(np.ndarray) if plain else value
        self.tape, self.tokens = tape, np.asarray(tokens)

    @property  # type: ignore[misc]
    def __class__(self) -> type:  # code that asks isinstance(x, np.ndarray) runs unchanged
        return type(self.value)

    @property
    def shape(self) -> tuple[int, ...]:
        """As NumPy's."""
        return self.tokens.shape

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
        kind: Any = getattr(self.value, "dtype", None)
        return np.asarray(self.value).dtype if kind is None else kind  # of a float

    @property
    def is_float(self) -> bool:
        """Whether its elements are balls."""
        return name_of(self.dtype) in MOVING

    @property
    def is_scalar(self) -> bool:
        """Whether it stands for a NumPy scalar, which nothing can write into."""
        return not isinstance(self.value, np.ndarray)

    @property
    def recorded(self) -> Any:
        """The recorded value of the whole array."""
        return self.tape.read(self.tokens, name_of(self.dtype))

    @property
    def real(self) -> Self:
        """As NumPy's, but what is written into that of a complex array is refused."""
        return self._part("re") if self.dtype.kind == "c" else self

    @property
    def imag(self) -> Any:
        """Likewise."""
        return self._part("im") if self.dtype.kind == "c" else np.zeros_like(self)

    def _part(self, name: str) -> Self:
        value = np.array(self.value.real if name == "re" else self.value.imag)
        value.flags.writeable = False
        own: Any = value.view() if isinstance(self.value, np.ndarray) else value[()]  # no flag undoes it
        return type(self)(self.tape, own, self.tape.register(getattr(self.recorded, name), value))

    @property
    def flat(self) -> Any:
        """As NumPy's."""
        return self.tape.answers.flat(self)

    @property
    def base(self) -> Self | None:
        """As NumPy's: the array whose memory this is a part of, None of one that has its own."""
        value: Any = getattr(self.value, "base", None)
        if value is None:
            return None
        tokens = self.tokens.base
        if tokens is None or not isinstance(value, np.ndarray) or value.shape != tokens.shape:
            raise opaque("the base of an array that lies in no recorded one; use the array itself")
        return type(self)(self.tape, value, tokens)

    def __len__(self) -> int:
        return len(self.value)

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
