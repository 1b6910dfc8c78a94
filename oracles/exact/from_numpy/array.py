"""The array that NumPy code computes with while it is recorded.

It stands in for an ndarray (or, where NumPy gives a scalar, for the scalar): it has NumPy's attributes,
methods and operators, and NumPy's functions hand their calls over to it.
"""

from __future__ import annotations

import builtins
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

from oracles.exact.from_numpy.conversions import Convertible
from oracles.exact.from_numpy.refusals import UnsupportedAttribute, opaque
from oracles.exact.from_numpy.tape import words

METHODS = frozenset(
    words(
        "all any argmax argmin argsort choose conj conjugate cumprod cumsum diagonal dot max mean "
        "min nonzero prod put ravel repeat round searchsorted squeeze std sum swapaxes take trace var"
    )
)
LAYOUT = frozenset(words("device flags strides itemsize nbytes"))
PYTHONS = (bool, int, float, complex)  # they take the dtype of an array that they meet
ARITHMETIC = {"add": np.add, "sub": np.subtract, "mul": np.multiply, "truediv": np.true_divide}


class TracedArray(NDArrayOperatorsMixin, Convertible):
    """A recorded array, or scalar, as NumPy code sees it."""

    __slots__ = ()

    def __hash__(self) -> int:
        if not self.is_scalar:
            raise TypeError("unhashable type: 'numpy.ndarray'")
        return hash(self.value)  # whether two are equal is decided

    @property
    def T(self) -> Any:
        """As NumPy's."""
        return self.transpose()

    def __getattr__(self, name: str) -> Any:
        if name in METHODS:
            function = getattr(np, name)
            return lambda *args, **kwargs: function(self, *args, **kwargs)
        if name in LAYOUT:
            return getattr(self.value, name)
        if name == "is_integer" and hasattr(self.value, name):
            return lambda: bool(np.floor(self) == self)
        if name == "mT":
            return self.swapaxes(-1, -2)
        if name.startswith("__") or not hasattr(self.value, name):
            raise AttributeError(f"{type(self.value).__name__!r} object has no attribute {name!r}")
        raise UnsupportedAttribute(
            str(
                opaque(
                    f"arrays under exact recording have no attribute {name}; use NumPy's functions of arrays"
                )
            )
        )

    # -- methods that are not functions of np -------------------------------------------------------------

    def reshape(self, *shape: Any, **kwargs: Any) -> Any:
        """As NumPy's."""
        return np.reshape(self, shape[0] if len(shape) == 1 else shape, **kwargs)

    def transpose(self, *axes: Any) -> Any:
        """As NumPy's."""
        return np.transpose(self, axes[0] if len(axes) == 1 else axes or None)

    def astype(self, dtype: Any, order: Any = "K", casting: Any = "unsafe", copy: bool = True) -> Any:
        """As NumPy's; from floats to integers what is cut off is decided, not rounded."""
        if not copy and np.dtype(dtype) == self.dtype and not self.is_scalar:
            return self
        return self.tape.answers.cast(self, np.dtype(dtype), order, casting)

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

    def setflags(self, *args: Any, **kwargs: Any) -> None:
        """As NumPy's: what writes into the array writes into `value` first, which refuses it."""
        self.value.setflags(*args, **kwargs)

    def view(self, dtype: Any = None, type: Any = np.ndarray) -> Any:
        """As NumPy's, in the same dtype."""
        if isinstance(dtype, builtins.type) and issubclass(dtype, np.ndarray):
            dtype, type = None, dtype
        if type != np.ndarray or (dtype is not None and np.dtype(dtype) != self.dtype):
            raise opaque(
                "a view of recorded numbers as another dtype or class: use astype, or real and imag; of the "
                "classes of arrays np.ndarray alone is known"
            )
        return self if self.is_scalar else TracedArray(self.tape, self.value.view(), self.tokens.view())

    def sort(self, axis: int = -1, **kwargs: Any) -> None:
        """As NumPy's, in place."""
        self[...] = np.sort(self, axis, **kwargs)

    def partition(self, kth: Any, axis: int = -1, **kwargs: Any) -> None:
        """As NumPy's, in place: sorted, which is one of the orders that it may leave."""
        self.sort(axis)

    def __round__(self, digits: int | None = None) -> Any:
        found = np.round(self, digits or 0)
        return int(found) if digits is None else as_python(found) if _is_python(self) else found

    # -- where NumPy hands over ---------------------------------------------------------------------------

    def __array_namespace__(self, *, api_version: Any = None) -> Any:
        return self.tape.numpy

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        return self.tape.answers.ufunc(ufunc, method, inputs, kwargs)

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        return self.tape.answers.function(function, args, kwargs)


# -- operators --------------------------------------------------------------------------------------------

PLAIN = frozenset({TracedArray, np.ndarray, np.float64, float, int})


def _in_place(name: str) -> Any:
    """x += y and its kin; a scalar is not written into but replaced."""
    write, compute = getattr(NDArrayOperatorsMixin, f"__i{name}__"), _operator(name)
    return lambda x, y: compute(x, y) if x.is_scalar else write(x, y)


def _giving_way(name: str) -> Any:
    """x + y and its kin; as NumPy's, they leave it to what asks for that by its `__array_priority__`."""
    compute = _operator(name)
    return lambda x, y: NotImplemented if _goes_first(type(y)) else compute(x, y)


def _goes_first(kind: type) -> bool:
    priority = None if hasattr(kind, "__array_ufunc__") else getattr(kind, "__array_priority__", None)
    return isinstance(priority, int | float) and priority > 0


def _operator(name: str) -> Callable[..., Any]:
    """An operator as NumPy has it, which gives a number of Python's for such; of plain operands at once."""
    general, ufunc = getattr(NDArrayOperatorsMixin, f"__{name}__"), ARITHMETIC.get(name.removeprefix("r"))
    if ufunc is None:
        return _of_python(general)
    swapped = name.startswith("r")

    def direct(x: TracedArray, y: Any) -> Any:
        if type(y) not in PLAIN:
            return general(x, y)
        return x.tape.answers.ufunc(ufunc, "__call__", (y, x) if swapped else (x, y), {})

    return _of_python(direct)


def _of_python(operator: Callable[..., Any]) -> Callable[..., Any]:
    """An operator, which gives a number of Python's for such."""

    def compute(*operands: Any) -> Any:
        found = operator(*operands)
        return as_python(found) if all(map(_is_python, operands)) else found

    return compute


def as_python(x: Any) -> Any:
    """A recorded number as one of Python's; anything else as it is."""
    is_one = type(x) is TracedArray and not x.ndim and not _is_python(x)
    return x.as_python(type(x.value.item())) if is_one else x


def _is_python(x: Any) -> bool:
    return type(x.value if type(x) is TracedArray else x) in PYTHONS


for _name in words("add sub mul truediv floordiv mod pow matmul and or xor"):
    setattr(TracedArray, f"__i{_name}__", _in_place(_name))
    setattr(TracedArray, f"__{_name}__", _giving_way(_name))
for _name in words("radd rsub rmul rtruediv rfloordiv rmod rpow neg pos abs"):
    setattr(TracedArray, f"__{_name}__", _operator(_name))
