"""What hides a mistake at the given point alone: a gradient by hand is then asked beside it, too.

- Where an argument is all 0 or 1, a term or a factor that is missing does not show: a norm's gamma and beta
  as they begin, the weights of samples, or a mask that lets everything through.
- Where the gradient computes with numbers of its own in place of an argument's, they are the argument's here:
  it reads a global `x`, or what a constructor kept.
"""

from __future__ import annotations

import dis
import inspect
import types
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from harness.proof.program import Examined
from harness.proof.question import Question, UnderTest
from harness.proof.truth import Posed, Truth
from harness.subject.derivative import Array
from harness.subject.tested import Tested
from oracles.exact.program.errors import ExactError
from oracles.exact.program.program import Program, Var
from oracles.exact.program.reach import cells, names_in
from oracles.exact.program.recording import Recording
from oracles.exact.program.trees import is_floating


def hiding(question: Question, tested: UnderTest, posed: Posed, examined: Examined) -> dict[int, str]:
    """The arguments that hide something here, each with what it is, in words; none of a framework's own."""
    if not isinstance(tested, Tested) or (tested.own and not posed.forward.freedom.keeps):
        return {}
    names, active = question.names, question.active
    found = {
        k: f"{names[k]} is all {float(np.ravel(a)[0]):g}"
        for k, a in enumerate(posed.inputs)
        if (_is_alike(a) if k in active else _lets_all_through(a, posed.inputs))
    }
    asked = [k for k in active if k not in found and posed.inputs[k].size]
    named = [] if tested.own or tested.reuses else arrays_named(tested.rule)
    held = [k for k in asked if any(_has_numbers(array, posed.inputs[k]) for array in named)]
    for k in (*held, *_unread([k for k in asked if k not in held], posed, examined)):
        found.setdefault(k, f"the gradient has the numbers of {names[k]} from elsewhere")
    return found


def arrays_named(rule: Any) -> list[Array]:
    """The arrays that a rule by hand itself names: globals, variables of its closure, defaults."""
    function = inspect.unwrap(rule) if callable(rule) else None
    function = getattr(function, "__func__", function)
    if not isinstance(function, types.FunctionType):
        return []
    known, held = function.__globals__, [cell.cell_contents for cell in cells(function)]
    named = [n for n in names_in(function.__code__) & known.keys() if type(known[n]) is np.ndarray]
    loaded = _loaded(function.__code__) if named else set()  # an attribute may be called the same
    values = [*held, *(function.__defaults__ or ()), *(known[n] for n in named if n in loaded)]
    return [value for value in values if type(value) is np.ndarray]


def _loaded(code: types.CodeType) -> set[str]:
    """The globals that code loads, with the code inside it."""
    own = {str(i.argval) for i in dis.get_instructions(code) if i.opname == "LOAD_GLOBAL"}
    return own.union(*(_loaded(c) for c in code.co_consts if isinstance(c, types.CodeType)))


def _is_alike(array: Array) -> bool:
    return bool(is_floating(array) and array.size and ((array == 0).all() or (array == 1).all()))


def _lets_all_through(array: Array, inputs: Iterable[Array]) -> bool:
    """Whether it may be a mask, or weights, of ones alone: of integers only one for each element, or row."""
    may_be = array.dtype.kind in "fb" or any(
        is_floating(a) and a.shape[: array.ndim] == array.shape for a in inputs
    )
    return bool(array.size > 1 and may_be and array.dtype.kind in "fbiu" and (array == 1).all())


def _unread(active: Sequence[int], posed: Posed, examined: Examined) -> list[int]:
    """The arguments that a gradient holds as constants, or does not read, where the derivative does."""
    if examined.recording is None:
        return []
    found = _held_in(examined.recording, active, posed)
    if found and examined.after_forward:  # what the forward left behind is no constant
        try:
            found = _held_in(examined.after_forward(), found, posed)
        except ExactError:
            return []
    return found


def _held_in(recording: Recording, active: Sequence[int], posed: Posed) -> list[int]:
    constants = [e.params["value"] for e in recording.program.equations if e.primitive.name == "constant"]

    def is_read(k: int) -> bool:
        own = [v for v, of in zip(recording.program.inputs, recording.argument, strict=False) if of == k + 1]
        return _depends(recording.program, own)

    return [
        k for k in active
        if any(_has_numbers(c, posed.inputs[k]) for c in constants)
        or (not is_read(k) and _moves(posed.true, k))
    ]  # fmt: skip


def _has_numbers(array: Array, wanted: Array) -> bool:
    """Whether an array has the numbers of another one, as it stands or transposed; of few it says nothing."""
    if array.dtype.kind != "f" or array.size != wanted.size or (wanted.size > 2 and _has_few(wanted)):
        return False
    numbers = wanted.astype(np.float64)
    return any(np.array_equal(np.ravel(one), np.ravel(numbers)) for one in (array, array.T))


def _has_few(array: Array) -> bool:
    """Whether there are two numbers at most, as in a target of zeros and ones."""
    return len(np.unique(array)) < 3


def _moves(true: Truth, k: int) -> bool:
    """Whether the derivative depends on that argument."""
    own = [v for v, of in zip(true.gradient.inputs, true.argument, strict=False) if of == k]
    return _depends(true.gradient, own)


def _depends(program: Program, starts: Iterable[Var]) -> bool:
    """Whether some result depends on one of these."""
    depends = set(starts)
    for equation in program.equations:
        if not depends.isdisjoint(equation.operands):
            depends.add(equation.output)
    return not depends.isdisjoint(program.outputs)
