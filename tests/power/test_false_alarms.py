"""Right gradients at random arguments: a sample is measured again, and a wrong one among them is caught."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
import torch

from tests.power import alarm_page, right_torch
from tests.power.false_alarms import DTYPES, FRAMEWORKS, QUICK, cells, of_cell, seeds_of
from tests.power.known_alarms import CAUSES
from tests.power.right import Right, drawn
from tests.sampling import sample

REPORTS = Path(__file__).parents[2] / "reports"
ROWS = pd.read_csv(REPORTS / "false_alarms.csv", keep_default_na=False)


class TimesTwo(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x * 2

    @staticmethod
    def backward(ctx, g):
        return g * 2.001


def test_a_wrong_gradient_among_the_right_ones_is_an_alarm_without_a_cause(monkeypatch):
    monkeypatch.setitem(right_torch.FUNCTIONS, "twice", Right(TimesTwo.apply, "x"))
    (row,) = of_cell("torch", "twice", "float64", 3)
    assert (row["said"], row["checks"]) == ("wrong", 3)
    (said,) = alarm_page.unknown(pd.DataFrame([row]))
    assert said.startswith("twice in float64 is wrong: seed 0, shape")


def test_nothing_is_said_where_there_is_no_kernel():
    assert of_cell("torch", "F.multi_margin_loss", "float16", 1) == []


def test_what_it_raises_otherwise_is_no_missing_kernel(monkeypatch):
    monkeypatch.setitem(right_torch.FUNCTIONS, "refused", Right(lambda x: x + len(x.ndim), "x"))
    with pytest.raises(TypeError, match="has no len"):
        of_cell("torch", "refused", "float64", 1)


def test_the_quick_functions_are_among_those_that_are_asked():
    assert {name for _, name, _ in cells()} >= QUICK


def test_arguments_are_the_seed_s_and_in_the_dtype():
    right = FRAMEWORKS["torch"]["F.cross_entropy, weighted"]
    once, again, other = (drawn("torch", right, "float16", seed) for seed in (0, 0, 2))
    assert torch.equal(once.args[0], again.args[0])
    assert once.said == again.said != other.said
    assert once.args[0].dtype is torch.float16


# JAX compiles these for 3 to 9 seconds; `make power` asks them like the others.
SLOW = {"jax.nn.dot_product_attention", "jax.nn.standardize", "jsp.log_ndtr", "jsp.i1", "F.poisson_nll_loss"}
QUICK_CAUSES = sample([cause for cause in CAUSES if SLOW.isdisjoint(cause.where)], 3)


@pytest.mark.parametrize("cause", QUICK_CAUSES, ids=lambda c: c.where and next(iter(c.where)))
def test_each_cause_is_shown_by_its_line(cause):
    assert cause.is_shown


def test_the_causes_are_of_functions_that_are_asked():
    asked = {name for _, name, _ in cells()}
    assert {name for cause in CAUSES for name in cause.where} <= asked
    assert {d for cause in CAUSES for names in cause.where.values() for d in names.split()} <= set(DTYPES)


# -- what is committed ------------------------------------------------------------------------------------


def test_every_alarm_has_a_cause_and_every_cause_an_alarm():
    assert alarm_page.unknown(ROWS) == []
    assert alarm_page.stale(ROWS) == []


def test_what_no_longer_happens_is_stale():
    rows = ROWS[ROWS["function"] != "F.hardsigmoid"]
    assert alarm_page.stale(rows) == ["F.hardsigmoid in float64 is not miscomputed"]


def test_a_hundred_thousand_checks_of_each_function_that_is_listed():
    assert ROWS["checks"].sum() >= 100_000
    assert {(f, name) for f, name, _ in cells()} == set(zip(ROWS["framework"], ROWS["function"], strict=True))


def test_the_page_says_what_the_rows_say():
    assert (REPORTS / "false_alarms.md").read_text() == alarm_page.page(ROWS)


@pytest.mark.parametrize("cell", [("torch", "torch.digamma", "float64"), ("jax", "jax.nn.relu", "bfloat16")])
def test_a_sample_is_measured_again(cell):
    framework, name, dtype = cell
    own = ROWS[(ROWS["framework"] == framework) & (ROWS["function"] == name) & (ROWS["dtype"] == dtype)]
    assert of_cell(*cell) == own.to_dict("records")


def test_the_seeds_are_those_of_the_table():
    checks = ROWS.groupby(["function", "dtype"])["checks"].sum()
    assert all(count == seeds_of(name) for (name, _), count in checks.items())


@pytest.mark.parametrize("part", range(4))
def test_each_function_is_right_at_one_draw(part):
    """A rule that is wrong in the truth accuses all who use it: the table itself is seldom measured."""
    asked = [cell for cell in cells() if cell[2] == "float64" and cell[1] not in SLOW][part::4]
    rows = [row for cell in asked for row in of_cell(*cell, 1)]
    assert len(rows) > len(asked) // 2
    assert alarm_page.unknown(pd.DataFrame(rows)) == []
