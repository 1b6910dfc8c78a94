"""What a traced NumPy array is made of: one token per element.

Each value that the program computes gets a range of tokens, one for each of its elements, and a traced array
is a NumPy array of tokens. So slices, transposes and reshapes are views where NumPy gives views, an in-place
write is a NumPy write of tokens and is seen through every view, and an array that is written piece by piece
is read as the pieces, wherever they were computed. Token 0 is an exact zero, UNWRITTEN is memory of np.empty.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from oracles.exact.from_numpy.gather import gather
from oracles.exact.from_numpy.refusals import unsupported
from oracles.exact.from_numpy.user_code import line, place
from oracles.exact.program.complex import REAL, Complex, vars_of
from oracles.exact.program.complex import constant as complex_constant
from oracles.exact.program.errors import Opaque, Undecided
from oracles.exact.program.primitives.arrays import concatenate, reshape
from oracles.exact.program.program import FLOATS, Array, Var
from oracles.exact.program.recording import Recorder

Tokens = NDArray[np.int64]
ZERO, UNWRITTEN = 0, -1
FEW = 256
words = str.split  # names with blanks between them


class Answers(NamedTuple):
    """Who answers what the recorded code asks of a traced array."""

    ufunc: Callable[..., Any]
    function: Callable[..., Any]
    get: Callable[..., Any]
    put: Callable[..., Any]
    flat: Callable[..., Any]
    array: Callable[..., Any]
    cast: Callable[..., Any]
    part: Callable[..., Any]
    put_part: Callable[..., Any]


class Tape:
    """The recorder of one call, and the values that tokens stand for.

    Attributes:
        decides: Whether a place that depends on the data is decided where what is there is a view, as of
            `x[argmax]`, which can be written into then. Else it is a part of what is recorded, and the view
            is to be read only.
        lent: Whether a view was given that is to be read only.
    """

    def __init__(self, answers: Answers, recorder: Recorder | None = None, decides: bool = True) -> None:
        self.answers, self.decides, self.lent = answers, decides, False
        self.recorder = Recorder() if recorder is None else recorder  # or that of who calls the code
        self._library = "" if recorder is None else "numpy"
        self.open = True
        self.numpy: Any = np  # as the recorded code sees it
        self.wrote_text = False  # whether a recorded number stands in a text
        self.holds_unknown = False  # whether a function without a rule gave something
        self.asked: list[Opaque] = []  # where such a number was asked for, what is said then
        self._bases = array("q")  # the first token of each value
        self._values: list[Var | Complex] = []
        self._numbers: list[Array | None] = []  # of those values that are constants
        self._next = 1
        self._reads: dict[tuple[Any, ...], Var] = {}  # a loop reads the same elements over and over
        self._decided: dict[Var, Array] = {}
        self._fixed: set[Var] = set()  # known to depend on no input

    def calls(self, operation: str) -> None:
        """What is written from here on is a new call of this operation, on the line that is running."""
        self.recorder.calls(operation, line(), self._library)

    # -- values to tokens ---------------------------------------------------------------------------------

    def register(self, var: Var | Complex, like: Any, numbers: Array | None = None) -> Tokens:
        """Tokens for the elements of a value, laid out in memory as `like` is."""
        first = self._entered(var, None if numbers is None else numbers.ravel())
        tokens = np.empty_like(like, dtype=np.int64, subok=False)
        tokens[...] = np.arange(first, first + var.size).reshape(var.shape)
        return tokens

    def register_one(self, var: Var) -> Tokens:
        """The token of a single number."""
        return np.array(self._entered(var, None))

    def _entered(self, var: Var | Complex, numbers: Array | None) -> int:
        """The first token of a new value."""
        if not self.open:
            raise unsupported("a traced array outlived its recording; do not store it outside the function")
        first = self._next
        self._bases.append(first)
        self._values.append(var)
        self._numbers.append(numbers)
        self._next += var.size
        return first

    def constant(self, numbers: Any, dtype: str) -> Any:
        """The numbers as they are written, exactly; NaN and infinities too, which nothing may depend on."""
        given = np.array(numbers)
        if dtype in REAL:
            return complex_constant(self.recorder, given, dtype, lambda _, v, kind: self.constant(v, kind))
        if dtype in FLOATS:
            given = given.astype(np.float64)
        return self.recorder.constant(given, dtype)

    def literal(self, numbers: Array, dtype: str) -> Tokens:
        """Tokens for numbers that stand in the code."""
        if not np.any(numbers) and not _has_minus(numbers, dtype):
            return np.zeros_like(numbers, np.int64, subok=False)
        return self.register(self.constant(numbers, dtype), numbers, np.array(numbers))

    # -- tokens to values ---------------------------------------------------------------------------------

    def read(self, tokens: Tokens, dtype: str) -> Any:
        """The value whose elements the tokens stand for, complex ones as pairs."""
        if dtype in REAL:
            return Complex(*(self._read(tokens, REAL[dtype], part) for part in ("re", "im")))
        return self._read(tokens, dtype)

    def one(self, token: Tokens, dtype: str) -> Var:
        """The real number that a token stands for."""
        key = int(token), dtype
        if key not in self._reads:
            self._reads[key] = self._gathered(token, dtype, "")
        return self._reads[key]

    def _read(self, tokens: Tokens, dtype: str, part: str = "") -> Var:
        """What real elements the tokens stand for, or a part of complex ones; of a few, once for all."""
        if tokens.size > FEW:
            return self._gathered(tokens, dtype, part)
        key = dtype, part, tokens.shape, tokens.tobytes()
        if key not in self._reads:
            self._reads[key] = self._gathered(tokens, dtype, part)
        return self._reads[key]

    def _gathered(self, tokens: Tokens, dtype: str, part: str) -> Var:
        def value(i: int) -> Var:
            found = self._values[i]
            return getattr(found, part) if isinstance(found, Complex) else found

        lowest, highest = _ends(tokens)
        if lowest == highest == ZERO:
            blank = np.zeros((), dtype if dtype not in FLOATS else np.float64)
            return self.recorder.broadcast(self.recorder.constant(blank, dtype), tokens.shape)
        if lowest == UNWRITTEN:
            raise unsupported("an element of np.empty is read before it is written")
        last = bisect_right(self._bases, highest) - 1
        if lowest >= self._bases[last]:
            return gather(value(last), tokens - self._bases[last])
        first = max(bisect_right(self._bases, lowest) - 1, 0)
        # A copy, since an array cannot grow while something views it.
        bases = np.frombuffer(self._bases, np.int64)[first : last + 1].copy()
        owner = np.searchsorted(bases, tokens, side="right") - 1
        used = np.unique(owner[tokens > 0])
        parts = [reshape(v, (v.size,)) for v in (value(first + int(i)) for i in used)]
        start = np.zeros(len(bases), np.int64)
        start[used] = np.cumsum([0, *(p.size for p in parts[:-1])])
        places = np.where(tokens > 0, tokens - bases[owner] + start[owner], -1)
        return gather(parts[0] if len(parts) == 1 else concatenate(parts, 0), places)

    def numbers(self, tokens: Tokens) -> tuple[Array, NDArray[np.bool_]]:
        """For the elements that are literals their numbers (0 for the others), and which ones are."""
        flat = tokens.ravel()
        kinds = {n.dtype.kind for n in self._numbers if n is not None}
        known, found = flat == ZERO, np.zeros(flat.shape, complex if "c" in kinds else float)
        owner = np.searchsorted(np.array([0, *self._bases]), flat, side="right") - 2
        for i in np.unique(owner[flat > 0]):
            literal = self._numbers[i]
            if literal is not None:
                here = owner == i
                known |= here
                found[here] = literal[flat[here] - self._bases[i]]
        return found.reshape(tokens.shape), known.reshape(tokens.shape)

    def depends(self, value: Var | Complex) -> bool:
        """Whether a value is computed from an input, or only from numbers that stand in the code."""
        waiting, passed = list(vars_of(value)), set[Var]()
        while waiting:
            var = waiting.pop()
            if var in self._fixed:
                continue
            equation = self.recorder.definitions.get(var)
            if equation is None:
                return True
            passed.add(var)
            waiting += [v for v in equation.operands if v not in passed]
        self._fixed.update(passed)
        return False

    def decide(self, var: Var) -> Array:
        """The value of an integer or boolean, with a guard that the program holds only where it is this."""
        try:
            if var not in self._decided:
                self._decided[var] = self.recorder.decide(var)
            return self._decided[var]
        except Undecided as undecided:
            raise Undecided(f"{undecided}; needed by {place()}", line=line()) from None


def is_written(tokens: Tokens) -> bool:
    """Whether no element of them is memory of np.empty."""
    return bool((tokens != UNWRITTEN).all())


def _has_minus(numbers: Array, dtype: str) -> bool:
    """Whether a zero among them is -0.0."""
    parts = (numbers.real, numbers.imag) if numbers.dtype.kind == "c" else (numbers,)
    return (dtype in FLOATS or dtype in REAL) and any(np.signbit(p.astype(np.float64)).any() for p in parts)


def _ends(tokens: Tokens) -> tuple[int, int]:
    """The lowest and the highest; of none the zero."""
    if tokens.size <= 1:
        return (int(tokens.item()),) * 2 if tokens.size else (ZERO, ZERO)
    return int(np.minimum.reduce(tokens, axis=None)), int(np.maximum.reduce(tokens, axis=None))
