"""The hand-derived gradients of `reference`, as an oracle: what the others are compared with."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, final

import numpy as np

from oracles.oracle import Array, Gradient, Oracle, Subject

if TYPE_CHECKING:
    from harness.case import Case
    from oracles.exact.program.recording import Recording


@final
class NumpyOracle(Oracle):
    """Calls the case's own function and hand-written VJP."""

    name = "numpy"
    machine = "numpy"

    def unsupported(self, case: Case) -> str:
        """Every case has a function; one without a VJP has no gradient, which is an answer."""
        return ""

    def prepare(self, case: Case, dtype: np.dtype[Any]) -> Subject:
        """The case as it is: NumPy needs no preparation and works in the dtype of its arguments."""
        return Subject(np.asarray, case.function, case.vjp or _no_gradient, np.asarray, _as_gradient(case))

    def record(self, case: Case, cotangent: Array | None, args: tuple[Array, ...]) -> Recording:
        """The function or its hand-written VJP, run over recorded arrays."""
        from oracles.exact.from_numpy import record

        if cotangent is None:
            return record(case.function, args, {}, edges=False)
        return record(case.vjp or _no_gradient, (cotangent, *args), {}, edges=False)


def _no_gradient(cotangent: Array, *args: Array) -> None:
    return None


def _as_gradient(case: Case) -> Callable[[Any], Gradient]:
    def fetch(result: Any) -> Gradient:
        if result is None:
            return Gradient((None,) * len(case.argnums))
        return Gradient(tuple(map(np.asarray, result if isinstance(result, tuple) else (result,))))

    return fetch
