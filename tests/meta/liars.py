"""Oracles that are wrong on purpose, each in one way, around the hand-derived gradient."""

from abc import abstractmethod
from dataclasses import replace
from typing import final

import numpy as np
import pytest

from harness.cases import catalogue
from harness.runs import runner
from harness.runs.record import Cell
from harness.runs.row import examine
from oracles import Gradient, NumpyOracle, Oracle, Subject


class Around(Oracle):
    """The honest answer, passed through `change`; its program is the honest one."""

    name = "fake"
    machine = "numpy"

    def unsupported(self, case):
        return ""

    @abstractmethod
    def change(self, value, arrays, args):
        """The value and the gradients it claims."""

    def subject(self, case, dtype):
        honest = NumpyOracle().subject(case, dtype)

        def ask(cotangent, args):
            value = honest.fetch_value(honest.value(*args))
            arrays = honest.fetch_gradient(honest.gradient(cotangent, *args)).arrays
            return self.change(value.copy(), tuple(None if a is None else a.copy() for a in arrays), args)

        def value(*args):
            zeros = np.zeros(np.shape(honest.value(*args)), dtype)
            return ask(zeros, args)[0]

        def gradient(cotangent, *args):
            return Gradient(tuple(ask(cotangent, args)[1]))

        return Subject(np.asarray, value, gradient, lambda v: v, lambda g: g)

    def record(self, case, cotangent, args):
        return NumpyOracle().record(case, cotangent, args)


def claims(value=lambda v: v, gradient=lambda g: g):
    """An oracle that changes every value and every gradient array in one way."""

    @final
    class Claims(Around):
        def change(self, v, arrays, args):
            return value(v), [gradient(a) for a in arrays]

    return Claims()


class Honest(Oracle):
    """The hand-derived gradient with `vjp` in the place of the case's own: it is run and it is recorded."""

    name = "fake"
    machine = "numpy"

    def __init__(self, vjp=None):
        self.vjp = vjp

    def unsupported(self, case):
        return ""

    def case(self, case):
        return replace(case, vjp=self.vjp(case)) if self.vjp and case.vjp else case

    def subject(self, case, dtype):
        return NumpyOracle().subject(self.case(case), dtype)

    def record(self, case, cotangent, args):
        return NumpyOracle().record(self.case(case), cotangent, args)


def changed(change):
    """An oracle whose program passes each gradient array through `change`."""

    def vjp(case):
        honest = case.vjp

        def changed_vjp(cotangent, *args):
            found = honest(cotangent, *args)
            return tuple(map(change, found)) if isinstance(found, tuple) else change(found)

        return changed_vjp

    return Honest(vjp)


def judged(oracle, case="softmax_loss", dtype="float64", input_name="ordinary", known=None, timing=False):
    """The record of one cell; `case` is a name or a Case."""
    case = catalogue()[case] if isinstance(case, str) else case
    cell = Cell(case.name, input_name, dtype, oracle.name, 0)
    record = examine(case, oracle, cell, known or {})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runner, "oracles", lambda: {oracle.name: oracle})
        return runner.with_times(record) if timing else record
