"""What hides a mistake at the given point alone: a gradient by hand is then asked beside it, too.

- Where an argument is all 0 or 1, a term or a factor that is missing does not show: a norm's gamma and beta
  as they begin, a running mean or a first state of zeros, the weights of samples, a mask that lets all
  through, a temperature of 1, a decay of 0. A float of Python's may be one, or a complex number. A bool is a
  flag; an integer is a count, an axis, but where it is 1 and a factor alone (`factor`).
- Where a vector has a 1 in it, it may be several parameters at their start, [mean, scale] = [0, 1].
- Where two arguments have the same numbers, as a policy and the one before it as it begins, a ratio is 1.
- Where a number is 2, it is an exponent with which x^(n - 1) is x.
- Where a number is 0.5, it is its own 1 - p: a rule with the two exchanged is right there, of dropout, of a
  quantile's loss, of a mixture.
- Where complex numbers are all real, or all imaginary, a missing conjugate does not show. That is asked of
  what is differentiated alone: a mask of complex numbers is real by what it is.
- Where the gradient computes with numbers of its own in place of an argument's, they are the argument's here:
  it reads a global `x`, or what a constructor kept.

A gradient that reads nothing of an argument may be given as numbers for this point: of that a note tells.
"""

from __future__ import annotations

import dis
import inspect
import types
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypeGuard

import numpy as np

from harness.inputs.points import as_numbers, is_on_an_axis, is_packed, twin_of
from harness.proof.program import Examined
from harness.proof.question import Question, UnderTest
from harness.proof.truth import Posed, Truth
from harness.subject.argnums import is_moving
from harness.subject.complex_pairs import ComplexName
from harness.subject.derivative import Array
from harness.subject.names import names_of
from harness.subject.tested import Tested
from oracles.exact.from_numpy.array import is_traced
from oracles.exact.program.code_names import names_in
from oracles.exact.program.errors import ExactError
from oracles.exact.program.program import Var
from oracles.exact.program.reach import cells
from oracles.exact.program.recording import Recording
from oracles.exact.program.trees import Fixed, is_floating
from oracles.frameworks.operands import SPECIAL

NUMBERS = (np.ndarray, float)
MOST_TWINS = 16  # arrays that are compared with each other


def hiding(question: Question, tested: UnderTest, posed: Posed, examined: Examined) -> dict[int | Fixed, str]:
    """The arguments that hide something here, each with what it is, in words; none of a framework's own."""
    if not is_by_hand(tested, posed):
        return {}
    names, active = question.names, question.active
    found: dict[int | Fixed, str] = {}
    for k, name in enumerate(names):  # after them come the directions
        numbers = as_numbers(posed.inputs[k], isinstance(name, ComplexName))
        if k not in active and posed.true.is_zero and is_one_share(numbers):
            continue
        if _is_one_number(numbers) if k in active else held_hides(numbers, posed.inputs):
            found[k] = f"{name} is all {float(numbers.flat[0].real):g}"
        elif k in active and np.iscomplexobj(numbers) and numbers.size and is_on_an_axis(numbers):
            found[k] = f"{name} is all {'imaginary' if numbers.imag.any() else 'real'}"
    found |= {k: f"{names[k]} is {names[j]}" for k, j in _twins(posed, active) if k not in found}
    flat = tested.target.flat
    plain = [f for f in flat.fixed if _is_plain(f.leaf)]
    for f, name in zip(plain, names_of(flat.function, flat.tree, [f.place for f in plain]), strict=True):
        found[f] = f"{name} is {f.leaf.real:g}"
    asked = [k for k in active if k not in found and posed.inputs[k].size]
    named = [] if tested.own else numbers_named(tested.rule)
    held = [k for k in asked if any(_has_numbers(array, posed.inputs[k]) for array in named)]
    for k in (
        *held,
        *arguments_where(partial(_is_written_in, posed), examined, [k for k in asked if k not in held]),
    ):
        found[k] = f"the gradient has the numbers of {names[k]} from elsewhere"
    packed = [k for k in asked if k not in found and is_packed(posed.inputs[k])]
    given = arguments_where(_is_unread, examined, packed)
    return found | {k: f"{names[k]} has a 1 in it" for k in packed if k not in given}


def _twins(posed: Posed, active: Sequence[int]) -> list[tuple[int, int]]:
    """Arrays with the numbers of an earlier one, of which one is differentiated; a few only."""
    known = ((k, twin_of(posed.inputs, k)) for k in range(min(len(posed.inputs), MOST_TWINS)))
    return [(k, j) for k, j in known if j is not None and {j, k}.intersection(active)]


def unread(question: Question, tested: UnderTest, posed: Posed, examined: Examined) -> list[str]:
    """What a gradient by hand does not read and the derivative moves with: it may be right here alone."""
    if not is_by_hand(tested, posed):
        return []
    moving = [k for k in question.active if _derivative_moves_with(posed.true, k)]
    return [
        f"the gradient does not read {question.names[k]}, with which the derivative moves: it may be right "
        "at this point alone"
        for k in arguments_where(_is_unread, examined, moving)
    ]


def is_by_hand(tested: UnderTest, posed: Posed) -> TypeGuard[Tested]:
    """Whether a person may have written the rule, and not an oracle or the framework alone."""
    return isinstance(tested, Tested) and not (tested.own and not posed.forward.freedom.keeps)


def numbers_named(rule: Any) -> list[Array]:
    """The arrays and floats that a rule by hand itself names: globals, variables of its closure, defaults."""
    function = inspect.unwrap(rule) if callable(rule) else None
    function = getattr(function, "__func__", function)
    if not isinstance(function, types.FunctionType):
        return []
    known, held = function.__globals__, [cell.cell_contents for cell in cells(function)]
    named = [n for n in names_in(function.__code__) & known.keys() if type(known[n]) in NUMBERS]
    loaded = _globals_loaded(function.__code__) if named else set()  # an attribute may be called the same
    values = [*held, *(function.__defaults__ or ()), *(known[n] for n in named if n in loaded)]
    return [np.asarray(value) for value in values if type(value) in NUMBERS and not is_traced(value)]


def _globals_loaded(code: types.CodeType) -> set[str]:
    """The globals that code loads, with the code inside it."""
    own = {str(i.argval) for i in dis.get_instructions(code) if i.opname == "LOAD_GLOBAL"}
    return own.union(*(_globals_loaded(c) for c in code.co_consts if isinstance(c, types.CodeType)))


def _is_plain(leaf: Any) -> bool:
    """Whether it is a number of Python's that may hide something."""
    return (type(leaf) in {float, complex} and leaf in SPECIAL) or (type(leaf) is int and leaf == 1)


def _is_one_number(numbers: Array) -> bool:
    """Whether it is all 0 or 1, or a half; halves may be what sums to 1, and a 2 is no exponent here."""
    numbered = bool(is_moving(numbers) and numbers.size and ((numbers == 0).all() or (numbers == 1).all()))
    return numbered or (is_neutral(numbers) and numbers.item() != 2)


def held_hides(numbers: Array, among: Sequence[Array]) -> bool:
    """Whether an argument `among` others that is not differentiated may hide something."""
    return _may_be_mask_or_state(numbers, among) or _is_all_alike(numbers) or is_neutral(numbers)


def _is_all_alike(numbers: Array) -> bool:
    """Whether it is all 2, exponents or scales, or all a half and no shares of two."""
    if numbers.size < 2 or not is_moving(numbers):
        return False
    return bool((numbers == 2).all() or ((numbers == 0.5).all() and 2 not in numbers.shape))


def _may_be_mask_or_state(numbers: Array, among: Sequence[Array]) -> bool:
    """Whether it is all 0, as a mean or a first state, or may be a mask, or weights, of ones alone.

    A mask of booleans may leave out where it is set, as that of padding does. Integers are ones only along
    axes that others have; zeros among them are numbers of something. A square matrix of zeros may be one that
    stays antisymmetric, triangular or diagonal.
    """
    if numbers.size < 2 or not (is_moving(numbers) or numbers.dtype.kind in "biu"):
        return False
    if numbers.dtype.kind == "b" and not numbers.any():
        return True
    if is_moving(numbers) and not numbers.any():
        return numbers.ndim < 2 or numbers.shape[-1] != numbers.shape[-2]
    lengths = {1, *(length for a in among if is_floating(a) for length in a.shape)}
    fits = numbers.dtype.kind not in "iu" or lengths.issuperset(numbers.shape)
    return fits and bool((numbers == 1).all())


def is_one_share(numbers: Array) -> bool:
    """Whether it may be shares along an axis of one, as the labels of a single class: these are 1."""
    return bool(numbers.ndim > 1 and numbers.shape[-1] == 1 and (numbers == 1).all())


def is_neutral(numbers: Array) -> bool:
    """Whether it is one number that is no count: a factor, term or exponent without effect, or its 1 - p."""
    return bool(numbers.size == 1 and is_moving(numbers) and numbers.item() in SPECIAL)


def arguments_where(
    holds: Callable[[Recording, int], bool], examined: Examined, which: Sequence[int]
) -> list[int]:
    """Of which arguments that holds in a gradient, and together with its function, which may leave them.

    Of one that nobody could look into nothing is known: what stands for it is the truth's own program.
    """
    if examined.recording is None or examined.opaque:
        return []
    found = [k for k in which if holds(examined.recording, k)]
    if found and examined.after_forward:
        try:
            whole = examined.after_forward()
        except ExactError:
            return []
        found = [k for k in found if holds(whole, k)]
    return found


def _is_written_in(posed: Posed, recording: Recording, k: int) -> bool:
    """Whether an argument's numbers are constants of a program."""
    constants = [e.params["value"] for e in recording.program.equations if e.primitive.name == "constant"]
    return any(_has_numbers(c, posed.inputs[k]) for c in constants)


def inputs_of(recording: Recording, k: int) -> set[Var]:
    """What stands in a gradient's program for an argument; the cotangents are before all."""
    return {v for v, of in zip(recording.program.inputs, recording.argument, strict=False) if of == k + 1}


def _is_unread(recording: Recording, k: int) -> bool:
    """Whether nothing that is returned, or that the code branches or chooses by, is made of it."""
    own = inputs_of(recording, k)
    for equation in recording.program.equations:
        if not own.isdisjoint(equation.operands):
            own.add(equation.output)
    asked = (v for v, _ in recording.program.guards)
    return own.isdisjoint((*recording.program.outputs, *asked))


def _has_numbers(array: Array, wanted: Array) -> bool:
    """Whether an array has the numbers of another one, as it stands or transposed; of few it says nothing."""
    if array.dtype.kind != "f" or array.size != wanted.size or (wanted.size > 2 and _has_few(wanted)):
        return False
    numbers = wanted.astype(np.float64)
    return any(np.array_equal(np.ravel(one), np.ravel(numbers)) for one in (array, array.T))


def _has_few(array: Array) -> bool:
    """Whether there are two numbers at most, as in a target of zeros and ones."""
    return len(np.unique(array)) < 3


def _derivative_moves_with(true: Truth, k: int) -> bool:
    """Whether the derivative moves with that argument, and not only jumps."""
    own = [v for v, of in zip(true.gradient.inputs, true.argument, strict=False) if of == k]
    return true.gradient.moves_with(own)
