"""NumPy: a function is run as it is, and recorded over arrays that write down what is done with them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from oracles.exact.from_numpy import record
from oracles.exact.from_numpy.array import is_traced
from oracles.exact.from_numpy.pairs import joined, split
from oracles.exact.program.program import Origin
from oracles.exact.program.recording import Recording
from oracles.frameworks.calls import Mend, Watched
from oracles.frameworks.framework import Array, Framework, Function, Subject, gradient_by, values_by


class _NumPy(Framework):
    name = "numpy"

    def _record(
        self, function: Function, args: Sequence[Any], differentiate: bool, exactly: bool
    ) -> Recording:
        return record(function, tuple(args), {}, differentiate=differentiate)

    def subject(
        self, value: Function, gradient: Function, device: Any = None, wide: bool = True, primal: bool = False
    ) -> Subject:
        return Subject(np.asarray, value, gradient, values_by(np.asarray), gradient_by(np.asarray, primal))

    def watched(self, derivative: Function, inputs: Sequence[Any], mend: Mend, device: Any = None) -> Watched:
        from oracles.frameworks.numpy_calls import watched

        return watched(derivative, inputs, mend)

    def writing(self, forward: Callable[[], Any], backward: Callable[[Any], Any]) -> Origin | None:
        from oracles.frameworks.numpy_writes import writing

        return writing(forward, backward)

    def on_host(self, array: Any) -> Array:
        return np.asarray(array)

    def joined(self, pairs: Any) -> Any:
        return joined(pairs)

    def split(self, numbers: Any) -> Any:
        return split(numbers)

    def as_number(self, array: Any, kind: str) -> Any:
        """Likewise; recorded where it is that."""
        if np.ndim(array):
            return array  # a point of another shape
        if kind != "float":  # NumPy's
            return array[()]
        return array.as_python(float) if is_traced(array) else float(array)

    def zeros_like(self, array: Any) -> Array:
        return np.zeros_like(array)

    def where(self, mask: Array, number: float, array: Any) -> Array:
        return np.where(mask, number, array)

    def leaving_alone(self, gradient: Function) -> Function:
        def copying(directions: Any, *args: Any) -> Any:
            return gradient(tuple(d.copy("K") for d in directions), *(a.copy("K") for a in args))

        return copying


FRAMEWORK = _NumPy()
