from __future__ import annotations

import re

import pytest

from oracles.exact.program.scalars import SCALARS
from oracles.exact.rounding.library import FUNCTIONS, HALVES, JAX_HALF_ULPS, SLACKS, slacks, ulps


def test_every_row_is_a_function_with_a_source_and_a_few_ulps():
    assert set(FUNCTIONS) <= {*SCALARS, "logistic", "softplus"}
    assert set(JAX_HALF_ULPS) <= {*SCALARS, "logistic"}
    for name, row in FUNCTIONS.items():
        assert row.source, name
        assert all(0.5 <= bound <= 10 for bound in row[:3]), name


@pytest.mark.parametrize("name", ["exp2", "cosh", "log1p", "atanh", "sinh"])
def test_a_defect_of_jax_is_no_bound(name):
    """Its float64 is off by 128 to 598 ulps: that is to be reported."""
    assert ulps("jax", name, "float64") <= 4


def test_halves_are_computed_in_float32_and_rounded_once_except_where_jax_composes_them():
    for dtype in HALVES:
        assert ulps("numpy", "exp", dtype) == ulps("torch", "tanh", dtype) == ulps("jax", "exp", dtype) == 1
        assert ulps("jax", "logistic", dtype) == 4
    assert ulps("jax", "exp", "float32") == 3


def test_a_function_without_a_row_has_eight():
    assert ulps("torch", "no such function", "float32") == 8


def test_every_slack_is_listed_with_its_reason():
    listed = slacks()
    assert all(reason for _, reason in listed)
    for (library, kernel, function), slack in SLACKS.items():
        assert any(re.search(rf"{kernel} of {library} \({function}\)$", text) for text, _ in listed)
        assert any(reason == slack.reason for _, reason in listed)
    assert listed[0] == ("2 u for a division", "a product with a rounded reciprocal reaches 1.52 u")
