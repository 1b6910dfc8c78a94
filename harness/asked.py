"""The options that all checks of this package share, as values that were checked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple, Self

from harness.accepted import Upstream
from harness.proof.evidence import Allowed, budget
from harness.proof.materiality import Resolution
from harness.proof.question import Probe
from harness.result import Fixed
from harness.subject import given
from oracles.exact.enclose.limits import Limits
from oracles.exact_oracle import LIMITS


class Asked(NamedTuple):
    """What is asked of the gradients of a function or an object, whichever it is."""

    seed: int
    limits: Limits
    allowed: Allowed
    boundary: bool | Sequence[str]
    samples: int
    search: int
    probes: tuple[Probe, ...]
    resolution: Resolution
    upstream: Upstream
    known: Any

    @classmethod
    def of(
        cls, *, seed: Any, bits_lost: Any, seconds: Any, boundary: Any, samples: Any, search: Any,
        probes: Any, resolution: Any, upstream: Any, known: Any,
    ) -> Self:  # fmt: skip
        """As users say it, each checked.

        Raises:
            ValueError: One is not what it must be.
        """
        return cls(
            given.integer("seed", seed),
            replace(LIMITS, seconds=given.number("seconds", seconds, above=True), raised_by=("seconds",)),
            budget if bits_lost is None else Fixed(given.number("bits_lost", bits_lost)),
            boundary,
            given.integer("samples", samples),
            given.integer("search", search),
            Probe.chosen(probes),
            given.choice("resolution", resolution, Resolution),
            given.choice("upstream", upstream, Upstream),
            known,
        )
