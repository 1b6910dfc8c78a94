"""With the compiled core and without it the verdicts are the same; `make soundness` asks all kernels."""

from __future__ import annotations

from dataclasses import replace

import pytest

from oracles.exact.core import library
from tests.verdicts import both_cores
from tests.verdicts.both_cores import compared
from tests.verdicts.kernels import NUMPY, checked

pytestmark = pytest.mark.skipif(bool(library.problem()), reason="the core is not used here")
TORCH = ("rmsnorm", "bias gelu", "normalize", "triplet", "fake quantisation", "mish", "softplus by hand")


@pytest.mark.parametrize(
    ("name", "dtype", "size"),
    [(f"numpy {name}", "float32", "large") for name in NUMPY]
    + [(f"torch {name}", "bfloat16", "ordinary") for name in TORCH],
)
def test_the_verdict_is_the_same_without_the_core(name, dtype, size):
    differences, runs = compared(name, dtype, size)
    assert not differences
    assert runs > 0


@pytest.mark.parametrize("said", [{"bits_lost": 0.02}, {"bits_lost": float("nan")}])
def test_what_differs_is_seen(said, monkeypatch):
    right = checked("numpy hinge", "float32", "ordinary")
    first, *others = right.parts
    other = replace(first, judgement=replace(first.judgement, **said))
    monkeypatch.setattr(
        both_cores,
        "checked",
        lambda *cell: right if library.problem() else replace(right, parts=(other, *others)),
    )
    assert compared("numpy hinge", "float32", "ordinary")[0]


def test_another_verdict_is_seen(monkeypatch):
    right = checked("numpy hinge", "float32", "ordinary")
    monkeypatch.setattr(
        both_cores, "checked", lambda *cell: replace(right, parts=()) if library.problem() else right
    )
    assert compared("numpy hinge", "float32", "ordinary")[0]
