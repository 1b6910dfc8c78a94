"""B holds the correctly rounded truth; `tests.oracles.exact.rounded` draws a hundred thousand programs."""

from __future__ import annotations

import numpy as np
import pytest

from oracles.exact.program.formats import FORMATS
from tests.oracles.exact import rounded
from tests.oracles.exact.rounded import LIBRARIES, SIZES, drawn, outside


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("dtype", FORMATS)
def test_the_bound_of_a_random_program_holds_its_correctly_rounded_gradient(dtype, library):
    rng = np.random.default_rng(1)
    for seed, size in enumerate(SIZES * 2):
        assert outside(drawn(rng), dtype, library, size, seed) == []


def test_a_bound_without_it_is_seen(monkeypatch):
    def narrow(*args):
        found = original(*args)
        found.balls = [balls - balls + 1 for balls in found.balls]
        return found

    original = rounded.bound
    monkeypatch.setattr(rounded, "bound", narrow)
    assert outside([("sin", 0)], "float32", "numpy", 0.0, 0)
