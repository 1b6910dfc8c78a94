"""What a notebook shows, and the charts of a result: the row's numbers, without scripts."""

from array import array

import numpy as np
import pytest

import harness
from harness.page import library, sweep
from tests.harness.page.subjects import X, gelu, gelu_backward

CHARTS = (("tensor", "cells"), ("points", "elements"))


@pytest.fixture(scope="module")
def imprecise():
    return harness.check_gradient(gelu, (X,), vjp=gelu_backward, boundary=["zeros"], probes=False)


def test_a_notebook_shows_the_worst_row_compactly_and_without_scripts(imprecise):
    card = imprecise._repr_html_()
    assert "<script" not in card
    assert str(imprecise).partition("\n")[0] in card
    assert card.count("<svg") == 1
    assert "t = np.tanh(u)" in card
    assert f"{imprecise.worst.error_ulp:.3g}" in card
    assert len(card) < 40_000
    assert imprecise._repr_html_() == card


def test_without_the_extra_a_notebook_shows_the_table(imprecise, monkeypatch):
    def missing(name):
        raise library.MissingLibrary(name)

    monkeypatch.setattr("harness.page.notebook.template", missing)
    card = imprecise._repr_html_()
    assert "<svg" not in card
    assert "<table" in card


def test_a_chart_has_the_rows_numbers_and_is_saved_as_a_picture(imprecise, monkeypatch, tmp_path):
    monkeypatch.setattr(sweep, "COUNT", 16)
    chart = imprecise.plot()
    points = chart.to_dict()["datasets"]["points"]
    (given,) = (p for p in points if p["x"] == "-7")
    assert given["true"] == imprecise.worst.true_digits
    assert given["bits_lost"] == pytest.approx(imprecise.worst.bits_lost, rel=1e-3)
    assert [len(imprecise.plot(what).to_dict()["datasets"][name]) for what, name in CHARTS] == [6, 12]
    file = tmp_path / "chart.svg"
    chart.save(str(file))
    assert file.read_text(encoding="utf-8").startswith("<svg")


def test_what_cannot_be_drawn_says_why(imprecise):
    with pytest.raises(ValueError, match="what must be one of 'input', 'tensor', 'points', got 'heat'"):
        imprecise.plot("heat")
    with pytest.raises(ValueError, match="argument must be one of x, got 'w'"):
        imprecise.plot(argument="w")
    nothing = harness.check_gradient(lambda x: np.array(array("d", x)), (X[0],), vjp=lambda g, x: g)
    with pytest.raises(ValueError, match="there are no numbers to draw"):
        nothing.plot()


def test_an_enclosure_is_shown_by_its_proven_digits():
    found = harness.exact_gradient(lambda x: np.exp(x), (np.linspace(0, 1, 20).reshape(2, 10),), seed=1)
    card = found._repr_html_()
    assert card.count("<tr>") == 2
    assert card.count("<td>") == 2 * 7
    assert found.digits((0, 0), 20) in card
    assert "12 of 20 elements" in card
    assert "<td>0</td>" in harness.exact_value(lambda x: np.abs(x), (np.zeros(()),))._repr_html_()
