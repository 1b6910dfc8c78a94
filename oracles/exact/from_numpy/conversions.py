"""Where the numbers of a recorded array would leave: as plain numbers, as texts, as bytes.

Integers and booleans are decided; of floats only literals are exact.
"""

from __future__ import annotations

import dis
import sys
from types import FrameType
from typing import Any

import numpy as np

from oracles.exact.from_numpy.elements import Elements
from oracles.exact.from_numpy.refusals import instead, opaque
from oracles.exact.from_numpy.tape import Tape
from oracles.exact.from_numpy.user_code import library_function
from oracles.exact.program.primitives import compare, convert
from oracles.exact.program.program import Array

LEAVES = (
    "{what} would take a number of dtype {dtype} out of the exact arithmetic; use NumPy's own functions and "
    "keep it an array; a method of a plain array takes plain numbers alone: write X @ w for X.dot(w), "
    "np.f(X, w) for X.f(w), or pass X as an argument; an array that it is written into must be a recorded "
    "one: write r = np.array(r) before"
)


class Convertible(Elements):
    """Elements that become plain numbers where these are exact."""

    __slots__ = ()

    def exact_value(self, what: str) -> Array:
        """The numbers themselves, where they are exact."""
        found = self._exact()
        if found is not None:
            return found
        library = library_function()
        if library is not None:
            raise opaque(f"{library} has no rule for values that depend on the inputs: {instead(library)}")
        raise opaque(LEAVES.format(what=what, dtype=self.dtype))

    def _exact(self) -> Array | None:
        var = self.recorded
        if not var.is_float:
            return self.tape.decide(var) if self.tape.depends(var) else np.array(self.in_numpy)
        numbers, known = self.tape.numbers(self.tokens)
        if known.all():
            return numbers.astype(self.dtype)
        if self.tape.depends(var):
            return None
        return np.array(self.in_numpy)  # computed from numbers in the code: what NumPy makes of them

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        found = np.array(self.exact_value("a conversion to a plain array"), dtype)
        found.flags.writeable = False  # what is written into the copy would not be seen here
        return found

    def __bool__(self) -> bool:
        if self.size != 1:
            return bool(self.in_numpy)  # NumPy's own error
        flag = self.recorded
        if not self.tape.depends(flag):
            return bool(self.in_numpy)
        if self.dtype.kind == "c":
            return bool(np.not_equal(self.real, 0)) or bool(np.not_equal(self.imag, 0))
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
            return int(self.in_numpy)
        return int(self.tape.decide(convert(self.recorded, "int64")))

    def __float__(self) -> float:
        if _makes_text(sys._getframe(1)):
            self.tape.wrote_text = True
            return float(self.in_numpy)  # for a reader, rounded
        return float(self.exact_value("float()").item())

    def __complex__(self) -> complex:
        return complex(self.exact_value("complex()").item())

    def item(self, *index: int) -> Any:
        """One element as a Python number."""
        value, token = (np.asarray(own).item(*index) for own in (self.in_numpy, self.tokens))
        return type(self)(self.tape, self.dtype.type(value), token).as_python(type(value))

    def as_python(self, kind: type) -> Any:
        """The only element as a number of Python's, recorded where it is not exact.

        As such it takes the dtype of an array that it meets.
        """
        value, exact = kind(self.in_numpy), self._exact()
        if exact is not None:
            return kind(exact)
        one = type(self)(self.tape, self.dtype.type(value), self.tokens.reshape(()))
        return type(self)(self.tape, value, self.tape.answers.cast(one, np.dtype(kind)).tokens)

    def tolist(self) -> Any:
        """The elements as such numbers."""
        return [row.tolist() for row in self] if self.ndim else self.item()

    def __repr__(self) -> str:
        return f"<recorded, here about {self.in_numpy!r}>"

    def __format__(self, spec: str) -> str:
        return (
            f"<recorded, here about {format(self.in_numpy, spec)}>"  # no number for code: it would be rounded
        )

    def tobytes(self, order: Any = "C") -> Any:
        """The bytes of exact numbers; of others what can be the key of a dictionary, and nothing else."""
        found = self._exact()
        return Key(self.tape, self.tokens.tobytes(order)) if found is None else found.tobytes(order)


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


class Key:
    """Stands for the bytes of recorded numbers: the same ones have the same key, plain ones have another."""

    def __init__(self, tape: Tape, tokens: bytes) -> None:
        self.__own = id(tape), tokens
        self.__tape = tape  # so that no other has its id

    def __eq__(self, other: object) -> bool:
        return type(other) is Key and self.__own == other.__own

    def __hash__(self) -> int:
        return hash(self.__own)
