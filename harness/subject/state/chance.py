"""Random numbers: generators, and those that the process shares."""

from __future__ import annotations

import ctypes
import random
from typing import Any

import numpy as np

from harness.subject.state.keeper import Keeper, kept

GENERATORS = (np.random.Generator, np.random.RandomState, random.Random)


def of_generator(generator: Any) -> Keeper:
    """A generator of Python's or NumPy's."""
    if isinstance(generator, random.Random):
        return kept(generator.getstate, generator.setstate, lambda state: state)
    if isinstance(generator, np.random.RandomState):
        return kept(generator.get_state, generator.set_state, repr)
    bits = generator.bit_generator
    return kept(lambda: bits.state, lambda state: setattr(bits, "state", state), repr)


def python_chance() -> Keeper:
    """Python's shared random numbers."""
    return kept(random.getstate, random.setstate, lambda state: state)


def numpy_chance() -> Keeper:
    """NumPy's shared random numbers."""
    read, write, bits = np.random.get_state, np.random.set_state, np.random.mtrand._rand._bit_generator
    before: Any = read()

    def told(state: Any) -> tuple[Any, ...]:
        return state[1].tobytes(), *state[2:]

    def put_back() -> bool:
        if told(read()) == told(before):
            return False
        write(before)
        return True

    if before[3] or type(bits) is not np.random.MT19937:
        return put_back
    words = _twister(bits)

    def looked_at() -> bool:
        # NumPy takes 50 us to list them; with no normal number beside them, whatever is drawn moves them.
        same = np.random.mtrand._rand._bit_generator is bits and _twister(bits) == words
        return not same and put_back()

    return looked_at


def _twister(bits: Any) -> bytes:
    """The memory of NumPy's shared generator: 624 words and where it is in them."""
    return ctypes.string_at(bits.ctypes.state_address, 4 * 625)
