"""a: the error that no program can avoid, since its inputs are only known to half an ulp.

The largest change of the truth over exact perturbations of the inputs and the cotangent by half an ulp of
their dtype, each number up or down, plus half an ulp of the truth itself: over all of them where each element
depends on few numbers, else over sixteen (or four) seeded ones. Sampled and not enclosed: a ball forgets that
two operands are the same number, and would be too generous by up to 2^35 for softmax. Where another cell of a
table is read, or an `if` goes another way, another program is asked about, and that does not count.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import TypeAlias

import numpy as np

from oracles.exact.enclose.enclosure import Enclosure
from oracles.exact.enclose.evaluate import Work, evaluate
from oracles.exact.program.balls import exact, precision
from oracles.exact.program.errors import Undecided
from oracles.exact.program.formats import FORMATS, ROUNDING_MODELS, format_of
from oracles.exact.program.primitives.arithmetic import convert_
from oracles.exact.program.primitives.sums import sizes_of
from oracles.exact.program.program import Array, Program, Var
from oracles.exact.rounding.attainable_by_core import attainable_by_core
from oracles.exact.rounding.bound import bound
from oracles.exact.rounding.changes import Mask
from oracles.exact.rounding.nearby import by_arb
from oracles.exact.rounding.perturbed import Numbers, ends, half_ulps, perturb
from oracles.exact.rounding.ways import Ways, ways

Sampled: TypeAlias = tuple[list[Numbers], list[Mask]]  # a, and what is always 0
PERTURBATIONS = 16
DRAWN = 2**8  # until as many are found that stay in their cells of a table
# Four at first where there are many elements. That all four nearly cancel in one element (below 1/16 of their
# spread: 0.05 each, of normal ones) has probability 6e-6, and costs it 4 bits; of sixteen it has 1e-21. (From
# 2^10 elements on, rows of the report show a bit more lost than is.)
MANY, FEWER = 2**16, 4
# Times what the truth moves by, where the numbers move twice as far: 2 if it has a slope there, else at
# least 4. A 0 without a slope is nothing that rounding the inputs makes, but rounding in between may: dq of
# attention to equal keys and values is a product of two sums that cancel, of which softmax leaves the first
# at u. (A variance in two passes leaves u^2 of equal numbers, and so one in one pass is imprecise.)
SQUARE = 3
UNEQUAL = 2.0**-8  # of half an ulp, by which steps differ


def attainable(
    program: Program,
    inputs: Sequence[Array],
    wrt: Sequence[int],
    truth: Sequence[Enclosure],
    cotangents: int = 1,
    work: Work | None = None,
    narrowest: tuple[Sequence[str], Sequence[str]] = ((), ()),
    fully: bool = False,
) -> Sampled:
    """The attainable error of every element, and where the truth is 0 whatever the perturbation.

    Args:
        program: The program of the gradient; what it gives beside that does not count.
        inputs: The numbers of its inputs, the cotangents last. The floating ones are moved; those that are
            not differentiated only if that turns no comparison (labels that are read by argmax).
        wrt: Which inputs are differentiated.
        truth: The enclosures at these numbers.
        cotangents: How many inputs are cotangents.
        narrowest: For the inputs, and for the outputs, the format to which each is known: narrower ones than
            their own, where the function casts; "" or nothing for their own.
        fully: Whether all sixteen perturbations are made, however many elements there are, and of a 0 that
            they move by their square it is asked how far this program rounds it.

    Raises:
        Exhausted: The work was done before enough perturbations.
    """
    formats, results = (
        [known or v.dtype for known, v in zip(given or ("",) * len(own), own, strict=True)]
        for given, own in zip(narrowest, (program.inputs, program.outputs[: len(truth)]), strict=True)
    )
    bits = max((t.bits for t in truth), default=64)
    moving = [i for i in _moving(program, inputs, wrt, cotangents, bits, work) if np.size(inputs[i])]
    count = PERTURBATIONS if fully or not are_many(truth) else FEWER
    tried = ways(program.giving(slice(len(truth))), moving, count)
    steps = {i: half_ulps(inputs[i], formats[i], i in wrt) for i in moving}
    if any(t.apart is not None for t in truth):
        steps = _unequal(steps)
    largest, zero = _sampled(program, inputs, steps, truth, tried, bits, work)
    if any(np.any(c > _budget(t, name)) for c, t, name in zip(largest, truth, results, strict=True)):
        staying = _staying(program, inputs, steps, tried, bits, work)
        if staying.seeds and staying != tried:
            tried = staying
            largest, zero = _sampled(program, inputs, steps, truth, tried, bits, work)
    moved = [(t.mid == 0) & (near > 0) for t, near in zip(truth, largest, strict=True)]
    if fully and any(map(np.any, moved)):
        twice = {i: 2 * half for i, half in steps.items()}
        further, _ = _sampled(program, inputs, twice, truth, tried, bits, work)
        squared = [m & (far >= SQUARE * near) for m, far, near in zip(moved, further, largest, strict=True)]
        if any(map(np.any, squared)):
            reach = _rounding(program, inputs, len(truth), work)
            largest = [
                np.where(m, np.maximum(a, r), a) for m, a, r in zip(squared, largest, reach, strict=True)
            ]
    found = []
    for change, here, dtype in zip(largest, truth, results, strict=True):
        half = format_of(dtype).ulp(here.mid) / 2
        if here.apart is not None:  # it may be told of no point so near to a hole
            change = np.where(here.apart & (change > _budget(here, dtype)), 0.0, change)
        found.append(change + np.maximum(half, 2.0**-1074))
    return found, zero


def _unequal(steps: Mapping[int, Numbers]) -> dict[int, Numbers]:
    """A little less than half an ulp, for each number another part of it.

    Equal numbers that went the same way would stay equal, where a branch holds for these alone.
    """
    rng = np.random.default_rng(0)
    return {i: half * (1 - UNEQUAL * rng.random(half.shape)) for i, half in steps.items()}


def _rounding(program: Program, inputs: Sequence[Array], count: int, work: Work | None) -> list[Numbers]:
    """How far from 0 the program may round each element of its first outputs."""
    found = bound(program.giving(slice(count)), inputs, ROUNDING_MODELS["numpy"], work)
    return list(map(sizes_of, found.balls))


def _sampled(
    program: Program,
    inputs: Sequence[Array],
    steps: Mapping[int, Numbers],
    truth: Sequence[Enclosure],
    tried: Ways,
    bits: int,
    work: Work | None,
) -> Sampled:
    """How far the truth moves in these ways, and where it is 0 in all."""
    quick = attainable_by_core(program, inputs, steps, truth, tried, work)
    if quick is None and len(program.outputs) > len(truth):
        program = program.giving(slice(len(truth)))  # it may be the others that are not decided
        quick = attainable_by_core(program, inputs, steps, truth, tried, work)
    return quick or by_arb(program, inputs, steps, truth, tried, bits, work)


def _budget(truth: Enclosure, dtype: str) -> Numbers:
    """Half of the digits: what moves the truth by more may lie across a branch."""
    kind = format_of(dtype)
    return np.asarray(kind.ulp(truth.mid) * 2.0 ** (kind.digits // 2))


def _staying(
    program: Program,
    inputs: Sequence[Array],
    steps: Mapping[int, Numbers],
    tried: Ways,
    bits: int,
    work: Work | None,
) -> Ways:
    """The ways in which all indices that are computed from numbers stay what they are.

    Another cell of a table is another branch, as that of an `if` is, which is not looked at either.
    """
    computed = (e for e in program.equations if e.primitive is convert_ and e.operands[0].is_float)
    indices = tuple(e.output for e in computed if "int" in e.output.dtype)
    asked = Program(program.inputs, program.equations, indices).giving(slice(None))

    def at(given: Sequence[Array]) -> list[Array] | None:
        try:
            return evaluate(asked, given, bits, work)
        except Undecided:
            return None

    here = at(inputs) if indices else None
    if here is None:
        return tried
    with precision(bits):
        own = {i: ends(exact(inputs[i]), half) for i, half in steps.items()}
    moved = ((seed, at(perturb(inputs, own, tried, seed))) for seed in _drawn(tried))
    kept = (seed for seed, there in moved if there is not None and all(map(np.array_equal, here, there)))
    found = tuple(islice(kept, len(tried.seeds)))
    return tried if found == tuple(tried.seeds) else tried._replace(seeds=found)


def _drawn(tried: Ways) -> Sequence[int]:
    """All ways there are, or as many as may be drawn until enough are found: each edge turns half of them."""
    return tried.seeds if tried.together else range(DRAWN)


def are_many(truth: Sequence[Enclosure]) -> bool:
    """Whether these are so many elements that few perturbations are made at first."""
    return sum(math.prod(t.shape) for t in truth) >= MANY


def _moving(
    program: Program,
    inputs: Sequence[Array],
    wrt: Sequence[int],
    cotangents: int,
    bits: int,
    work: Work | None,
) -> list[int]:
    """The inputs to perturb: all floating ones, or where that turns a comparison, not the fixed ones."""
    floating = [i for i, v in enumerate(program.inputs) if v.dtype in FORMATS]
    least = [i for i in floating if i in wrt or i >= len(program.inputs) - cotangents]
    fixed = [i for i in floating if i not in least]
    asked = _decisions(program, {program.inputs[i] for i in fixed})
    if not asked.outputs:
        return floating
    used = {v for e in asked.equations for v in e.operands}
    read = [i for i, v in enumerate(program.inputs) if v in used]
    asked = Program(tuple(program.inputs[i] for i in read), asked.equations, asked.outputs)
    given, at = [inputs[i] for i in read], {i: k for k, i in enumerate(read) if i in fixed}
    try:
        here = evaluate(asked, given, bits, work)
        with precision(bits):
            steps = {
                k: ends(exact(inputs[i]), half_ulps(inputs[i], program.inputs[i].dtype, False))
                for i, k in at.items()
            }
        drawn = Ways(range(PERTURBATIONS))
        for seed in drawn.seeds:
            there = evaluate(asked, perturb(given, steps, drawn, seed), bits, work)
            if not all(map(np.array_equal, here, there)):
                return least
    except Undecided:
        return least
    return floating


def _decisions(program: Program, fixed: set[Var]) -> Program:
    """The comparisons and orders that depend on these inputs, and the equations that they need."""
    depends = set(fixed)
    for equation in program.equations:
        if depends.intersection(equation.operands):
            depends.add(equation.output)
    decided = [e.output for e in program.equations if e.output in depends and not e.output.is_float]
    return Program(program.inputs, program.equations, tuple(decided)).giving(slice(None))
