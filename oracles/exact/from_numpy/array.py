"""The array that NumPy code computes with while it is recorded.

It stands in for an ndarray (or, where NumPy gives a scalar, for the scalar): it has NumPy's attributes,
methods and operators, and NumPy's functions hand their calls over to it.
"""

from __future__ import annotations

import builtins
import functools
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

from oracles.exact.from_numpy.conversions import Convertible
from oracles.exact.from_numpy.dtypes import MOVING, name_of
from oracles.exact.from_numpy.refusals import UnsupportedAttribute, opaque
from oracles.exact.from_numpy.tape import words
from oracles.exact.from_numpy.user_code import is_ours, names

METHODS = frozenset(
    words(
        "all any argmax argmin argpartition argsort choose cumprod cumsum diagonal dot max "
        "mean min nonzero prod put ravel repeat round searchsorted squeeze std sum swapaxes take trace var"
    )
)
LAYOUT = frozenset(words("device flags strides itemsize nbytes __array_priority__"))
PYTHONS = (bool, int, float, complex)  # they take the dtype of an array that they meet
ARITHMETIC = {"add": np.add, "sub": np.subtract, "mul": np.multiply, "truediv": np.true_divide}


class Passing(type):
    """The type of what is recorded: asked if it is the type that it passes for, it says so."""

    passes_for: Any

    def __eq__(cls, other: object) -> bool:
        return other is cls or other == cls.passes_for

    __hash__ = type.__hash__  # NumPy looks for the types that it knows by their hashes


class TracedArray(NDArrayOperatorsMixin, Convertible, metaclass=Passing):  # type: ignore[metaclass]
    """A recorded array, or scalar, as NumPy code sees it."""

    __slots__ = ()
    passes_for = np.ndarray
    __hash__ = None  # type: ignore[assignment]

    @staticmethod
    def of_kind(kind: Any) -> type[TracedArray]:
        """The class of what stands for values of this type: each type of numbers has its own."""
        return TracedArray if issubclass(kind, np.ndarray) else _of_numbers(kind)

    def __dir__(self) -> Any:
        return dir(self.in_numpy)

    @property
    def T(self) -> Any:
        """As NumPy's."""
        return self.transpose()

    def __getattr__(self, name: str) -> Any:
        if name == "mT" and self.ndim > 1:
            return self.swapaxes(-1, -2)
        if name in LAYOUT and hasattr(self.in_numpy, name):
            return getattr(self.in_numpy, name)
        is_asked = not name.startswith("__") or names(sys._getframe(1), name)
        if not (is_asked and hasattr(self.in_numpy, name)):
            raise AttributeError(f"{type(self.in_numpy).__name__!r} object has no attribute {name!r}")
        if name in METHODS:
            function = getattr(np, name)
            return lambda *args, **kwargs: function(self, *args, **kwargs)
        if name == "is_integer":
            return lambda: bool(np.floor(self) == self)
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
        if not copy and np.dtype(dtype) == self.dtype and not self.is_scalar and self._is_in(order):
            return self
        return self.tape.answers.cast(self, np.dtype(dtype), order, casting)

    def _is_in(self, order: Any) -> bool:
        """Whether its elements lie in memory in an order that is asked for."""
        flags = self.in_numpy.flags
        return bool({"C": flags.c_contiguous, "F": flags.f_contiguous}.get(order, True))

    def conj(self) -> Any:
        """As NumPy's, which gives an array of real numbers itself."""
        return np.conj(self) if self.dtype.kind == "c" else self

    conjugate = conj

    def clip(self, min: Any = None, max: Any = None, **kwargs: Any) -> Any:
        """As NumPy's."""
        return np.clip(self, min, max, **kwargs)

    def compress(self, condition: Any, axis: Any = None, out: Any = None) -> Any:
        """As NumPy's."""
        return np.compress(condition, self, axis, out)

    def copy(self, order: Any = "C") -> Any:
        """As NumPy's."""
        return TracedArray(
            self.tape, np.array(self.in_numpy, order=order), np.array(self.tokens, order=order)
        )

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
        """As NumPy's: what writes into the array writes into `in_numpy` first, which refuses it."""
        self.in_numpy.setflags(*args, **kwargs)

    def view(self, dtype: Any = None, type: Any = np.ndarray) -> Any:
        """As NumPy's, in the same dtype."""
        if isinstance(dtype, builtins.type) and issubclass(dtype, np.ndarray):
            dtype, type = None, dtype
        if type != np.ndarray or (dtype is not None and np.dtype(dtype) != self.dtype):
            raise opaque(
                "a view of values that depend on the inputs as another dtype or class: use "
                "astype, or real and imag; of the classes of arrays np.ndarray alone is known"
            )
        return self if self.is_scalar else TracedArray(self.tape, self.in_numpy.view(), self.tokens.view())

    def sort(self, axis: int = -1, **kwargs: Any) -> None:
        """As NumPy's, in place."""
        self[...] = np.sort(self, axis, **kwargs)

    def partition(self, kth: Any, axis: int = -1, **kwargs: Any) -> None:
        """As NumPy's, in place: sorted, which is one of the orders that it may leave."""
        self.sort(axis)

    # -- where NumPy hands over ---------------------------------------------------------------------------

    def __array_namespace__(self, *, api_version: Any = None) -> Any:
        return self.tape.numpy

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        return self.tape.answers.ufunc(ufunc, method, inputs, kwargs)

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        return self.tape.answers.function(function, args, kwargs)


TracedArray.__module__, TracedArray.__qualname__, TracedArray.__name__ = "numpy", "ndarray", "ndarray"


def is_traced(x: Any) -> bool:
    """Whether something is recorded; isinstance would ask the object, which may have no answer."""
    return issubclass(type(x), TracedArray)


# -- numbers ----------------------------------------------------------------------------------------------

# What Python, and its abstract classes, take for missing only where it is None.
SLOTS = frozenset(
    words(
        "__iter__ __len__ __contains__ __getitem__ __setitem__ __index__ __float__ __int__ __round__ "
        "__invert__"
    )
)
OF_TWO = frozenset(
    f"__{side}{name}__"
    for name in words("and or xor lshift rshift matmul divmod floordiv mod")
    for side in ("", "r")
)
OURS = frozenset(
    words("as_python exact_value in_numpy is_float is_scalar of_kind passes_for recorded tape tokens")
)
COPIES = frozenset(words("__copy__ __deepcopy__"))  # Python asks for them where it copies


class TracedNumber(TracedArray):
    """A recorded number, which nothing can write into.

    Code asks what something is by what it has (`hasattr(x, "__len__")`, an abstract class). So those that
    stand for a type of numbers have a class of their own, in which nothing is that the type has not.
    """

    __slots__ = ()
    shape, ndim, size, is_scalar = (), 0, 1, True

    def __hash__(self) -> int:  # type: ignore[override]
        return hash(self.in_numpy)  # whether two are equal is decided

    def __round__(self, digits: int | None = None) -> Any:
        found = np.round(self, digits or 0)
        return int(found) if digits is None else as_python(found) if _is_python(self) else found

    def __floor__(self) -> int:
        return int(np.floor(self))

    def __ceil__(self) -> int:
        return int(np.ceil(self))

    def __trunc__(self) -> int:
        return int(self)


@functools.cache
def _of_numbers(kind: Any) -> Any:
    """The class of what stands for a type of numbers."""
    missing = frozenset(name for name in dir(TracedNumber) if not _has(kind, name))
    hidden = missing - COPIES if kind in PYTHONS else missing - OURS

    def __getattribute__(self: TracedNumber, name: str) -> Any:
        if name in hidden and not _may_ask(sys._getframe(1), name):
            raise AttributeError(name)
        return object.__getattribute__(self, name)

    dtype = np.dtype(kind)
    own: dict[str, Any] = dict.fromkeys(missing & SLOTS)
    own |= {name: lambda x, y: NotImplemented for name in missing & OF_TWO}
    own |= {"__module__": kind.__module__, "__slots__": (), "__getattribute__": __getattribute__}
    own |= {"passes_for": kind, "__class__": kind}
    own |= {"dtype": dtype, "is_float": name_of(dtype) in MOVING}  # at hand: they are asked often
    return Passing(kind.__name__, (TracedNumber,), own)


def _has(kind: type, name: str) -> bool:
    """Whether values of the type have this, which its own type may have as well."""
    return next((vars(base)[name] for base in kind.__mro__ if name in vars(base)), None) is not None


def _may_ask(frame: FrameType, name: str) -> bool:
    """Whether it is ours that asks for what a number has not, or compiled code that looks for an array."""
    return is_ours(frame) or (name == "__array__" and not names(frame, name))


# -- operators --------------------------------------------------------------------------------------------

PLAIN = frozenset({np.ndarray, np.float64, float, int})


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
        if type(y) not in PLAIN and not is_traced(y):
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
    is_one = is_traced(x) and not x.ndim and not _is_python(x)
    return x.as_python(type(x.in_numpy.item())) if is_one else x


def _is_python(x: Any) -> bool:
    return type(x.in_numpy if is_traced(x) else x) in PYTHONS


for _name in words("add sub mul truediv floordiv mod pow matmul and or xor"):
    setattr(TracedArray, f"__i{_name}__", _in_place(_name))
    setattr(TracedArray, f"__{_name}__", _giving_way(_name))
for _name in words("radd rsub rmul rtruediv rfloordiv rmod rpow neg pos abs"):
    setattr(TracedArray, f"__{_name}__", _operator(_name))
