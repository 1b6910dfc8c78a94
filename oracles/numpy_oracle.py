"""The hand-derived gradients of `reference`, as an oracle: what the others are compared with."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, final

import numpy as np

from oracles.exact.program.recording import Recording
from oracles.frameworks.framework import Array, Gradient, Subject, framework
from oracles.oracle import Case, Oracle


@final
class NumpyOracle(Oracle):
    """Calls the case's own function and hand-written VJP."""

    name = "numpy"
    machine = "numpy"

    def unsupported(self, case: Case) -> str:
        """Every case has a function; one without a VJP has no gradient, which is an answer."""
        return ""

    def subject(self, case: Case, dtype: np.dtype[Any]) -> Subject:
        """The case as it is: NumPy needs no preparation and works in the dtype of its arguments."""
        own = framework(self.name).subject(case.function, case.vjp or _no_gradient)
        if case.vjp is not None:
            return own
        return replace(own, fetch_gradient=lambda result: Gradient((None,) * len(case.argnums)))

    def record(self, case: Case, cotangent: Array | None, args: tuple[Array, ...]) -> Recording:
        """The function or its hand-written VJP, run over recorded arrays."""
        own = framework(self.name)
        if cotangent is None:
            return own.record(case.function, args, differentiate=False)
        return own.record(case.vjp or _no_gradient, (cotangent, *args), differentiate=False)


def _no_gradient(cotangent: Array, *args: Array) -> None:
    return None
