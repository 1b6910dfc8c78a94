"""`float`, `complex`, NumPy's types of numbers and `type` as recorded code sees them: they keep the record.

`float(x)` must give a Python float, and nobody sees what becomes of one. So while code is recorded, `float`
and `complex` mean other types in those of the user's modules whose code names them, and `np.float64` and its
kin are others too. Called on a recorded number they give one that passes for what Python would have. In all
else they pass for the types that they stand for.
"""

from __future__ import annotations

import dis
import types
from typing import Any

import numpy as np

from oracles.exact.from_numpy.array import TracedArray, is_traced
from oracles.exact.from_numpy.held import recording
from oracles.exact.from_numpy.making import cast, lift, wrap
from oracles.exact.from_numpy.memory import array
from oracles.exact.from_numpy.nested import holds_traced, values
from oracles.exact.from_numpy.refusals import unsupported
from oracles.exact.from_numpy.tape import Tape
from oracles.exact.program.complex import pair

PYTHONS: tuple[type, ...] = (float, complex)
TYPES: tuple[type, ...] = (*PYTHONS, np.float16, np.float32, np.float64, np.int32, np.int64)


PARSED = (
    "float() of a text, where values that depend on the inputs were written into texts, would take a "
    "rounded number out of the exact arithmetic; keep the number itself"
)


class Number(type):
    """The type of what stands for a type of numbers.

    Attributes:
        original: What it stands for.
        tape: The recording.
    """

    original: Any
    tape: Tape

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        """The number, or the array, of the original's type."""
        if cls.original is complex and recording.get() and holds_traced((args, kwargs)):
            return _complex(cls.tape, *args, **kwargs)
        if not (recording.get() and len(args) == 1 and not kwargs):
            return cls.original(*args, **kwargs)
        if cls.original is float:
            if isinstance(args[0], str) and cls.tape.wrote_text:
                raise unsupported(PARSED)
            given = _as_float(args[0])
            return given.as_python(float) if is_traced(given) else float(given)
        if not holds_traced(args):
            return cls.original(*args)
        found = cast(array(cls.tape, args[0]), np.dtype(cls.original))
        return found[()] if isinstance(found, TracedArray) else found

    def __instancecheck__(cls, item: Any) -> bool:
        return isinstance(item, cls.original)

    def __subclasscheck__(cls, kind: type) -> bool:
        return issubclass(kind, cls.original)

    def __eq__(cls, other: object) -> bool:
        return True if other is cls or other is cls.original else NotImplemented  # a dtype answers itself

    def __hash__(cls) -> int:
        return hash(cls.original)


class Kind(Number):
    """The type of what stands for `type`: asked for the type of what is recorded, it gives NumPy's."""

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        """The type, or a new one."""
        is_asked = len(args) == 1 and not kwargs and is_traced(args[0])
        return type(args[0]).passes_for if is_asked else type(*args, **kwargs)


def _complex(tape: Tape, real: Any = 0.0, imag: Any = None) -> Any:
    """`complex(real, imag)`; a complex number for one of them has a part in the other."""
    re, im = _number(tape, real), _number(tape, 0.0 if imag is None else imag)
    if re.dtype.kind == "c" and imag is None:
        found = re
    elif "c" in {re.dtype.kind, im.dtype.kind}:
        found = re + 1j * im
    else:
        found = wrap(tape, np.complex128(complex(re.in_numpy, im.in_numpy)), pair(re.recorded, im.recorded))
    return found.as_python(complex)


def _number(tape: Tape, x: Any) -> Any:
    """One number, as complex as it is."""
    kind = np.complex128 if np.iscomplexobj(values(x)) else np.float64
    return lift(tape, x, np.dtype(kind)).reshape(())[()]


def _as_float(x: Any) -> Any:
    """What an object says that it is as a float; anything else as it is."""
    own = getattr(type(x), "__float__", None)
    return own(x) if isinstance(own, types.FunctionType) and not is_traced(x) else x


def substitute(tape: Tape, original: type) -> Number:
    """What stands for a type of numbers; NumPy takes it for the dtype."""
    if original is type:
        return Kind("type", (type,), {"original": type, "__class_getitem__": classmethod(types.GenericAlias)})
    named = {"original": original, "tape": tape, "dtype": np.dtype(original)}
    return Number(original.__name__, (original,), named)


def tells_types_apart(code: types.CodeType) -> bool:
    """Whether code may ask if something's type *is* float: then `float` must be that."""
    inner = (const for const in code.co_consts if isinstance(const, types.CodeType))
    asks = not {"type", "__class__"}.isdisjoint(code.co_names) and dis.opmap["IS_OP"] in code.co_code[::2]
    return asks or any(map(tells_types_apart, inner))
