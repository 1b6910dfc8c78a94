"""The times of a test suite's checks: each derivative against its own function, while the check is made."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from harness.gate.baseline import Expected
from harness.gate.finding import ratio_of
from harness.gate.suite import timed_part
from harness.proof.observe import Loaded
from harness.result import Result
from harness.runs.timing import LOOKS, Ratio, is_slower, quick
from oracles.frameworks.framework import silently

BUDGET_S = 0.05  # that a look at one check takes
PATIENCE = 10  # times as long, where the baseline has a time: what became slow is timed all the same


class Clock:
    """Times the checks of one test: of each function, dtype and first argument the first check.

    Args:
        expected: The test's rows of the baseline.
    """

    def __init__(self, expected: Iterable[Expected]) -> None:
        self._expected = [row for row in expected if row.time_ratio is not None]
        self._done: set[tuple[str, str, str]] = set()

    def __call__(self, result: Result, load: Callable[[], Loaded]) -> Ratio | None:
        """The ratio to the function's time; of what looks slower than expected, by more looks.

        None where it was timed before, takes too long, or raises as it is run again.
        """
        part = timed_part(result)
        if part is None or (name := (result.subject, part.name, part.dtype)) in self._done:
            return None
        self._done.add(name)
        before = [r for e in self._expected if _is_of(e, result.subject, part.name) and (r := ratio_of(e))]
        try:
            with silently():
                ran = load()
                most_s = BUDGET_S * (PATIENCE if before else 1)
                found = quick(ran.gradient, ran.value, BUDGET_S, most_s)
                for _ in range(LOOKS - 1):
                    if not found or not any(is_slower(found, one) for one in before):
                        break
                    found = quick(ran.gradient, ran.value, BUDGET_S, most_s) or found
                return found
        except Exception:  # whatever the code raises here, it was judged without
            return None


def _is_of(row: Expected, subject: str, argument: str) -> bool:
    return row.oracle.endswith(f"({subject})") and row.input == argument
