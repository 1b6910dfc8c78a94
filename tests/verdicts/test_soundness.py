"""Some thousand healthy elements, none accused; `make soundness` has a hundred thousand and the flagship."""

import dataclasses

import mpmath
import numpy as np
import pytest

from harness.cases import catalogue
from harness.runs.record import Cell
from harness.runs.runner import oracles
from tests.verdicts import soundness
from tests.verdicts.second_look import derivative


def test_no_healthy_element_lies_outside_its_bound():
    found = soundness.run(1_500, ("numpy", "jax-jit", "torch"), large=False, every=3)
    assert sum(one.elements for one in found) >= 1_500
    assert [(one.cell, one.outside) for one in found if one.outside] == []
    table = soundness.table(found)
    assert set(table.frame["case"]) == {name for name, case in catalogue().items() if case.vjp}
    assert not ((table.frame["median"] > 10) & (table.frame["reason"] == "")).any()


def test_an_element_that_is_right_and_outside_is_a_false_alarm():
    cell = Cell("sigmoid", "ordinary", "float64", "numpy", 0)
    (one,) = soundness.check([cell])
    accused = dataclasses.replace(one, outside=((0, (1, 2)),))
    (line,) = soundness.confirmed(accused)
    assert "[0](1, 2)" in line
    assert "is within 8 ulps of" in line


@pytest.mark.parametrize("name", [name for name, case in catalogue().items() if case.vjp])
def test_the_second_look_agrees_with_the_gradient_by_hand(name):
    case = catalogue()[name]
    args, cotangent = case.draw("ordinary", "float64", 3)
    subject = oracles()["numpy"].subject(case, np.dtype("float64"))
    arrays = subject.fetch_gradient(subject.gradient(cotangent, *args)).arrays
    for k, got in zip(case.argnums, arrays, strict=True):
        at = tuple(n - 1 for n in got.shape)
        true = derivative(name, args, cotangent, k, at)
        assert abs(mpmath.mpf(float(got[at])) - true) <= 1e-12 * (1 + abs(true))


def test_its_table_stands_beside_those_of_a_report(tmp_path):
    (tmp_path / "gradients.md").write_text("a report")
    found = list(soundness.check([Cell("relu", "ordinary", "float64", "numpy", 0)]))
    soundness.write_tables([soundness.table(found)], ["md"], tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bounds.md", "gradients.md"]
