"""NumPy code that another framework calls, recorded into that framework's program."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from oracles.exact.from_numpy.array import TracedArray
from oracles.exact.from_numpy.proxy import substituted
from oracles.exact.from_numpy.record import ANSWERS, content, output
from oracles.exact.from_numpy.tape import Tape
from oracles.exact.from_numpy.unknown import refuse_unknown
from oracles.exact.program.errors import Unsupported, uncaught
from oracles.exact.program.program import Var
from oracles.exact.program.recording import Recorder


def called(
    recorder: Recorder, function: Callable[..., Sequence[Any]], operands: Sequence[Var], code: Any
) -> list[Var]:
    """What the function gives for these operands, arrays all of them.

    Args:
        recorder: Writes the program that has the operands.
        function: Takes and gives arrays in a row.
        operands: Real ones; whole numbers and truths are decided.
        code: What holds the NumPy code: the user's function.

    Raises:
        Unsupported, Undecided: As `record` does.
    """
    tape = Tape(ANSWERS, recorder)
    given = [_entered(tape, var) for var in operands]
    before = [content(leaf).copy() for leaf in given]
    with substituted(tape, code), uncaught():
        results = function(*given)
    for leaf, was in zip(given, before, strict=True):
        if not np.array_equal(content(leaf), was):
            raise Unsupported("the function writes into what it is given; let it work on a copy")
    found = [output(tape, leaf) for leaf in results]
    tape.open = False
    refuse_unknown(tape, lambda: recorder.program(found))
    return found


def _entered(tape: Tape, var: Var) -> Any:
    if not var.is_float:
        return np.array(tape.recorder.decide(var)).astype(var.dtype)
    value = tape.recorder.about(var).astype(var.dtype)
    return TracedArray(tape, value, tape.register(var, value))
