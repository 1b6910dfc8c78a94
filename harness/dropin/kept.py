"""The list of all checks that were made, by drop-ins and by the test itself."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from harness.check import answered
from harness.dropin.configuration import settings
from harness.dropin.made import Made
from harness.result import Result
from harness.verdicts import Verdict


def keep(
    checker: str, verdict: Verdict, unproven: str, results: Sequence[Result], probed: Sequence[str] = ()
) -> bool:
    """Remember a check that was made; True."""
    where = os.environ.get("PYTEST_CURRENT_TEST", "").rpartition(" ")[0]
    settings.made.append(Made(checker, where, verdict, unproven, tuple(results), tuple(probed)))
    return True


def taken() -> list[Made]:
    """The checks that were made since the last time, by drop-ins and by the test itself."""
    asked = [Made(door, "", found.verdict, "", (found,)) for door, found in answered]
    found = [*settings.made, *asked]
    settings.made.clear()
    answered.clear()
    return found


def plain(made: Made) -> dict[str, Any]:
    """A check as plain values, with its worst element."""
    worst = max((r.worst for r in made.results if r.worst), key=lambda j: j.bits_lost, default=None)
    told = [r.diagnosis for r in made.results if r.worst and r.worst is worst]
    faults = dict.fromkeys(fault for r in made.results for fault in r.faults)
    return {
        "checker": made.checker,
        "where": made.where,
        "verdict": made.verdict.value,
        "unproven": made.unproven,
        "bits_lost": worst.bits_lost if worst else None,
        "element": worst.where if worst else "",
        "diagnosis": told[0] if told else "",
        "faults": "; ".join(faults),
        "probed": "; ".join(made.probed),
    }
