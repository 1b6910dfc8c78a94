"""The array that NumPy code computes with while it is recorded.

It stands in for an ndarray (or, where NumPy gives a scalar, for the scalar): `value` is what NumPy computes,
which gives shape, dtype, layout and errors; `tokens` say which recorded value each element is. Nothing is
concluded from `value`: its numbers are rounded, and only the recorded program is exact.
"""

from __future__ import annotations

import builtins
import dis
import sys
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

from oracles.exact.from_numpy.tape import Tape, library_function, name_of, opaque, unsupported, words
from oracles.exact.program.complex import REAL, Complex, as_complex, each_part
from oracles.exact.program.errors import Opaque
from oracles.exact.program.primitives import compare, convert
from oracles.exact.program.program import FLOATS, Array

METHODS = frozenset(
    words(
        "all any argmax argmin argsort choose conj conjugate cumprod cumsum diagonal dot max mean "
        "min nonzero prod put ravel repeat round searchsorted squeeze std sum swapaxes take trace var"
    )
)
MOVING = FLOATS | REAL.keys()
LAYOUT = frozenset(words("device flags strides itemsize nbytes"))
LEAVES = (
    "{what} would take a number of dtype {dtype} out of the exact arithmetic; use NumPy's own functions and "
    "keep it an array; a method of a plain array takes plain numbers alone: write X @ w for X.dot(w), "
    "np.f(X, w) for X.f(w), or pass X as an argument; an array that it is written into must be a recorded "
    "one: write r = np.array(r) before"
)
# What to write in place of the functions of a library that have no rule.
INSTEAD = {
    "scipy.sparse.linalg": "write it with S.toarray(), np.linalg.solve and its kin, or say what it computes "
    "with gradproof.register_rule",
    "scipy.sparse": "only products S @ x and x @ S of a constant matrix S with an array x of one or two axes "
    "are known; write it with such, scale x or the product instead of S, or compute with S.toarray()",
    "scipy.interpolate": "write it with np.interp or other functions of NumPy, or say what it computes with "
    "gradproof.register_rule",
    "": "write it with functions of NumPy and scipy.special, or say what it computes with "
    "gradproof.register_rule",
}
PYTHONS = (bool, int, float, complex)  # they take the dtype of an array that they meet
MAKE_INSIDE = "copy it before, inside the function: r = np.array(r); or write r = r - x for r -= x"


class TracedArray(NDArrayOperatorsMixin):
    """An array, or a scalar, of a recorded program.

    Attributes:
        tape: The recording that it belongs to.
        value: What NumPy has here: an ndarray, a NumPy scalar or a float.
        tokens: One per element, in the memory layout of `value`; views share them as they share memory.
    """

    __slots__ = ("tape", "tokens", "value")

    def __hash__(self) -> int:
        if not self.is_scalar:
            raise TypeError("unhashable type: 'numpy.ndarray'")
        return hash(self.value)  # whether two are equal is decided

    def __init__(self, tape: Tape, value: Any, tokens: Any) -> None:
        plain = isinstance(value, np.ndarray) and type(value) is not np.ndarray
        self.value = value.view(np.ndarray) if plain else value
        self.tape, self.tokens = tape, np.asarray(tokens)

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
    def T(self) -> Any:
        """As NumPy's."""
        return self.transpose()

    @property
    def real(self) -> TracedArray:
        """As NumPy's, but what is written into that of a complex array is refused."""
        return self._part("re") if self.dtype.kind == "c" else self

    @property
    def imag(self) -> Any:
        """Likewise."""
        return self._part("im") if self.dtype.kind == "c" else np.zeros_like(self)

    def _part(self, name: str) -> TracedArray:
        value = np.array(self.value.real if name == "re" else self.value.imag)
        value.flags.writeable = False
        own: Any = value.view() if isinstance(self.value, np.ndarray) else value[()]  # no flag undoes it
        return TracedArray(self.tape, own, self.tape.register(getattr(self.recorded, name), value))

    @property
    def flat(self) -> Any:
        """As NumPy's."""
        return self.tape.answers.flat(self)

    @property
    def base(self) -> TracedArray | None:
        """As NumPy's: the array whose memory this is a part of, None of one that has its own."""
        value: Any = getattr(self.value, "base", None)
        if value is None:
            return None
        tokens = self.tokens.base
        if tokens is None or not isinstance(value, np.ndarray) or value.shape != tokens.shape:
            raise opaque("the base of an array that lies in no recorded one; use the array itself")
        return TracedArray(self.tape, value, tokens)

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

    # -- where numbers would leave: integers and booleans are decided; of floats only literals are exact ---

    def exact_value(self, what: str) -> Array:
        """The numbers themselves, where they are exact."""
        found = self._exact()
        if found is not None:
            return found
        library = library_function()
        if library is not None:
            raise opaque(f"{library} has no rule for recorded numbers: {instead(library)}")
        raise opaque(LEAVES.format(what=what, dtype=self.dtype))

    def _exact(self) -> Array | None:
        var = self.recorded
        if not var.is_float:
            return self.tape.decide(var) if self.tape.depends(var) else np.array(self.value)
        numbers, known = self.tape.numbers(self.tokens)
        if known.all():
            return numbers.astype(self.dtype)
        if self.tape.depends(var):
            return None
        return np.array(self.value)  # computed from numbers in the code: what NumPy makes of them

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        found = np.array(self.exact_value("a conversion to a plain array"), dtype)
        found.flags.writeable = False  # what is written into the copy would not be seen here
        return found

    def __bool__(self) -> bool:
        if self.size != 1:
            return bool(self.value)  # NumPy's own error
        flag = self.recorded
        if not self.tape.depends(flag):
            return bool(self.value)
        if flag.dtype != "bool":
            flag = compare("ne", flag, self.tape.constant(0, flag.dtype))
        return bool(self.tape.decide(flag))

    def __index__(self) -> int:
        if self.dtype.kind not in "iu" or self.ndim:
            raise TypeError("only integer scalar arrays can be converted to a scalar index")
        return int(self.tape.decide(self.recorded))

    def __int__(self) -> int:
        if self.size != 1:
            raise TypeError("only length-1 arrays can be converted to Python scalars")
        if _makes_text(sys._getframe(1)) or not self.tape.depends(self.recorded):
            return int(self.value)
        return int(self.tape.decide(convert(self.recorded, "int64")))

    def __float__(self) -> float:
        if _makes_text(sys._getframe(1)):
            self.tape.wrote_text = True
            return float(self.value)  # for a reader, rounded
        return float(self.exact_value("float()").item())

    def __complex__(self) -> complex:
        return complex(self.exact_value("complex()").item())

    def item(self, *index: int) -> Any:
        """One element as a Python number."""
        value, token = (np.asarray(own).item(*index) for own in (self.value, self.tokens))
        return TracedArray(self.tape, self.dtype.type(value), token).as_python(type(value))

    def as_python(self, kind: type) -> Any:
        """The only element as a number of Python's, recorded where it is not exact.

        As such it takes the dtype of an array that it meets.
        """
        value, exact = kind(self.value), self._exact()
        if exact is not None:
            return kind(exact)
        one = TracedArray(self.tape, self.dtype.type(value), self.tokens.reshape(()))
        return TracedArray(self.tape, value, cast(one, np.dtype(kind)).tokens)

    def tolist(self) -> Any:
        """The elements as such numbers."""
        return [row.tolist() for row in self] if self.ndim else self.item()

    def __round__(self, digits: int | None = None) -> Any:
        found = np.round(self, digits or 0)
        return int(found) if digits is None else as_python(found) if _is_python(self) else found

    def __repr__(self) -> str:
        return f"<recorded, here about {self.value!r}>"

    def __format__(self, spec: str) -> str:
        return f"<recorded, here about {format(self.value, spec)}>"  # no number for code: it would be rounded

    def tobytes(self, order: Any = "C") -> Any:
        """The bytes of exact numbers; of others what can be the key of a dictionary, and nothing else."""
        found = self._exact()
        return Key(self.tape, self.tokens.tobytes(order)) if found is None else found.tobytes(order)

    def __array_namespace__(self, *, api_version: Any = None) -> Any:
        return self.tape.numpy

    # -- where NumPy hands over ---------------------------------------------------------------------------

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        return self.tape.answers.ufunc(ufunc, method, inputs, kwargs)

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        return self.tape.answers.function(function, args, kwargs)


_REMAINDER = next(
    bytes([step.opcode, step.arg or 0])
    for step in dis.get_instructions(compile("a % b", "", "eval"))
    if step.opname == "BINARY_OP"
)


def _makes_text(frame: FrameType) -> bool:
    """Whether it computes text % numbers: of two numbers they would be asked themselves.

    In the user's code, or a logger's: what NumPy writes is read again.
    """
    if str(frame.f_globals.get("__name__")).startswith("numpy"):
        return False
    running = frame.f_code.co_code[frame.f_lasti :][:2]
    return running == _REMAINDER


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


ARITHMETIC = {"add": np.add, "sub": np.subtract, "mul": np.multiply, "truediv": np.true_divide}
PLAIN = frozenset({TracedArray, np.ndarray, np.float64, float, int})


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


def instead(library: str) -> str:
    """What to write in place of a library's function that has no rule."""
    return next(text for start, text in INSTEAD.items() if library.startswith(start))


class Key:
    """Stands for the bytes of recorded numbers: the same ones have the same key, plain ones have another."""

    def __init__(self, tape: Tape, tokens: bytes) -> None:
        self.__own = id(tape), tokens
        self.__tape = tape  # so that no other has its id

    def __eq__(self, other: object) -> bool:
        return type(other) is Key and self.__own == other.__own

    def __hash__(self) -> int:
        return hash(self.__own)


class UnsupportedAttribute(Opaque, AttributeError):
    """An attribute that ndarray has and the traced array has not."""


# -- making them ------------------------------------------------------------------------------------------


def wrap(tape: Tape, value: Any, var: Any) -> Any:
    """What NumPy got and what was recorded, as one; plain NumPy where the record is a constant integer."""
    dtype = np.asarray(value).dtype
    check_dtype(dtype)
    known = None if var.is_float else tape.recorder.known(var)
    if known is not None:
        return np.array(known, dtype) if isinstance(value, np.ndarray) else dtype.type(known.item())
    if var.shape != np.shape(value):
        raise AssertionError(f"a rule gives shape {var.shape} where NumPy has {np.shape(value)}")
    if isinstance(value, np.ndarray) and value.base is not None:
        value = np.array(value, order="K")
    result = each_part(tape.recorder.first, in_dtype(var, name_of(dtype)))
    return TracedArray(tape, value, tape.register(result, value))


def in_dtype(x: Any, dtype: str) -> Any:
    """A recorded value in another dtype: as NumPy has it, the real part of a complex one in a real dtype."""
    if dtype in REAL:
        return as_complex(x, dtype)
    return convert(x.re if isinstance(x, Complex) else x, dtype)


def together(tape: Tape, value: Any, tokens: Any) -> Any:
    """Values and tokens from the same NumPy function, as traced arrays."""
    if isinstance(value, list | tuple):
        return type(value)(together(tape, v, t) for v, t in zip(value, tokens, strict=True))
    check_dtype(value.dtype)
    return TracedArray(tape, value, tokens)


def check_dtype(dtype: np.dtype[Any]) -> None:
    """Refuse what has no exact counterpart."""
    if name_of(dtype) not in MOVING and dtype.kind not in "iub":
        raise unsupported(f"dtype {dtype} has no exact counterpart")


def lift(tape: Tape, x: Any, dtype: np.dtype[Any]) -> TracedArray:
    """Anything that NumPy would take for an array, traced, in this dtype; numbers are taken as written."""
    if isinstance(x, TracedArray):
        x = x if x.dtype == dtype else cast(x, dtype)
        if isinstance(x, TracedArray):
            return x
    if holds_traced(x):
        return lift(tape, tape.answers.array(tape, x), dtype)
    check_dtype(dtype)
    numbers = np.asarray(x)
    check_dtype(numbers.dtype)
    with np.errstate(all="ignore"):
        value = numbers.astype(dtype)
    return TracedArray(
        tape, value, tape.literal(numbers if name_of(dtype) in MOVING else value, name_of(dtype))
    )


def cast(x: TracedArray, dtype: np.dtype[Any], order: Any = "K", casting: Any = "unsafe") -> Any:
    """x in another dtype, in memory of its own."""
    check_dtype(dtype)
    with np.errstate(all="ignore"):
        value = np.asarray(x.value).astype(dtype, order, casting)
    if x.is_scalar:
        value = value[()]
    if dtype == x.dtype:
        return TracedArray(x.tape, value, np.array(x.tokens, order=order))
    if x.is_float and name_of(dtype) not in MOVING:
        numbers, known = x.tape.numbers(x.tokens)
        if known.all():
            return numbers.astype(dtype)
    return wrap(x.tape, value, in_dtype(x.recorded, name_of(dtype)))


def as_array(x: Any) -> Any:
    """x as an array, recorded where it holds recorded numbers."""
    if type(x) is TracedArray:
        return x
    return first_tape(x).answers.array(first_tape(x), x) if holds_traced(x) else np.asarray(x)


_ROWS, _TREES = (list, tuple), (list, tuple, dict)


def leaves_of(tree: Any) -> Iterator[Any]:
    """What is in nested lists, tuples and dictionaries."""
    if isinstance(tree, _TREES):
        for part in tree.values() if isinstance(tree, dict) else tree:
            yield from leaves_of(part)
    else:
        yield tree


def traced(tree: Any) -> Iterator[TracedArray]:
    """The traced arrays in it."""
    return (leaf for leaf in leaves_of(tree) if type(leaf) is TracedArray)


def holds_traced(tree: Any) -> bool:
    """Whether a traced array is in it."""
    return next(traced(tree), None) is not None


def swap(tree: Any, function: Callable[[TracedArray], Any]) -> Any:
    """The tree with `function` applied to its traced arrays."""
    if type(tree) is TracedArray:
        return function(tree)
    if isinstance(tree, dict):
        return {k: swap(v, function) for k, v in tree.items()}
    if isinstance(tree, _ROWS) and not hasattr(tree, "_fields"):
        return type(tree)([swap(v, function) for v in tree])
    return tree


def values(tree: Any) -> Any:
    """The tree as NumPy has it: every traced array's `value`."""
    return swap(tree, lambda x: x.value)


def any_moving(tape: Tape, tree: Any) -> bool:
    """Whether some traced array in the tree is not an exact integer constant."""
    return any(x.is_float or tape.recorder.known(x.recorded) is None for x in traced(tree))


def first_tape(tree: Any) -> Tape:
    """The recording that the traced arrays in the tree belong to."""
    return next(traced(tree)).tape
