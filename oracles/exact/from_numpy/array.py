"""The array that NumPy code computes with while it is recorded.

It stands in for an ndarray (or, where NumPy gives a scalar, for the scalar): `value` is what NumPy computes,
which gives shape, dtype, layout and errors; `tokens` say which recorded value each element is. Nothing is
concluded from `value`: its numbers are rounded, and only the recorded program is exact.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

from oracles.exact.errors import Unsupported
from oracles.exact.from_numpy.leaving import Leaving
from oracles.exact.from_numpy.tape import Tape, unsupported, words
from oracles.exact.program import FLOATS, Var

METHODS = frozenset(
    words(
        "all any argmax argmin argsort choose conj conjugate cumprod cumsum diagonal dot max mean "
        "min nonzero prod put ravel repeat round searchsorted squeeze std sum swapaxes take trace var"
    )
)
LAYOUT = frozenset(words("flags strides itemsize nbytes"))


class TracedArray(Leaving, NDArrayOperatorsMixin):
    """An array, or a scalar, of a recorded program.

    Attributes:
        tape: The recording that it belongs to.
        value: What NumPy has here: an ndarray, a NumPy scalar or a float.
        tokens: One per element, in the memory layout of `value`; views share them as they share memory.
    """

    __slots__ = ("tape", "tokens", "value")
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, tape: Tape, value: Any, tokens: Any) -> None:
        self.tape, self.value, self.tokens = tape, value, np.asarray(tokens)

    @property  # type: ignore[misc]
    def __class__(self) -> type:  # code that asks isinstance(x, np.ndarray) runs unchanged
        return type(self.value)

    # -- what it is ---------------------------------------------------------------------------------------

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
        return np.asarray(self.value).dtype

    @property
    def is_float(self) -> bool:
        """Whether its elements are balls."""
        return self.dtype.name in FLOATS

    @property
    def is_scalar(self) -> bool:
        """Whether it stands for a NumPy scalar, which nothing can write into."""
        return not isinstance(self.value, np.ndarray)

    @property
    def recorded(self) -> Var:
        """The recorded value of the whole array."""
        return self.tape.read(self.tokens, self.dtype.name)

    @property
    def T(self) -> Any:
        """As NumPy's."""
        return self.transpose()

    @property
    def real(self) -> TracedArray:
        """Itself: there are no complex arrays here."""
        return self

    @property
    def flat(self) -> Any:
        """As NumPy's."""
        from oracles.exact.from_numpy.indexing import Flat

        return Flat(self)

    def __getattr__(self, name: str) -> Any:
        if name in METHODS:
            function = getattr(np, name)
            return lambda *args, **kwargs: function(self, *args, **kwargs)
        if name in LAYOUT:
            return getattr(self.value, name)
        if name == "mT":
            return self.swapaxes(-1, -2)
        if name.startswith("__"):
            raise AttributeError(name)
        raise UnsupportedAttribute(str(unsupported(f"arrays under exact recording have no attribute {name}")))

    def __len__(self) -> int:
        return len(self.value)

    def __iter__(self) -> Iterator[Any]:
        if self.ndim == 0:
            raise TypeError("iteration over a 0-d array")
        return (self[i] for i in range(len(self)))

    def __contains__(self, item: Any) -> bool:
        return bool(np.any(self == item))

    def __getitem__(self, key: Any) -> Any:
        from oracles.exact.from_numpy.indexing import get

        return get(self, key)

    def __setitem__(self, key: Any, new: Any) -> None:
        from oracles.exact.from_numpy.indexing import put

        put(self, key, new)

    # -- methods that are not functions of np -------------------------------------------------------------

    def reshape(self, *shape: Any, **kwargs: Any) -> Any:
        """As NumPy's."""
        return np.reshape(self, shape[0] if len(shape) == 1 else shape, **kwargs)

    def transpose(self, *axes: Any) -> Any:
        """As NumPy's."""
        return np.transpose(self, axes[0] if len(axes) == 1 else axes or None)

    def astype(self, dtype: Any, order: Any = "K", casting: Any = "unsafe", copy: bool = True) -> Any:
        """As NumPy's; from floats to integers what is cut off is decided, not rounded."""
        from oracles.exact.from_numpy.making import cast

        if not copy and np.dtype(dtype) == self.dtype and not self.is_scalar:
            return self
        return cast(self, np.dtype(dtype), order, casting)

    def clip(self, min: Any = None, max: Any = None, **kwargs: Any) -> Any:
        """As NumPy's."""
        return np.clip(self, min, max, **kwargs)

    def copy(self, order: Any = "C") -> Any:
        """As NumPy's."""
        return TracedArray(self.tape, np.array(self.value, order=order), np.array(self.tokens, order=order))

    __copy__ = copy

    def __deepcopy__(self, memo: Any) -> Any:
        return self.copy()

    def flatten(self, order: Any = "C") -> Any:
        """As NumPy's."""
        return np.ravel(self, order).copy()

    def fill(self, value: Any) -> None:
        """As NumPy's."""
        self[...] = value

    def sort(self, axis: int = -1, **kwargs: Any) -> None:
        """As NumPy's, in place."""
        self[...] = np.sort(self, axis, **kwargs)

    # -- where NumPy hands over ---------------------------------------------------------------------------

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        from oracles.exact.from_numpy.ufuncs import dispatch

        return dispatch(ufunc, method, inputs, kwargs)

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        from oracles.exact.from_numpy.functions import dispatch

        return dispatch(function, args, kwargs)


def _in_place(name: str) -> Any:
    """x += y and its kin; a scalar is not written into but replaced."""
    write = getattr(NDArrayOperatorsMixin, f"__i{name}__")
    compute = getattr(NDArrayOperatorsMixin, f"__{name}__")
    return lambda x, y: compute(x, y) if x.is_scalar else write(x, y)


for _name in words("add sub mul truediv floordiv mod pow matmul and or xor"):
    setattr(TracedArray, f"__i{_name}__", _in_place(_name))


class UnsupportedAttribute(Unsupported, AttributeError):
    """An attribute that ndarray has and the traced array has not."""
