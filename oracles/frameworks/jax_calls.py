"""JAX's functions that a run calls: the equations of its jaxpr that one place in the caller's code wrote.

The jaxpr is evaluated call by call, in the order in which JAX runs it eagerly; so is a function that the
caller has jitted, a rule of the caller's own, and the steps of a loop.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import groupby, takewhile
from typing import Any

import jax
import numpy as np
from jax.extend.core import ClosedJaxpr, Literal, jaxpr_as_fun

from oracles.exact.from_jaxpr import x64_for
from oracles.exact.from_jaxpr.lines import is_library
from oracles.exact.from_jaxpr.rules import RULES
from oracles.exact.from_jaxpr.tracing import user_frame
from oracles.exact.program.errors import Unsupported
from oracles.exact.program.program import Line
from oracles.exact.program.registered import definition_of
from oracles.frameworks.calls import Call, Mend, Watched
from oracles.frameworks.jax_loops import unrolled

FOREIGN = frozenset({"pallas_call", "custom_partitioning"})
SOLVE = "custom_linear_solve"  # pulled back by solvers that the caller gives
PUBLIC = {"nn": "jax.nn", "numpy": "jnp", "scipy": "jax.scipy", "lax": "jax.lax", "ops": "jax.ops"}


@dataclass(eq=False)
class _Slot:
    """A value on the way, what has been pulled back to it, and along what it moves in forward mode."""

    value: Any
    cotangent: Any = None
    tangent: Any = None


@dataclass(frozen=True)
class _Step:
    """One step of the forward: what it read and wrote, and its pullback."""

    read: list[_Slot]
    wrote: list[_Slot]
    pull: Callable[[list[Any]], Sequence[Any]]


class _Run:
    """The run so far: its steps, and its calls.

    Attributes:
        mend: What calls are to give instead.
        differentiates: Whether its steps are pulled back later.
        moves: Whether they are pushed forward.
        complete: Whether all that it computes with was seen.
    """

    def __init__(self, mend: Mend, differentiates: bool = False, moves: bool = False) -> None:
        self.mend, self.differentiates, self.moves, self.complete = mend, differentiates, moves, True
        self.steps: list[_Step] = []
        self.calls: list[Call] = []

    def forward(self, closed: ClosedJaxpr, given: Sequence[_Slot]) -> list[_Slot]:
        """Run a jaxpr; its results."""
        known: dict[Any, _Slot] = dict(zip(closed.jaxpr.invars, given, strict=True))
        known |= {v: _Slot(c) for v, c in zip(closed.jaxpr.constvars, closed.consts, strict=True)}

        def read(atom: Any) -> _Slot:
            return _Slot(atom.val) if isinstance(atom, Literal) else known[atom]

        if any(_is_complex(v.aval) for e in closed.jaxpr.eqns for v in e.outvars):
            raise Unsupported("calls of complex numbers cannot be mended")
        for equations in _by_place(closed.jaxpr.eqns):
            (first, *more) = equations
            inner = _inside(first)
            if inner is not None and not more:
                known |= zip(first.outvars, self.forward(inner, list(map(read, first.invars))), strict=True)
                continue
            if not more and not _is_librarys(first):
                steps = unrolled(first, list(map(read, first.invars)), self.forward, self._moved)
                if steps is not None:
                    known |= zip(first.outvars, steps, strict=True)
                    continue
            written = {v for e in equations for v in e.outvars}
            later = _read_elsewhere(closed.jaxpr, equations)
            outs = [v for v in dict.fromkeys(v for e in equations for v in e.outvars) if v in later]
            ins = list(
                dict.fromkeys(
                    v for e in equations for v in e.invars if not isinstance(v, Literal) and v not in written
                )
            )
            part = _part(closed.jaxpr, equations, ins, outs)
            found = self._step(equations, part, outs, [known[v] for v in ins])
            known |= zip(outs, found, strict=True)
        return [read(atom) for atom in closed.jaxpr.outvars]

    def _step(
        self, equations: Sequence[Any], part: Callable[..., Any], outs: list[Any], given: list[_Slot]
    ) -> list[_Slot]:
        moving = [k for k, slot in enumerate(given) if _is_floating(slot.value)]
        kept = [k for k, v in enumerate(outs) if _is_floating(v.aval)]

        def whole(*operands: Any) -> list[Any]:
            values = [slot.value for slot in given]
            for k, operand in zip(moving, operands, strict=True):
                values[k] = operand
            return list(part(*values))

        def function(*operands: Any) -> tuple[Any, ...]:
            found = whole(*operands)
            return tuple(found[k] for k in kept)

        operands = [given[k].value for k in moving]
        call = self._called(equations, function, operands) if moving and kept else None
        if self.moves and moving and kept:
            return self._pushed(whole, call, [given[k] for k in moving], kept)
        values = self.mend(call) if call else None
        if values is not None and call is not None:
            found = whole(*operands)
            for k, value in zip(kept, values, strict=True):
                found[k] = jax.numpy.asarray(value)
            pull = _pulling(self, call.number, found, kept, None)
        elif self.differentiates and moving and kept and call is None and _is_custom(equations[0]):
            return self._custom(whole, [given[k] for k in moving], kept)
        elif self.differentiates and moving and kept:
            found, back = jax.vjp(whole, *operands)
            pull = _pulling(self, call.number if call else -1, found, kept, back)
        else:
            found, pull = whole(*operands), lambda cotangents: ()
        slots = list(map(_Slot, found))
        self.steps.append(_Step([given[k] for k in moving], [slots[k] for k in kept], pull))
        return slots

    def _moved(self, function: Callable[..., Any], read: list[_Slot]) -> _Slot:
        """What moves numbers and computes none."""
        values = [slot.value for slot in read]
        if not all(map(_is_floating, values)):
            return _Slot(function(*values))

        def whole(*operands: Any) -> list[Any]:
            return [function(*operands)]

        if self.moves:
            return self._pushed(whole, None, read, [0])[0]
        found, back = jax.vjp(whole, *values)
        slot = _Slot(found[0])
        self.steps.append(_Step(read, [slot], _pulling(self, -1, found, [0], back)))
        return slot

    def _pushed(
        self, whole: Callable[..., Any], call: Call | None, read: list[_Slot], kept: list[int]
    ) -> list[_Slot]:
        """Run a step along the tangents of what it reads."""
        operands = [slot.value for slot in read]
        tangents = [jax.numpy.zeros_like(s.value) if s.tangent is None else s.tangent for s in read]
        found, moved = jax.jvp(whole, operands, tangents)
        if call is not None:
            values = self.mend(call)
            own = replace(call, active=tuple(range(len(read))), tangents=tuple(map(np.asarray, tangents)))
            self.calls[call.number] = own
            if values is not None:
                for k, value, tangent in zip(kept, values, self.mend(own) or (), strict=True):
                    found[k], moved[k] = jax.numpy.asarray(value), jax.numpy.asarray(tangent)
        return [
            _Slot(v, tangent=t if k in kept else None)
            for k, (v, t) in enumerate(zip(found, moved, strict=True))
        ]

    def _custom(self, whole: Callable[..., Any], read: list[_Slot], kept: list[int]) -> list[_Slot]:
        """Run a rule of the caller's: what it computes with it calls for its values, forward and back."""
        tree: Any = None

        def forward(*operands: Any) -> tuple[Any, list[Any]]:
            nonlocal tree
            found, back = jax.vjp(whole, *operands)
            residuals, tree = jax.tree.flatten(back)
            return found, residuals

        found, residuals = self._valued(forward, [slot.value for slot in read])
        back = jax.tree.unflatten(tree, residuals)
        slots = list(map(_Slot, found))
        pull = _pulling(self, -1, found, kept, lambda full: self._valued(back, [full]))
        self.steps.append(_Step(read, [slots[k] for k in kept], pull))
        return slots

    def _valued(self, function: Callable[..., Any], args: Sequence[Any]) -> Any:
        """Run a function for its value."""
        shapes: Any = None

        def flat(*given: Any) -> list[Any]:
            nonlocal shapes
            leaves, shapes = jax.tree.flatten(function(*given))
            return leaves

        closed = jax.make_jaxpr(flat)(*args)
        outer, self.differentiates = self.differentiates, False
        try:
            found = self.forward(closed, list(map(_Slot, jax.tree.leaves(args))))
        finally:
            self.differentiates = outer
        return jax.tree.unflatten(shapes, [slot.value for slot in found])

    def _called(
        self, equations: Sequence[Any], function: Callable[..., Any], operands: Sequence[Any]
    ) -> Call | None:
        """The call that these equations are; None where they are the caller's own code."""
        if any(not _is_librarys(e) for e in equations):
            self.complete &= _is_custom(equations[0]) and not any(
                is_library(_source(inner)[1]) for inner in _jaxprs(equations[0])
            )
            return None
        name, place = _named(equations)
        active = tuple(range(len(operands))) if self.differentiates else ()
        arrays = tuple(np.asarray(o) for o in operands)
        coded = any(map(_jaxprs, equations))
        call = Call(len(self.calls), "jax", name, place, function, arrays, active, coded=coded)
        self.calls.append(call)
        return call

    def backward(self) -> None:
        """Pull the cotangents of the results back to what the forward was given."""
        for step in reversed(self.steps):
            cotangents = [slot.cotangent for slot in step.wrote]
            if all(c is None for c in cotangents):
                continue
            for slot, part in zip(step.read, step.pull(cotangents), strict=False):
                if getattr(part, "dtype", None) != jax.dtypes.float0:
                    slot.cotangent = part if slot.cotangent is None else slot.cotangent + part


def _pulling(
    run: _Run, number: int, results: Sequence[Any], kept: Sequence[int], back: Any
) -> Callable[[list[Any]], Sequence[Any]]:
    """The pullback of a step; that of a call is noted, and without `back` given by `mend`."""

    def pull(cotangents: list[Any]) -> Sequence[Any]:
        full: list[Any] = [np.zeros(np.shape(r), jax.dtypes.float0) for r in results]
        for k, c in zip(kept, cotangents, strict=True):
            full[k] = jax.numpy.zeros_like(results[k]) if c is None else c
        if number >= 0:
            own = replace(run.calls[number], cotangents=tuple(np.asarray(full[k]) for k in kept))
            run.calls[number] = own
            if back is None:
                return list(map(jax.numpy.asarray, run.mend(own) or ()))
        found: Sequence[Any] = back(full)
        return found

    return pull


def differentiated(
    function: Callable[..., Any], argnums: Sequence[int], inputs: Sequence[Any], mend: Mend
) -> Watched:
    """Run the gradient of a function, `inputs` being its cotangents and its arguments."""
    cotangents, *args = inputs
    run = _Run(mend, differentiates=True)
    with _for(inputs):
        closed, given = _traced(function, args)
        waiting = iter(jax.tree.leaves(cotangents))
        for slot in run.forward(closed, given):
            if _is_floating(slot.value):
                slot.cotangent = jax.numpy.asarray(next(waiting), slot.value.dtype)
        run.backward()
        arrays = tuple(_or_zeros(given[k].cotangent, given[k].value) for k in argnums)
    ruled = _has_rules(closed)
    return Watched(arrays, tuple(run.calls), run.complete, not ruled, ruled)


def pushed(
    function: Callable[..., Any], argnums: Sequence[int], inputs: Sequence[Any], mend: Mend
) -> Watched:
    """Run a function along tangents, `inputs` being these and its arguments."""
    tangents, *args = inputs
    run = _Run(mend, moves=True)
    with _for(inputs):
        closed, given = _traced(function, args)
        for k, tangent in zip(argnums, tangents, strict=True):
            given[k].tangent = jax.numpy.asarray(tangent)
        found = [s for s in run.forward(closed, given) if _is_floating(s.value)]
        arrays = tuple(_or_zeros(s.tangent, s.value) for s in found)
    ruled = _has_rules(closed)
    return Watched(arrays, tuple(run.calls), run.complete, not ruled, ruled)


def evaluated(derivative: Callable[..., Any], inputs: Sequence[Any], mend: Mend) -> Watched:
    """Run a gradient that was written by hand."""
    run = _Run(mend)
    with _for(inputs):
        loaded = jax.tree.map(jax.numpy.asarray, tuple(inputs))
        closed = jax.make_jaxpr(lambda *a: derivative(*a))(*loaded)
        found = run.forward(closed, list(map(_Slot, jax.tree.leaves(loaded))))
        arrays = tuple(np.asarray(slot.value) for slot in found)
    return Watched(arrays, tuple(run.calls), run.complete)


def _traced(function: Callable[..., Any], args: Sequence[Any]) -> tuple[ClosedJaxpr, list[_Slot]]:
    """The jaxpr of a function, and its arguments."""
    loaded = list(map(jax.numpy.asarray, args))
    return jax.make_jaxpr(lambda *a: jax.tree.leaves(function(*a)))(*loaded), list(map(_Slot, loaded))


def _has_rules(inner: Any) -> bool:
    """Whether the caller may have a part in how some of it is differentiated."""
    jaxpr = getattr(inner, "jaxpr", inner)
    return any(
        e.primitive.name == SOLVE
        or (not _is_librarys(e) and (_is_ruled(e) or any(map(_has_rules, _jaxprs(e)))))
        for e in jaxpr.eqns
    )


def _is_ruled(equation: Any) -> bool:
    """Whether what is not the library's has a rule of its own: a primitive of the caller's has one too."""
    return _is_custom(equation) or equation.primitive.name in FOREIGN or not _jaxprs(equation)


def _or_zeros(derivative: Any, like: Any) -> Any:
    """A derivative on the host; zeros where nothing has reached it."""
    return np.asarray(jax.numpy.zeros_like(like) if derivative is None else derivative)


def _for(inputs: Sequence[Any]) -> Any:
    return x64_for(any(str(leaf.dtype) == "float64" for leaf in jax.tree.leaves(tuple(inputs))))


def _part(
    jaxpr: Any, equations: Sequence[Any], ins: Sequence[Any], outs: Sequence[Any]
) -> Callable[..., Any]:
    """Some equations as a function of what they read."""
    names = jaxpr.debug_info.with_unknown_names()
    own = jaxpr.replace(
        constvars=[], invars=list(ins), outvars=list(outs), eqns=list(equations), debug_info=names
    )
    function: Callable[..., Any] = jaxpr_as_fun(ClosedJaxpr(own, ()))
    return function


def _read_elsewhere(jaxpr: Any, equations: Sequence[Any]) -> set[Any]:
    own = set(map(id, equations))
    elsewhere = {v for e in jaxpr.eqns if id(e) not in own for v in e.invars if not isinstance(v, Literal)}
    return elsewhere | {v for v in jaxpr.outvars if not isinstance(v, Literal)}


def _by_place(equations: Sequence[Any]) -> Iterator[list[Any]]:
    """The equations, those together that one place in the caller's code wrote at once, or one function.

    That is JAX's own, where no code of the caller's calls it: it is what is asked about.
    """
    for (place, name), found in groupby(equations, _writer):
        group = list(found)
        alone = any(not _is_librarys(e) or _inside(e) is not None or _is_of_rule(e) for e in group)
        if alone or not (place or name):
            yield from ([e] for e in group)
            continue
        if place is None:
            yield group
            continue
        size = _period([e.primitive.name for e in group])  # a loop comes back to its place
        yield from (group[k : k + size] for k in range(0, len(group), size))


def _writer(equation: Any) -> tuple[Any, str]:
    """The place that wrote an equation, or else the function."""
    place = _place(equation)
    return place, "" if place else _public(equation)


def _period(names: list[str]) -> int:
    return next(n for n in range(1, len(names) + 1) if names == names[:n] * (len(names) // n))


def _place(equation: Any) -> tuple[Any, int] | None:
    """The instruction of the caller's that wrote an equation, or ours; None if JAX does not know it."""
    codes, at = _frames(equation)
    own = user_frame(code.co_filename for code in codes)
    return None if own is None else (codes[own], at[own])


def _frames(equation: Any) -> tuple[list[Any], list[int]]:
    """The code that wrote an equation, the innermost first, and the instruction in each; none if unknown."""
    trace = equation.source_info.traceback
    return trace.raw_frames() if trace else ([], [])


def _within_library(equation: Any) -> list[Any]:
    """The code of JAX's that wrote an equation, up to the first of others."""
    return list(takewhile(lambda code: is_library(code.co_filename), _frames(equation)[0]))


def _is_of_rule(equation: Any) -> bool:
    """Whether a custom rule wrote it: JAX says then where that rule's function was called, and not more."""
    files = (os.path.basename(code.co_filename) for code in _within_library(equation))
    return "custom_derivatives.py" in files and not _is_custom(equation)


def _callers(codes: Sequence[Any]) -> int | None:
    own = user_frame(code.co_filename for code in codes)
    return None if own is None or codes[own].co_filename == __file__ else own


def _named(equations: Sequence[Any]) -> tuple[str, Line | None]:
    """The function that the caller called, and the caller's line."""
    wrote = equations[0]
    codes, at = _frames(wrote)
    own = _callers(codes)
    place = None
    if own is not None:
        line = wrote.source_info.traceback.code_addr2line(codes[own], at[own])
        place = Line(codes[own].co_filename, line)
    return _public(wrote) or f"lax.{equations[-1].primitive.name}", place


def _public(equation: Any) -> str:
    """The outermost public function of JAX that wrote an equation, as far as it is known; "" if none did."""
    codes = _frames(equation)[0]
    inner = codes[: _callers(codes)]
    inside = _jaxprs(equation)
    named, file = _source(inside[0]) if inside else ("", "")
    for name, home in [*((c.co_name, c.co_filename) for c in reversed(inner)), (named, file)]:
        module = _module(home)
        if module and _is_public(module, name):
            return f"{module}.{name}"
    return ""


def _module(file: str) -> str:
    """The public module of one of JAX's files; "" if it has none."""
    home = file.rpartition(":")[0] or file
    part = home.partition("/jax/_src/")[2].partition("/")[0].removesuffix(".py")
    module = PUBLIC.get(part, "")
    return f"{module}.{os.path.basename(home).removesuffix('.py')}" if module == "jax.scipy" else module


def _source(inner: Any) -> tuple[str, str]:
    """The name of the function that a jaxpr is of, and where it begins, as "file.py:12"; "" if unknown."""
    info = getattr(getattr(inner, "jaxpr", inner), "debug_info", None)
    name, _, where = str(getattr(info, "func_src_info", None) or "").partition(" at ")
    return name, where


def _is_public(module: str, name: str) -> bool:
    found: Any = jax
    with suppress(AttributeError):
        for part in {"jnp": "numpy"}.get(module, module.removeprefix("jax.")).split("."):
            found = getattr(found, part)
        return callable(getattr(found, name))
    return False


def _is_librarys(equation: Any) -> bool:
    """Whether all that it runs is JAX's code: an operation, or a function of its libraries."""
    inner, name = [*_jaxprs(equation), *_solvers(equation)], equation.primitive.name
    known = name in RULES or (inner and name not in FOREIGN)  # another primitive may be anybody's
    return bool(known) and definition_of("jax", name) is None and all(map(_is_of_library, inner))


def _is_of_library(inner: Any) -> bool:
    """Whether a function is JAX's, and calls none that it was given."""
    jaxpr = getattr(inner, "jaxpr", inner)
    file, _, line = _source(inner)[1].rpartition(":")
    return is_library(file) and all(
        _is_in(file, line, e) and all(map(_is_of_library, _jaxprs(e))) for e in jaxpr.eqns
    )


def _is_in(file: str, line: str, equation: Any) -> bool:
    """Whether the function that begins at a line wrote an equation, and no code of others within it.

    JAX may know the way to it from where a part of that function was traced, and kept, and no further.
    """
    codes = _frames(equation)[0]
    for code in codes:
        if (code.co_filename, str(code.co_firstlineno)) == (file, line) or not is_library(code.co_filename):
            return is_library(code.co_filename)
    return bool(codes)


def _jaxprs(equation: Any) -> list[Any]:
    found = [
        equation.params.get(name) for name in ("jaxpr", "call_jaxpr", "branches", "cond_jaxpr", "body_jaxpr")
    ]
    return [
        one for part in found if part is not None for one in (part if isinstance(part, tuple) else (part,))
    ]


def _solvers(equation: Any) -> list[Any]:
    """What the caller gives to solve by: both ways are the caller's formula."""
    solvers = equation.params.get("jaxprs", ()) if equation.primitive.name == SOLVE else ()
    return [one for one in solvers if one is not None]


def _is_custom(equation: Any) -> bool:
    return equation.primitive.name in {"custom_vjp_call", "custom_jvp_call"}


def _inside(equation: Any) -> ClosedJaxpr | None:
    """What the caller's own function runs that is jitted, or computed again where it is pulled back."""
    if equation.primitive.name not in {"jit", "remat2", "checkpoint"} or _is_librarys(equation):
        return None
    found = equation.params["jaxpr"]
    return found if isinstance(found, ClosedJaxpr) else ClosedJaxpr(found, ())


def _is_complex(aval: Any) -> bool:
    return str(getattr(aval, "dtype", "")).startswith("complex")


def _is_floating(value: Any) -> bool:
    return jax.numpy.issubdtype(jax.numpy.result_type(value), jax.numpy.floating)


def watched(derivative: Callable[..., Any], inputs: Sequence[Any], mend: Mend, device: Any = None) -> Watched:
    """Run a derivative, and see what it calls.

    Raises:
        Unsupported: It cannot be traced.
    """
    from oracles.frameworks.in_jax import Pullback, Pushforward

    with jax.default_device(device):
        try:
            if isinstance(derivative, Pullback):
                return differentiated(derivative.function, derivative.argnums, inputs, mend)
            if isinstance(derivative, Pushforward):
                return pushed(derivative.function, derivative.argnums, inputs, mend)
            return evaluated(derivative, inputs, mend)
        except jax.errors.JAXTypeError as problem:
            raise Unsupported(f"what it calls cannot be seen: {problem}") from problem
