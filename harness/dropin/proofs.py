"""How a drop-in asks for a proof: with which probes, and unheard by the suite."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from harness.check import answered
from harness.proof.question import Probe

# A solver in a gradient that ends at an absolute tolerance may not end along a scaled cotangent, and JAX's
# loops cannot be stopped.
PROBES = tuple(probe for probe in Probe if probe not in {Probe.SCALED_UP, Probe.SCALED_DOWN})
# Of a derivative of a derivative these cost more than half of the check, and the first is asked along them.
AT_FIRST = {Probe.ONES, Probe.ZEROS}


@contextmanager
def unheard() -> Iterator[None]:
    """What the proofs run warns of nothing: the original, which ran before, has. The test asked nothing."""
    before = len(answered)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        del answered[before:]


def probes_of(mode: str | Sequence[str]) -> tuple[Probe, ...]:
    """The probes of this derivative."""
    first = isinstance(mode, str) or len(mode) == 1
    return PROBES if first else tuple(probe for probe in PROBES if probe not in AT_FIRST)
