"""A check that a drop-in has made."""

from __future__ import annotations

from dataclasses import dataclass

from harness.result import Result
from harness.verdicts import Verdict


@dataclass(frozen=True)
class Made:
    """A check that was made.

    Attributes:
        checker: The name of the original.
        where: The test that made it, "" outside of pytest.
        verdict: The worst.
        unproven: Why it is not proven and the original decided; "" if it is proven.
        results: What was found, one for each derivative that was asked for.
        probed: What probes found in gradients that are right as they were asked for.
    """

    checker: str
    where: str
    verdict: Verdict
    unproven: str
    results: tuple[Result, ...]
    probed: tuple[str, ...] = ()
