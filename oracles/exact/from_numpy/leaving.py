"""Where numbers would leave the recording: integers and booleans are decided, floats never leave.

A float that would become a Python number or a plain array is an error that says where, unless it is a literal
of the code: that number is exact.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from oracles.exact.from_numpy.tape import Tape, Tokens, unsupported
from oracles.exact.program.primitives.arithmetic import convert
from oracles.exact.program.primitives.comparisons import compare
from oracles.exact.program.program import Array, Var


class Leaving:
    """The conversions of a traced array into numbers."""

    __slots__ = ()
    tape: Tape
    tokens: Tokens
    value: Any

    @property
    def _var(self) -> Var:
        return self.tape.read(self.tokens, np.asarray(self.value).dtype.name)

    def exact_value(self, what: str) -> Array:
        """The numbers themselves, where they are exact."""
        var = self._var
        if not var.is_float:
            return self.tape.decide(var)
        numbers, known = self.tape.numbers(self.tokens)
        if not known.all():
            raise unsupported(
                f"{what} would take a number of dtype {var.dtype} out of the exact arithmetic; use NumPy's "
                "own functions (np.exp, not math.exp) and keep it an array; an array that it is written into "
                "must be made inside the function, with the np of its module"
            )
        return numbers.astype(np.asarray(self.value).dtype)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        found = np.array(self.exact_value("a conversion to a plain array"), dtype)
        found.flags.writeable = False  # what is written into the copy would not be seen here
        return found

    def __bool__(self) -> bool:
        if self.tokens.size != 1:
            return bool(self.value)  # NumPy's own error
        flag = self._var
        if flag.dtype != "bool":
            flag = compare("ne", flag, self.tape.constant(0, flag.dtype))
        return bool(self.tape.decide(flag))

    def __index__(self) -> int:
        if np.asarray(self.value).dtype.kind not in "iu" or self.tokens.ndim:
            raise TypeError("only integer scalar arrays can be converted to a scalar index")
        return int(self.tape.decide(self._var))

    def __int__(self) -> int:
        if self.tokens.size != 1:
            raise TypeError("only length-1 arrays can be converted to Python scalars")
        return int(self.tape.decide(convert(self._var, "int64")))

    def __float__(self) -> float:
        return float(self.exact_value("float()").item())

    def __complex__(self) -> complex:
        return complex(self.exact_value("complex()").item())

    def item(self, *index: int) -> Any:
        """One element as a Python number, where it is exact."""
        return self.exact_value(".item()").item(*index)

    def tolist(self) -> Any:
        """The elements as Python numbers, where they are exact."""
        return self.exact_value(".tolist()").tolist()

    def __repr__(self) -> str:
        return f"<recorded, here about {self.value!r}>"

    def __format__(self, spec: str) -> str:
        return format(self.value, spec)  # text for a reader, rounded
