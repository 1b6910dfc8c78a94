"""How a row of a gate is named, run again, and accepted: the catalogue's; a test suite's is in `suite`."""

from __future__ import annotations

import inspect
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.cases import catalogue
from harness.gate.finding import Finding, Kind
from harness.runs.failure import failure_text, reproducer
from harness.runs.record import Record, Row
from harness.verdicts import ExitCode

REFERENCE = "numpy"  # the oracle that runs the gradient by hand
CONCLUSIONS = {
    ExitCode.OK: "passed",
    ExitCode.FAILED: "FAILED",
    ExitCode.NOTHING_COMPARED: "nothing was compared, which is not a success",
}


@dataclass(frozen=True)
class Words:
    """The words for rows of the catalogue. `baseline` is the file, None for the usual one."""

    baseline: Path | None = None

    def name(self, row: Row, *about: str) -> str:
        """The row, or several that differ in their inputs; `about` is what else is known of it."""
        return f"{row.case} vs {row.oracle} [{', '.join((row.dtype, *about))}]"

    def source(self, rows: Sequence[Row]) -> str:
        """Whence rows come that are all unavailable for one reason."""
        return rows[0].oracle

    def failure(self, record: Record) -> list[str]:
        """What failed: a line that names it, the worst element, and why."""
        return [line.strip() for line in failure_text(record).splitlines()][:-1]

    def reproduce(self, records: Sequence[Record]) -> str:
        """The command that runs these rows again."""
        return reproducer(records)

    def accept(self, group: Sequence[Finding]) -> str:
        """The command that makes the baseline agree with a group; "" where nothing can be agreed to."""
        first = group[0]
        if first.kind in {Kind.ERROR, Kind.UNAVAILABLE, Kind.CONFLICT, Kind.MISSING}:
            return ""
        row = first.row if len(group) == 1 else first.row._replace(input="*")
        tokens = ["python", "-m", "gradproof", "baseline", "update", "/".join(row)]
        tokens += ["--baseline", str(self.baseline)] if self.baseline else []
        return f'{shlex.join(tokens)} --reason "why"'

    def home(self, row: Row) -> tuple[str, int] | None:
        """The gradient by hand: its file, if it is in the current directory, and its line."""
        case = catalogue().get(row.case)
        if case is None or row.oracle != REFERENCE:
            return None
        try:
            function = case.vjp or case.function
            file, line = inspect.getsourcefile(function) or "", inspect.getsourcelines(function)[1]
        except (OSError, TypeError):  # it is no function that is written in a file
            return None
        path = Path(file).resolve()
        return (path.relative_to(Path.cwd()).as_posix(), line) if path.is_relative_to(Path.cwd()) else None

    def conclusion(self, code: ExitCode) -> str:
        """The last line: the exit code in words, for whoever reads a log."""
        return f"gate: {CONCLUSIONS[code]} (exit code {code.value})"
