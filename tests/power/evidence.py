"""What a gradient computes, and the truth, as plain numbers: for the checkers that compare two arrays."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

from harness.asking import question_of
from harness.proof.observe import observe
from harness.proof.truth import pose
from harness.subject.derivative import Derivative
from harness.subject.target import target_of
from harness.subject.tested import under_test
from tests.power.fault import Arrays, Fault, loaded


@dataclass(frozen=True)
class Evidence:
    """One gradient: what was computed and what is true, and <cotangent, f> as a function of one argument."""

    args: Arrays
    computed: tuple[Any, ...]
    truth: tuple[Any, ...]
    projected: Callable[[int, Any], float]


def evidence(fault: Fault, right: bool, args: Arrays, framework: str) -> Evidence:
    """The numbers at these arguments.

    Raises:
        Undecided, Unsupported: There is no truth here.
    """
    subject, argnums = fault.subject(framework, right), tuple(range(fault.moves))
    forward, vjp = subject if framework == "numpy" else (subject, None)
    with np.errstate(all="ignore"), jax.enable_x64(True):
        given = tuple(loaded(framework, a) for a in args)
        target = target_of(forward, given, {}, argnums, framework, vjp is None)
        derivative = Derivative.of(fault.mode, fault.order)
        posed = pose(question_of(target, derivative), target.arrays)
        subject_ = under_test(target, derivative, vjp).subject()
        seen = observe(subject_, posed.inputs, posed.directions, posed.labels, posed.expected)
    computed = [
        np.zeros(e.shape) if a is None else a
        for a, e in zip(seen.gradient.arrays, posed.true.enclosures, strict=True)
    ]
    truth = tuple(e.mid for e in posed.true.enclosures)
    if any(c.shape != t.shape for c, t in zip(computed, truth, strict=True)):
        computed = [np.full(t.shape, np.nan) for t in truth]

    def projected(k: int, moved: Any) -> float:
        """In float64, as the differences want it."""
        inputs = [moved if i == k else a for i, a in enumerate(target.arrays)]
        inputs = [np.asarray(a, np.float64) if a.dtype.kind == "f" else a for a in inputs]
        with jax.enable_x64(True):
            values = subject_.fetch_value(subject_.value(*map(subject_.load, inputs)))
        return float(
            sum(
                np.vdot(v.astype(np.float64), c.astype(np.float64))
                for v, c in zip(values, posed.directions, strict=True)
            )
        )

    return Evidence(args, tuple(c.astype(np.float64) for c in computed), truth, projected)
