"""What a traced NumPy array is made of: one token per element.

Each value that the program computes gets a range of tokens, one for each of its elements, and a traced array
is a NumPy array of tokens. So slices, transposes and reshapes are views where NumPy gives views, an in-place
write is a NumPy write of tokens and is seen through every view, and an array that is written piece by piece
is read as the pieces, wherever they were computed. Token 0 is an exact zero, UNWRITTEN is memory of np.empty.
"""

from __future__ import annotations

import functools
import linecache
import os
import sys
import sysconfig
from bisect import bisect_right
from collections.abc import Callable, Iterator
from types import FrameType, FunctionType
from typing import Any, NamedTuple

import flint
import numpy as np
from numpy.typing import NDArray

from oracles.exact.program.complex import REAL, Complex, vars_of
from oracles.exact.program.complex import constant as complex_constant
from oracles.exact.program.errors import Opaque, Undecided, Unsupported
from oracles.exact.program.primitives import compare
from oracles.exact.program.primitives.arrays import concatenate, permute, reshape, take
from oracles.exact.program.program import FLOATS, Array, Line, Var
from oracles.exact.program.reach import NOT_USER, OURS
from oracles.exact.program.recording import Recorder

Tokens = NDArray[np.int64]
ZERO, UNWRITTEN = 0, -1
FEW = 256
words = str.split  # names with blanks between them

_STANDARD, _INSTALLED = (sysconfig.get_path(name) for name in ("stdlib", "purelib"))


class Answers(NamedTuple):
    """Who answers what the recorded code asks of a traced array."""

    ufunc: Callable[..., Any]
    function: Callable[..., Any]
    get: Callable[..., Any]
    put: Callable[..., Any]
    flat: Callable[..., Any]
    array: Callable[..., Any]


class Tape:
    """The recorder of one call, and the values that tokens stand for."""

    def __init__(self, answers: Answers, recorder: Recorder | None = None) -> None:
        self.answers = answers
        self.recorder = Recorder() if recorder is None else recorder  # or that of who calls the code
        self._library = "" if recorder is None else "numpy"
        self.open = True
        self.numpy: Any = np  # as the recorded code sees it
        self.wrote_text = False  # whether a recorded number stands in a text
        self._bases: list[int] = []
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
        array = np.array(numbers)
        if dtype in REAL:
            return complex_constant(self.recorder, array, dtype, lambda _, v, kind: self.constant(v, kind))
        if dtype in FLOATS:
            array = array.astype(np.float64)
            if not np.isfinite(array).all():
                balls = np.empty(array.shape, object)
                for where, number in np.ndenumerate(array):
                    balls[where] = flint.arb(float(number))
                array = balls
        return self.recorder.constant(array, dtype)

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
        bases = np.array(self._bases[first : last + 1])
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
        waiting, passed = list(vars_of(value)), []
        while waiting:
            var = waiting.pop()
            if var in self._fixed:
                continue
            equation = self.recorder.definitions.get(var)
            if equation is None:
                return True
            passed.append(var)
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


def gather(x: Var, places: Tokens) -> Var:
    """The elements of x at these places in C order (-1: a zero), by the plainest primitive that does it."""
    whole = _in_order(x, places)
    if whole and places.shape == x.shape:
        return x
    definition = x.builder.definitions.get(x)
    if definition and definition.primitive.edge and definition.primitive.comparison and places.min() >= 0:
        # A mask stays a comparison when it is moved, so that its edges are still known to be kinks.
        a, b = definition.operands
        return compare(definition.primitive.name, gather(a, places), gather(b, places))
    if whole:
        return reshape(x, places.shape)
    view = _as_view(x, places)
    return take(x, places) if view is None else view


def _in_order(x: Var, places: Tokens) -> bool:
    if places.size != x.size:
        return False
    flat = places.ravel()
    return flat.size == 0 or (flat[0] == 0 and bool((flat == np.arange(flat.size)).all()))


def spread(x: Var, shape: tuple[int, ...]) -> Var:
    """x broadcast; a comparison stays one."""
    return gather(x, np.broadcast_to(np.arange(x.size).reshape(x.shape), shape))


def _as_view(x: Var, places: Tokens) -> Var | None:
    """All of x, once, with its axes permuted and repeated along further axes; None if it is not that."""
    first = int(places.flat[0])
    corner = (0,) * places.ndim
    steps = [
        int(places[(*corner[:a], 1, *corner[a + 1 :])]) - first if n > 1 else 0
        for a, n in enumerate(places.shape)
    ]
    moving = sorted((a for a, step in enumerate(steps) if step), key=lambda a: -steps[a])
    expected = 1
    for a in reversed(moving):
        if steps[a] != expected:
            return None
        expected *= places.shape[a]
    if first != 0 or expected != x.size:
        return None
    ramps = np.ix_(*(np.arange(n) * step for n, step in zip(places.shape, steps, strict=True)))
    if not np.array_equal(places, np.broadcast_to(sum(ramps, np.zeros((), np.int64)), places.shape)):
        return None
    whole = reshape(x, [places.shape[a] for a in moving])
    whole = permute(whole, [moving.index(a) for a in sorted(moving)])
    whole = reshape(whole, [n if step else 1 for n, step in zip(places.shape, steps, strict=True)])
    return x.builder.broadcast(whole, places.shape)


# -- messages ---------------------------------------------------------------------------------------------


def unsupported(message: str) -> Unsupported:
    """The error, with the place in the user's code."""
    return Unsupported(f"{message}; at {place()}", line=line())


def opaque(message: str) -> Opaque:
    """The same of what a plain function could stand for."""
    return Opaque(f"{message}; at {place()}", line=line())


def line() -> Line:
    """The line of the user's code that is running."""
    frame, _ = _users()
    return Line(frame.f_code.co_filename, frame.f_lineno)


def place() -> str:
    """The line of the user's code that is running, and the library function that it called, if any."""
    frame, called = _users()
    file = os.path.abspath(frame.f_code.co_filename)
    line = linecache.getline(file, frame.f_lineno).strip()
    library = f" (in {called.f_globals.get('__name__')}.{called.f_code.co_name})" if called else ""
    return f"{file}:{frame.f_lineno}: {line}{library}"


def library_function() -> str | None:
    """What users call the function of NumPy's, SciPy's or Python's that their code called; None if none."""
    _, called = _users()
    module = "" if called is None else str(called.f_globals.get("__name__"))
    if called is None or module.partition(".")[0] not in NOT_USER:
        return None
    code = called.f_code
    held = [called.f_locals.get(name) for name in code.co_freevars]
    decorated = [f for f in held if isinstance(f, FunctionType)] if "<locals>" in code.co_qualname else []
    if code.co_varnames[:1] in (("self",), ("cls",)) and not decorated:
        first = called.f_locals.get(code.co_varnames[0])
        owner = first if isinstance(first, type) else type(first)
        called_as = "" if code.co_name in ("__init__", "__new__", "__call__") else f".{code.co_name}"
        named = _public(str(owner.__module__), "", first, owner)
        return f"{named or module}{called_as}"
    for function in decorated:
        if named := _public(str(function.__module__), function.__name__):
            return named
    first_name, dot, rest = code.co_qualname.partition(".")
    return f"{_public(module, first_name) or f'{module}.{first_name}'}{dot}{rest}"


def _public(module: str, name: str, *objects: Any) -> str:
    """The shortest path to what has this name, or is one of these objects; empty if none leads there."""
    parts = module.split(".")
    for path in (".".join(parts[:n]) for n in range(1, len(parts) + 1)):
        for own, value in list(vars(sys.modules[path]).items()) if path in sys.modules else ():
            if own == name or any(value is one for one in objects):
                return f"{path}.{own}"
    return ""


def _users() -> tuple[FrameType, FrameType | None]:
    """The user's frame that is running, and that of the library function that it called, if any.

    It is the innermost that is not installed; where all is installed, the innermost but NumPy's and Python's.
    """
    called, installed, last = None, None, None
    for frame in _recorded():
        file, last = frame.f_code.co_filename, frame
        if not _is_installed(file):
            return frame, called
        called = frame
        name = str(frame.f_globals.get("__name__"))
        if installed is None and file.startswith(_INSTALLED) and not name.startswith("numpy"):
            installed = frame
    found = installed or last
    assert found is not None, "what is recorded has a frame"
    return found, None


def _recorded() -> Iterator[FrameType]:
    """The frames of the code that is recorded, from the innermost: those between ours.

    Where they are NumPy's alone, whose code is followed, those that called it come after them.
    """
    frame: FrameType | None = sys._getframe(1)
    only_numpy = True
    while only_numpy and frame is not None:
        while frame is not None and _lies_in_ours(frame.f_code.co_filename):
            frame = frame.f_back
        while frame is not None and not _lies_in_ours(frame.f_code.co_filename):
            only_numpy = only_numpy and str(frame.f_globals.get("__name__")).startswith("numpy")
            yield frame
            frame = frame.f_back


@functools.cache
def _lies_in_ours(file: str) -> bool:
    return file.startswith(OURS)


@functools.cache
def _is_installed(file: str) -> bool:
    return file.startswith((_STANDARD, _INSTALLED))


@functools.cache
def name_of(dtype: np.dtype[Any]) -> str:
    """The dtype's name, which NumPy puts together anew whenever it is asked."""
    return dtype.name
