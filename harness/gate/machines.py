"""The machines that a baseline's rows were measured on, compared with this one."""

from __future__ import annotations

from collections.abc import Sequence

from harness.gate.baseline import Expected
from harness.runs.fingerprint import Fingerprint, differences

UNKNOWN = ["one of the two runs does not say of which machine it is"]


class Machines:
    """This machine, and that of each update of a baseline; None is of a run that does not say it.

    Attributes:
        other: How this machine differs from the last other one, in words; empty if all are this one.
    """

    def __init__(self, mine: Fingerprint | None, theirs: Sequence[Fingerprint | None]) -> None:
        self._found = [differences(mine, each) if mine and each else UNKNOWN for each in theirs]
        self.other = next(filter(None, reversed(self._found)), [])

    def is_this(self, row: Expected) -> bool:
        """Whether the row was measured on this machine: on another one, lost bits and times only warn."""
        return not self._found[row.update]
