from __future__ import annotations

import re

import pytest

from oracles.exact.program.scalars import CALLS, HALVES, LOGISTIC, OTHER, SCALARS, SLACKS
from tests.oracles.exact.slacks import slacks

ACCURACIES = {name: entry.accuracy for name, entry in SCALARS.items()} | CALLS
UNMEASURED = "no measurement: a few ulps, as the functions that were measured"


@pytest.mark.parametrize("name", ACCURACIES)
def test_every_function_has_a_few_ulps_and_their_source(name):
    accuracy = ACCURACIES[name]
    assert accuracy.source
    seen = re.findall(r"(\d+) in", accuracy.source) if "unit roundoffs" in accuracy.source else []
    few = max([10.0, *(1 + 1.5 * int(units) / 2 for units in seen)])
    assert all(0.5 <= bound <= few for bound in accuracy[:3])
    assert (accuracy[:3] == (8, 8, 8) and accuracy.source == UNMEASURED) == (accuracy.source == OTHER.source)


@pytest.mark.parametrize("name", ["exp2", "cosh", "log1p", "atanh", "sinh"])
def test_a_defect_of_jax_is_no_bound(name):
    """Its float64 is off by 128 to 598 ulps: that is to be reported."""
    assert ACCURACIES[name].ulps("jax", "float64") <= 4


def test_halves_are_computed_in_float32_and_rounded_once_except_where_jax_composes_them():
    exp, tanh = ACCURACIES["exp"], ACCURACIES["tanh"]
    for dtype in HALVES:
        assert exp.ulps("numpy", dtype) == tanh.ulps("torch", dtype) == exp.ulps("jax", dtype) == 1
        assert LOGISTIC.ulps("jax", dtype) == 4
    assert exp.ulps("jax", "float32") == 3


def test_a_function_that_was_not_measured_has_eight():
    assert ACCURACIES["fresnel_s"].ulps("torch", "float32") == 8


def test_every_slack_is_listed_with_its_reason():
    listed = slacks()
    assert all(reason for _, reason in listed)
    for (library, kernel, function), slack in SLACKS.items():
        assert any(re.search(rf"{kernel} of {library} \({function}\)$", text) for text, _ in listed)
        assert any(reason == slack.reason for _, reason in listed)
    assert listed[0] == ("2 u for a division", "a product with a rounded reciprocal reaches 1.52 u")
