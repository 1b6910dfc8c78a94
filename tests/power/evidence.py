"""What a gradient computes, and the truth, as plain numbers: for the checkers that compare two arrays."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

from harness.proof.answer import Question, pose
from harness.proof.observe import observe
from harness.subject.derivative import Derivative
from harness.subject.target import problem_of
from harness.verdicts.budget import budget
from oracles.exact_oracle import LIMITS
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
        problem = problem_of(
            forward,
            given,
            {},
            vjp,
            False,
            None,
            argnums,
            Derivative.of(fault.mode, fault.order),
            framework,
            False,
        )
        posed = pose(Question(problem, None, 0, LIMITS, budget, False), problem.arrays)
        subject_ = problem.user.subject(problem.device)
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
        inputs = [moved if i == k else a for i, a in enumerate(problem.arrays)]
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
