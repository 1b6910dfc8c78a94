"""The real and the imaginary part of a recorded complex array, as NumPy has them: views of its memory."""

from __future__ import annotations

from typing import Any

import numpy as np

from oracles.exact.from_numpy.array import TracedArray
from oracles.exact.from_numpy.dtypes import name_of
from oracles.exact.from_numpy.making import lift
from oracles.exact.from_numpy.refusals import opaque
from oracles.exact.from_numpy.tape import UNWRITTEN, ZERO, Tokens
from oracles.exact.program.complex import Complex

NAMES = {"re": "real", "im": "imag"}


class Part(TracedArray):
    """A part of a complex array: it is read where it is asked for, and what is written is written there.

    What NumPy's functions make of it (a transpose, a reshape) cannot be written into.
    """

    __slots__ = ("_name", "_seen", "_tokens", "_whole")
    _whole: TracedArray
    _name: str
    _seen: Tokens | None
    _tokens: Tokens

    @classmethod
    def of(cls, whole: TracedArray, name: str) -> Any:
        """That of an array, or of a number, which is a number."""
        value = getattr(whole.in_numpy, NAMES[name])
        if whole.is_scalar:
            return TracedArray(whole.tape, value, _tokens(whole, name))
        self = object.__new__(cls)
        self._whole, self._name, self._seen = whole, name, None
        return self

    @property
    def tape(self) -> Any:  # type: ignore[override]
        """That of the array."""
        return self._whole.tape

    @property
    def in_numpy(self) -> Any:
        """NumPy's view, which is written into through the array alone."""
        found = getattr(self._whole.in_numpy, NAMES[self._name])[...]
        found.flags.writeable = False
        return found

    @property
    def tokens(self) -> Any:  # type: ignore[override]
        """Those of the elements that the array has now."""
        if self._seen is None or not np.array_equal(self._seen, self._whole.tokens):
            self._seen, self._tokens = self._whole.tokens.copy(), _tokens(self._whole, self._name)
            self._tokens.flags.writeable = False
        return self._tokens

    @property
    def shape(self) -> tuple[int, ...]:
        """As NumPy's."""
        return self._whole.shape

    @shape.setter
    def shape(self, new: Any) -> None:
        raise opaque("the shape of a part of complex numbers cannot be set; use reshape")

    def __getitem__(self, key: Any) -> Any:
        return getattr(self._whole[key], NAMES[self._name])

    def __setitem__(self, key: Any, new: Any) -> None:
        now = self.copy()
        now[key] = new
        put_part(self._whole, self._name, now)


def put_part(whole: TracedArray, name: str, new: Any) -> None:
    """whole.real = new, or whole.imag = new; what was never written has 0 for its other part."""
    real = np.dtype(whole.in_numpy.real.dtype)
    source = lift(whole.tape, new, real)
    setattr(whole.in_numpy, NAMES[name], source.in_numpy)
    given = np.broadcast_to(source.tokens, whole.shape)
    parts = {own: _read(whole, own) for own in NAMES}
    parts[name] = whole.tape.read(np.where(given == UNWRITTEN, ZERO, given), name_of(real))
    whole.tokens[...] = whole.tape.register(Complex(parts["re"], parts["im"]), whole.in_numpy)
    whole.tokens[given == UNWRITTEN] = UNWRITTEN


def _read(whole: TracedArray, name: str) -> Any:
    written = np.where(whole.tokens == UNWRITTEN, ZERO, whole.tokens)
    return getattr(whole.tape.read(written, name_of(whole.dtype)), name)


def _tokens(whole: TracedArray, name: str) -> Tokens:
    like = np.asarray(getattr(whole.in_numpy, NAMES[name]))
    found = whole.tape.register(_read(whole, name), like)
    found[whole.tokens == UNWRITTEN] = UNWRITTEN
    return found
