"""Records a JAX function: traces it to a jaxpr and writes that, equation by equation, as a program.

What is recorded is the forward: a `custom_jvp` or `custom_vjp` rule is never followed. Loops are unrolled
and branches decided by balls, each with a guard. Functions of JAX's libraries that are coded as
approximations are their mathematical definition.

To add a primitive, add one entry to the table of its kind in `rules/`: `elementwise.py`, `arrays.py`,
`indexing.py`, `windows.py`, `linalg.py`, `sparse.py`, `control.py` (what contains jaxprs), or
`definitions.py` (library functions known by name). What draws random numbers has no rule: see `draws.py`.
What has none and gets constants alone is what it gives as it runs; another library's primitive is its code
(`foreign.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache, partial
from typing import Any

import jax
import numpy as np
from jax.extend.core import ClosedJaxpr, Literal

from oracles.exact.from_jaxpr.call import Eqn, Rule, constant_of_any
from oracles.exact.from_jaxpr.fixed import Fixed
from oracles.exact.from_jaxpr.foreign import implementation, is_pure
from oracles.exact.from_jaxpr.freedom import freedom_of
from oracles.exact.from_jaxpr.kernels import KERNEL
from oracles.exact.from_jaxpr.lines import is_in_library
from oracles.exact.from_jaxpr.lost_gradients import HELD, HOLDS, OF_FUNCTIONS, holds_in_rule, is_run_by_rule
from oracles.exact.from_jaxpr.nowhere import refuse_nan
from oracles.exact.from_jaxpr.pairing import (
    SEVERAL,
    Partners,
    Slot,
    is_as_written,
    is_short,
    meant,
    partners,
)
from oracles.exact.from_jaxpr.rules import RULES
from oracles.exact.from_jaxpr.rules.complex import complex_rule
from oracles.exact.from_jaxpr.rules.control import CONTROL
from oracles.exact.from_jaxpr.rules.definitions import CALLS, definition
from oracles.exact.from_jaxpr.tracing import executed, is_floating, trace, user_frame, x64_for
from oracles.exact.program.balls import FEW_BITS
from oracles.exact.program.complex import REAL, Complex, each_part, vars_of
from oracles.exact.program.errors import Opaque, Unsupported
from oracles.exact.program.program import FLOATS, Line, Program, Var
from oracles.exact.program.recording import Recorder, Recording, declare_edges
from oracles.exact.program.registered import definition_of


def record(
    function: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    differentiate: bool = True,
    paired: bool = False,
    exactly: bool = False,
) -> Recording:
    """The function at these arguments; without `differentiate` not to be differentiated.

    Floating leaves of `args` (arrays and Python numbers) are inputs; everything else is passed on as it is.
    It is traced as the caller's JAX runs it, and in 64 bits if an array is float64 or none is floating.
    `paired`: a literal is the number that was written, as a trace in float64 has it, and not what the
    program's dtype makes of it; where that is not known it is a ball, and the recording's `notes` say so,
    or `exactly` the number that stands there. Of a derivative, short literals are taken as they stand, which
    is what they nearly always are, and spares the second trace: see `Recording.as_written`.
    """
    traces = trace(function, args, kwargs)
    own = traces.own
    leaves = jax.tree.leaves(args)
    moving = [i for i, leaf in enumerate(leaves) if is_floating(leaf)]
    given = [leaves[i] for i in moving]
    owner = np.repeat(np.arange(len(args)), [len(jax.tree.leaves(a)) for a in args])
    owners = tuple(int(owner[i]) for i in moving)
    pairs = cache(lambda: partners(own, traces.wide(), traces.uncast)) if paired else None

    def read(reader: _Reader) -> tuple[Program, tuple[str, ...]]:
        recorder = Recorder()
        inputs = [recorder.input_at(x, _dtype(v.aval)) for x, v in zip(given, own.jaxpr.invars, strict=True)]
        outputs = reader.interpret(recorder, own, inputs)
        if differentiate:
            refuse_nan(recorder, outputs)
            outputs = declare_edges(recorder, outputs)
        return recorder.program(outputs), tuple(reader.notes)

    reader = partial(_Reader, pairs, traces.why_none, exactly, tested=not differentiate)
    first = reader(trusting=not (differentiate or exactly))
    program, notes = read(first)
    written = partial(read, reader()) if first.trusted else None
    coded = partial(read, reader(coding=True)) if first.named else None
    ran, values = partial(executed, own, given), tuple(map(np.asarray, given))

    def wider() -> tuple[Any, ...]:
        wide = traces.wide()
        return executed(wide, given) if wide is not None else ()

    return Recording(
        program,
        values,
        owners,
        notes,
        ran,
        True,
        freedom_of(own),
        written,
        coded,
        wider,
        cast=first.cast,
        loses=HELD if first.loses else "",
    )


class _Reader:
    """Writes jaxprs as equations.

    Attributes:
        partners: Finds the literals' partners in float64; None where literals are taken as they stand.
        why_none: Why there is no trace in float64, in a line; "" where there is one.
        exactly: Whether a literal without a partner is the number that stands there, and no ball.
        trusting: Whether a short literal is taken as it stands without looking for its partner.
        coding: Whether library functions that JAX differentiates as they are coded are written so.
        tested: Whether the program is what runs, and not to be differentiated.
        trusted: Whether a short literal was taken as it stands.
        cast: Whether a longer one was, though it is not known what JAX rounded to it.
        named: Whether such a function was written as what it is known to be by its name.
        notes: The literals that are not known exactly, once each, and why.
        fixed: What is made of constants alone.
        loses: Whether a rule of a custom function holds something fixed that moves.
        within, rules: How deep it is in what custom functions compute, and in what their rules do.
    """

    def __init__(
        self,
        partners: Callable[[], Partners] | None,
        why_none: Callable[[], str],
        exactly: bool,
        trusting: bool = False,
        coding: bool = False,
        tested: bool = False,
    ) -> None:
        self.partners, self.why_none, self.exactly = partners, why_none, exactly
        self.trusting, self.coding, self.tested = trusting, coding, tested
        self.trusted = self.named = self.cast = False
        self.notes: dict[str, None] = {}
        self.fixed = Fixed()
        self.loses = False
        self.within = self.rules = 0

    def interpret(
        self, recorder: Recorder, closed: ClosedJaxpr, inputs: Sequence[Var], caller: Line | None = None
    ) -> list[Var]:
        """Write the equations of a jaxpr, called at `caller`; the values of its outputs."""
        jaxpr = closed.jaxpr
        values: dict[Any, Var] = dict(zip(jaxpr.invars, inputs, strict=True))
        inherited = caller if is_in_library(jaxpr) else None

        def read(owner: Any, kind: str, atoms: Sequence[Any], place: Line | None) -> list[Var]:
            return [
                self._constant(recorder, a.val, a.aval, (id(owner), kind, k), place)
                if isinstance(a, Literal)
                else values[a]
                for k, a in enumerate(atoms)
            ]

        for k, (v, number) in enumerate(zip(jaxpr.constvars, closed.consts, strict=True)):
            values[v] = self._constant(recorder, number, v.aval, (id(jaxpr), "constant", k), caller)
        for equation in jaxpr.eqns:
            # What a library function does inside was perhaps traced for another line, and kept by JAX.
            place = inherited or _user_line(equation)
            operands = read(equation, "operand", equation.invars, place)
            found = self._apply(recorder, jaxpr, equation, operands, place or caller)
            found = self.fixed.stepped(recorder, jaxpr, equation, operands, found)
            values.update(zip(equation.outvars, found, strict=True))
        return read(jaxpr, "result", jaxpr.outvars, caller)

    def _apply(
        self, recorder: Recorder, jaxpr: Any, equation: Any, operands: list[Var], place: Line | None
    ) -> Sequence[Var]:
        try:
            ran = self.fixed.drawn(recorder, jaxpr, equation, operands)
            if ran is None and _has_no_rule(equation) and is_pure(equation):
                with suppress(Exception):  # a primitive may not run outside of what it stands in
                    ran = self.fixed.run(recorder, jaxpr, equation, operands)
            if ran is not None:
                recorder.calls(equation.primitive.name, place)
                _compare(equation.primitive.name, ran, equation.outvars)
                return ran
            name, rule = self._rule(equation, any(isinstance(v, Complex) for v in operands))
            first = equation.outvars[0].aval if equation.outvars else None
            interpret = partial(self.interpret, caller=place)
            shape = getattr(first, "shape", ())
            call = Eqn(
                recorder, equation.params, shape, _dtype(first), equation.outvars, interpret, self.tested
            )
            recorder.calls(name, place)
            with self._inside(equation, name):
                found = rule(call, *operands)
            found = [found] if isinstance(found, Var | Complex) else found
            _compare(name, found, equation.outvars)
            found = [each_part(recorder.first, v) if isinstance(v, Var | Complex) else v for v in found]
            in_rule = not self.within and (self.rules or holds_in_rule(equation))
            if name == HOLDS and in_rule and not self.tested:
                self.loses = self.loses or any(map(recorder.depends, vars_of(operands[0])))
                return operands
        except Unsupported as reason:
            line = _user_line(equation)
            if " (at " in str(reason) or line is None:
                raise
            raise type(reason)(f"{reason} (at {line.file}:{line.number})", line=line) from None
        return found

    @contextmanager
    def _inside(self, equation: Any, name: str) -> Iterator[None]:
        """What an equation contains is a custom function's, or a rule's, if it is."""
        is_function = name in OF_FUNCTIONS
        is_rule = name in CONTROL and not (is_function or self.rules) and is_run_by_rule(equation)
        self.within, self.rules = self.within + is_function, self.rules + is_rule
        try:
            yield
        finally:
            self.within, self.rules = self.within - is_function, self.rules - is_rule

    def _rule(self, equation: Any, of_complex: bool) -> tuple[str, Rule]:
        """What is called, by name, and its rule."""
        name = equation.primitive.name
        _refuse_dtypes(equation, name)
        if (of_complex or any(_dtype(v.aval) in REAL for v in equation.outvars)) and name not in CONTROL:
            return name, complex_rule(name)
        is_code = name in CALLS  # and its derivative that of the code: no rule of its own comes with it
        if not of_complex and not (self.coding and is_code) and (known := definition(equation)) is not None:
            self.named |= is_code
            return known
        if _has_no_rule(equation):
            coded = implementation(equation)
            if coded is None:
                raise _missing(name)
            return name, coded
        own = None if name in RULES else definition_of("jax", name)
        return name, RULES[name] if own is None else partial(_as_defined, own, equation)

    def _constant(self, recorder: Recorder, value: Any, *of: Any) -> Any:
        found = self._literal(recorder, value, *of)
        self.fixed.constant(found, value)
        return found

    def _literal(self, recorder: Recorder, value: Any, aval: Any, slot: Slot, place: Line | None) -> Any:
        """A constant; a single number as it was written, if that is known."""
        dtype = _dtype(aval)
        if getattr(value, "dtype", None) == NOTHING:
            value = np.zeros(np.shape(value), bool)
        if self.partners is None or np.shape(value) or dtype not in FLOATS or is_as_written(value, dtype):
            return constant_of_any(recorder, value, dtype)
        if self.trusting and is_short(value, dtype):
            self.trusted = True
            return constant_of_any(recorder, value, dtype)
        partner = self.partners().get(slot, SEVERAL)
        known = meant(value, dtype, partner)
        if known is not None and known.dtype != object:
            return recorder.constant(known, dtype)
        why = self.why_none()
        if known is None or self.exactly:
            self.cast |= partner is SEVERAL and not is_short(value, dtype)
            if why:
                self.notes[f"{_UNTRACED} ({why}), so its literals are numbers of {dtype}"] = None
            return constant_of_any(recorder, value, dtype)
        at, said = f" (at {place})" if place else "", "" if why else f": {_NOT_THERE}"
        self.notes[f"the literal {float(value):.9g}{at} is known to half an ulp of {dtype} only{said}"] = None
        if why:
            self.notes[f"{_UNTRACED} ({why})"] = None
        return recorder.constant(known, dtype)


def _compare(name: str, found: Sequence[Var], outvars: Sequence[Any]) -> None:
    """What a rule gave has the shapes and dtypes that JAX recorded; else the rule is another operation's."""
    given = [(v.shape, v.dtype) for v in found]
    recorded = [(tuple(v.aval.shape), _dtype(v.aval)) for v in outvars]
    if given != recorded:
        raise Unsupported(
            f"JAX's {name} with these parameters has no rule: it gives {recorded}, ours {given}"
        )


def _user_line(equation: Any) -> Line | None:
    trace = equation.source_info.traceback
    codes, at = trace.raw_frames() if trace else ([], [])
    own = user_frame(code.co_filename for code in codes)
    if own is None:
        return None
    return Line(codes[own].co_filename, trace.code_addr2line(codes[own], at[own]), at[own])


def _refuse_dtypes(equation: Any, name: str) -> None:
    """Raise for formats that nothing is known of, of operands too, and for casts to integers of few bits."""
    for v in (*equation.invars, *equation.outvars):
        if "float" in (kind := _dtype(v.aval)) and kind not in FLOATS:
            raise Unsupported(f"JAX's {name} in {kind}: use one of {', '.join(sorted(FLOATS))}")
    if name == "convert_element_type" and (kind := _dtype(equation.outvars[0].aval)).endswith(FEW_BITS):
        raise Unsupported(f"JAX's {name} to {kind}: how numbers wrap in that is not known here; use int8")


def _as_defined(definition: Callable[..., Any], equation: Any, call: Eqn, *operands: Var) -> list[Var]:
    """A primitive as what its user says that it is: traced, and written in its place."""
    avals = [jax.ShapeDtypeStruct(v.aval.shape, v.aval.dtype) for v in equation.invars]  # type: ignore[no-untyped-call]
    with x64_for(True):  # its dtypes are those of the operands
        closed = jax.make_jaxpr(partial(definition, **call.params))(*avals)
    return call.interpret(call.recorder, closed, operands)


def _has_no_rule(equation: Any) -> bool:
    name = equation.primitive.name
    return name not in RULES and definition_of("jax", name) is None


def _missing(name: str) -> Unsupported:
    if name == "rng_uniform":
        return Unsupported(
            f"{name}: the function draws random numbers without a key, others in every run; draw them from a "
            "key, or outside"
        )
    if name == KERNEL:
        return Opaque(f"{name}: a kernel that runs compiled cannot be looked into; with interpret=True it is")
    if "callback" in name or "ffi" in name:
        return Opaque(f"{name}: the function calls compiled or Python code that JAX does not see")
    return Opaque(f"JAX's primitive {name} has no rule: say what it computes with gradproof.register_rule")


_UNTRACED = "the function cannot be traced in float64"
_NOT_THERE = "the function has no such literal when it is traced in float64"
NOTHING = jax.dtypes.float0  # of the cotangents of integers, which hold nothing that is read


@cache  # NumPy writes the name of a dtype anew each time
def _named(dtype: Any) -> str:
    return "bool" if dtype == NOTHING else str(dtype)


def _dtype(aval: Any) -> str:
    return _named(getattr(aval, "dtype", ""))
