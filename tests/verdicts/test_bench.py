"""What `make bench` measures runs, and finds what it is measured on; how long it takes is not tested."""

import torch

from tests.sampling import long
from tests.verdicts.bench import CHECKERS, flagship, row
from tests.verdicts.bench_check import trace
from tests.verdicts.mutants_torch import RIGHT


@long
def test_ours_lets_none_through_and_fast_gradcheck_some():
    ours, fast = (next(c for c in CHECKERS if name in c.name) for name in ("ours, torch", "gradcheck, fast"))
    found = [row(checker, (4, 8)) for checker in (ours, fast)]
    assert [r["of 4 right accused"] for r in found] == [0, 0]
    assert found[0]["of 33 wrong let through"] == 0
    assert found[1]["of 33 wrong let through"] > 0
    assert found[0]["limit s"]
    assert not found[1]["limit s"]


def test_a_table_that_is_too_large_is_left_open():
    slow = next(c for c in CHECKERS if "slow" in c.name)
    assert row(slow, (32, 64))["of 33 wrong let through"] is None


@long
def test_the_network_is_accurate():
    assert flagship()["of 4 right accused"] == 0


def test_a_check_is_timed_beside_its_tracing():
    trace(RIGHT["silu"], torch.ones(2, 3))
