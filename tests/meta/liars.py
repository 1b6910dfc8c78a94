"""Oracles that are wrong on purpose, each in one way, around the hand-derived gradient."""

from abc import abstractmethod
from typing import final

import numpy as np

from harness.cases import catalogue
from harness.examination import examine
from harness.record import Cell
from oracles import Gradient, NumpyOracle, Oracle, Subject


class Around(Oracle):
    """The honest answer, passed through `change_value` and `change_gradient`."""

    name = "fake"

    def unsupported(self, case):
        return ""

    @abstractmethod
    def change(self, value, arrays, args):
        """The value and the gradients it claims."""

    def prepare(self, case, dtype):
        honest = NumpyOracle().prepare(case, dtype)

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


def claims(value=lambda v: v, gradient=lambda g: g):
    """An oracle that changes every value and every gradient array in one way."""

    @final
    class Claims(Around):
        def change(self, v, arrays, args):
            return value(v), [gradient(a) for a in arrays]

    return Claims()


def judged(oracle, case="softmax_loss", dtype="float64", input_name="ordinary", known=None, timing=False):
    """The record of one cell; `case` is a name or a Case."""
    case = catalogue()[case] if isinstance(case, str) else case
    cell = Cell(case.name, input_name, dtype, oracle.name, 0)
    return examine(case, oracle, cell, known or {}, timing)
