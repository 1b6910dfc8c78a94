"""What a process of a long run does: the rows of some programs, each failing one made shorter."""

from __future__ import annotations

from typing import Any

from tests.programs.program import Program
from tests.programs.shrink import shrunk
from tests.programs.tables import row
from tests.programs.trial import Trial, compared, trial


def of_batch(framework: str, first: int, last: int) -> list[dict[str, Any]]:
    """The rows of some seeds, in a worker."""
    return [of_seed(framework, seed) for seed in range(first, last)]


def of_seed(framework: str, seed: int) -> dict[str, Any]:
    """The row of a seed; what fails is made shorter, and its source comes along."""
    found = trial(framework, seed)
    kept = row(found, seed)
    if found.failures:
        kept["source"] = _smallest(found).source(framework)
    elif found.verdict == "defect":
        kept["source"] = found.drawn.program.source(framework)
    return kept


def _smallest(found: Trial) -> Program:
    """The shortest program that fails alike."""
    how = found.failures[0].split(":")[0]

    def fails(other: Any) -> bool:
        try:
            again = compared(other, found.mode, found.seed)
        except Exception:  # of programs that are none
            return False
        return any(text.startswith(how) for text in again.failures)

    return shrunk(found.drawn, fails).program
