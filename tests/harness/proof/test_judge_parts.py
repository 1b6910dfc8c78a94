"""A large gradient is judged part by part, as it would be at once."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from harness.proof import judge
from harness.proof.evidence import Evidence
from harness.verdicts import Verdict
from oracles.exact.core.pairs import Pairs, of_numbers
from oracles.exact.enclose.enclosure import Enclosure

SHAPE = (7, 9)


def evidence() -> Evidence:
    rng = np.random.default_rng(0)
    true = rng.normal(size=SHAPE)
    half = 2.0**-24 * np.abs(true)
    around = Pairs(true, np.zeros(SHAPE), 8 * half)
    everywhere = np.ones(SHAPE, bool)
    return Evidence("x", Enclosure(of_numbers(true), 128), half, ~everywhere, everywhere, around, "float32")


FAULTS = {
    "right": {},
    "one is imprecise": {(3, 4): 2.0**-10},
    "many are, one more so": {(6, 8): 2.0**-9, (0, 0): 2.0**-10, (5, 1): 2.0**-10},
    "one is not a number": {(2, 2): np.nan, (6, 0): 2.0**-9},
}


@pytest.mark.parametrize("name", FAULTS)
@pytest.mark.parametrize("with_bound", [True, False])
def test_in_parts_as_at_once(monkeypatch, name, with_bound):
    known = evidence() if with_bound else replace(evidence(), bound=None)
    computed = known.truth.mid.astype(np.float32)
    for at, off in FAULTS[name].items():
        computed[at] *= 1 + off
    whole = judge.judge([known], [computed], lambda _: 12)
    monkeypatch.setattr(judge, "MANY", 10)
    parts = judge.judge([known], [computed], lambda _: 12)
    assert (whole.verdict is Verdict.ACCURATE) == (name == "right")
    assert str(parts) == str(whole)  # NaN is NaN
