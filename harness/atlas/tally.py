"""What is counted of elements: their verdicts, bits lost and ulps, and which is the worst."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.page.elements import Elements, rounded
from harness.proof.evidence import TABLE
from harness.verdicts import Verdict
from oracles.exact.program.indices import unraveled

UNKNOWN = {Verdict.UNDECIDED, Verdict.UNSUPPORTED}  # which come after all verdicts that say something
OPEN = {Verdict.UNDECIDED, Verdict.CONVENTION}  # of which there is no one true value
VERDICTS = np.array([row.verdict.severity for row in TABLE])


def rank(verdict: Verdict) -> int:
    """How bad it is, the worst first: what is known of other elements hides behind none that is open."""
    return verdict.severity + len(Verdict) * (verdict in UNKNOWN)


RANKS = np.array([rank(row.verdict) for row in TABLE])


@dataclass
class Tally:
    """Elements of a derivative, counted.

    Attributes:
        counts: By verdict.
        lost, ulps: Of those that have one true value.
        worst: The badness of the worst element, and where it is.
        why: Why nothing is known of some.
    """

    counts: Counter[Verdict] = field(default_factory=Counter)
    lost: list[NDArray[np.float64]] = field(default_factory=list)
    ulps: list[NDArray[np.float64]] = field(default_factory=list)
    worst: tuple[tuple[float, ...], str] = ((np.inf,), "")
    why: str = ""

    def add(self, found: Elements, where: Any) -> None:
        """Count the elements of an array; `where(index)` says which one is meant."""
        row, lost = found.row.ravel(), found.bits_lost.ravel()
        severity, ranks = VERDICTS[row], RANKS[row]
        for verdict in Verdict:
            if number := int(np.sum(severity == verdict.severity)):
                self.counts[verdict] += number
        clear = ~np.isin(severity, [verdict.severity for verdict in OPEN])
        ulps = np.where(np.isnan(found.error_ulp), np.inf, found.error_ulp).ravel()
        self.lost.append(lost[clear])
        self.ulps.append(ulps[clear & ~found.evidence.zero.ravel()])
        if severity.size:
            first = int(np.lexsort((-ulps, -lost, ranks))[0])
            at = unraveled(first, found.shape)
            self._keep((float(ranks[first]), -float(lost[first]), -float(ulps[first])), where(at))

    def add_open(self, verdict: Verdict, number: int, where: str, why: str) -> None:
        """Count elements of which there are no numbers, and keep the first reason."""
        if number:
            self.counts[verdict] += number
            self.why = self.why or why
            self._keep((float(rank(verdict)), 0.0, 0.0), where)

    def _keep(self, badness: tuple[float, ...], where: str) -> None:
        if badness < self.worst[0]:
            self.worst = badness, where

    @property
    def fields(self) -> dict[str, Any]:
        """The fields of a row."""
        told: dict[str, Any] = {verdict.value: number for verdict, number in self.counts.items()}
        told["points"] = sum(self.counts.values())
        if self.counts:
            told["worst"] = min(self.counts, key=rank)
            told["where"] = self.worst[1]
        for name, parts in (("bits_lost", self.lost), ("ulps", self.ulps)):
            whole = np.sort(np.concatenate([np.zeros(0), *parts]))
            if whole.size:
                told[f"{name}_50"] = rounded(whole[(whole.size - 1) // 2])
                told[f"{name}_99"] = rounded(whole[int(0.99 * (whole.size - 1))])
                told[f"{name}_worst"] = rounded(whole[-1])
        return told
