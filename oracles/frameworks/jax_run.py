"""A run of a jaxpr, call by call, in the order in which JAX runs it eagerly; then back, or along tangents.

So run, too, a function that the caller has jitted, a rule of the caller's own, and the steps of a loop.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import jax
import numpy as np
from jax.extend.core import ClosedJaxpr, Literal

from oracles.exact.from_jaxpr.lines import is_library
from oracles.exact.program.errors import Unsupported
from oracles.frameworks.calls import Call, Mend
from oracles.frameworks.jax_loops import unrolled
from oracles.frameworks.jax_names import named
from oracles.frameworks.jax_ownership import inside, is_custom, is_librarys, jaxprs, source
from oracles.frameworks.jax_parts import by_place, part_of


@dataclass(eq=False)
class Slot:
    """A value on the way, what has been pulled back to it, and along what it moves in forward mode."""

    value: Any
    cotangent: Any = None
    tangent: Any = None


@dataclass(frozen=True)
class _Step:
    """One step of the forward: what it read and wrote, and its pullback."""

    read: list[Slot]
    wrote: list[Slot]
    pull: Callable[[list[Any]], Sequence[Any]]


class Run:
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

    def forward(self, closed: ClosedJaxpr, given: Sequence[Slot]) -> list[Slot]:
        """Run a jaxpr; its results."""
        known: dict[Any, Slot] = dict(zip(closed.jaxpr.invars, given, strict=True))
        known |= {v: Slot(c) for v, c in zip(closed.jaxpr.constvars, closed.consts, strict=True)}

        def read(atom: Any) -> Slot:
            return Slot(atom.val) if isinstance(atom, Literal) else known[atom]

        if any(_is_complex(v.aval) for e in closed.jaxpr.eqns for v in e.outvars):
            raise Unsupported("calls of complex numbers cannot be mended")
        for equations in by_place(closed.jaxpr.eqns):
            (first, *more) = equations
            inner = inside(first)
            if inner is not None and not more:
                known |= zip(first.outvars, self.forward(inner, list(map(read, first.invars))), strict=True)
                continue
            if not more and not is_librarys(first):
                steps = unrolled(first, list(map(read, first.invars)), self.forward, self._moved)
                if steps is not None:
                    known |= zip(first.outvars, steps, strict=True)
                    continue
            ins, outs, part = part_of(closed.jaxpr, equations)
            found = self._step(equations, part, outs, [known[v] for v in ins])
            known |= zip(outs, found, strict=True)
        return [read(atom) for atom in closed.jaxpr.outvars]

    def _step(
        self, equations: Sequence[Any], part: Callable[..., Any], outs: list[Any], given: list[Slot]
    ) -> list[Slot]:
        moving = [k for k, slot in enumerate(given) if is_floating(slot.value)]
        kept = [k for k, v in enumerate(outs) if is_floating(v.aval)]

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
        elif self.differentiates and moving and kept and call is None and is_custom(equations[0]):
            return self._custom(whole, [given[k] for k in moving], kept)
        elif self.differentiates and moving and kept:
            found, back = jax.vjp(whole, *operands)
            pull = _pulling(self, call.number if call else -1, found, kept, back)
        else:
            found, pull = whole(*operands), lambda cotangents: ()
        slots = list(map(Slot, found))
        self.steps.append(_Step([given[k] for k in moving], [slots[k] for k in kept], pull))
        return slots

    def _moved(self, function: Callable[..., Any], read: list[Slot]) -> Slot:
        """What moves numbers and computes none."""
        values = [slot.value for slot in read]
        if not all(map(is_floating, values)):
            return Slot(function(*values))

        def whole(*operands: Any) -> list[Any]:
            return [function(*operands)]

        if self.moves:
            return self._pushed(whole, None, read, [0])[0]
        found, back = jax.vjp(whole, *values)
        slot = Slot(found[0])
        self.steps.append(_Step(read, [slot], _pulling(self, -1, found, [0], back)))
        return slot

    def _pushed(
        self, whole: Callable[..., Any], call: Call | None, read: list[Slot], kept: list[int]
    ) -> list[Slot]:
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
            Slot(v, tangent=t if k in kept else None)
            for k, (v, t) in enumerate(zip(found, moved, strict=True))
        ]

    def _custom(self, whole: Callable[..., Any], read: list[Slot], kept: list[int]) -> list[Slot]:
        """Run a rule of the caller's: what it computes with it calls for its values, forward and back."""
        tree: Any = None

        def forward(*operands: Any) -> tuple[Any, list[Any]]:
            nonlocal tree
            found, back = jax.vjp(whole, *operands)
            residuals, tree = jax.tree.flatten(back)
            return found, residuals

        found, residuals = self._valued(forward, [slot.value for slot in read])
        back = jax.tree.unflatten(tree, residuals)
        slots = list(map(Slot, found))
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
            found = self.forward(closed, list(map(Slot, jax.tree.leaves(args))))
        finally:
            self.differentiates = outer
        return jax.tree.unflatten(shapes, [slot.value for slot in found])

    def _called(
        self, equations: Sequence[Any], function: Callable[..., Any], operands: Sequence[Any]
    ) -> Call | None:
        """The call that these equations are; None where they are the caller's own code."""
        if any(not is_librarys(e) for e in equations):
            self.complete &= is_custom(equations[0]) and not any(
                is_library(source(inner)[1]) for inner in jaxprs(equations[0])
            )
            return None
        name, place = named(equations)
        active = tuple(range(len(operands))) if self.differentiates else ()
        arrays = tuple(np.asarray(o) for o in operands)
        coded = any(map(jaxprs, equations))
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
    run: Run, number: int, results: Sequence[Any], kept: Sequence[int], back: Any
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


def _is_complex(aval: Any) -> bool:
    return str(getattr(aval, "dtype", "")).startswith("complex")


def is_floating(value: Any) -> bool:
    """Whether it holds real floating numbers."""
    return jax.numpy.issubdtype(jax.numpy.result_type(value), jax.numpy.floating)
