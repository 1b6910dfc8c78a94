"""The document's printed outputs, and that a changed digit is noticed."""

import dataclasses
from fractions import Fraction

import numpy as np
import pytest

from harness.book import documents, learning
from harness.commands import report as command
from harness.commands.cli import run
from harness.runs.record import Cell
from harness.runs.runner import run_cell

QUICK = ["report", "--quick", "--oracle", "torch"]


@pytest.fixture(scope="module")
def rows():
    """Computed once: the proofs take seconds."""
    return documents.reproduce()


@pytest.mark.parametrize("position", range(len(documents.PRINTED)), ids=[p.what for p in documents.PRINTED])
def test_the_documents_output_is_reproduced_digit_for_digit(rows, position):
    row = rows[position]
    assert row.ours == row.documented
    assert row.equal


def test_the_printed_outputs_of_the_issue_are_all_there():
    printed = [p.documented for p in documents.PRINTED]
    for wanted in (
        "[6. 8.]",
        "[6. 0.]",
        "[-6.11110793e-10 8.14814391e-10]",
        "[-2.58983747e+13 -1.29524862e+12]",
        "[-2.99999994 3.99999992]",
        "[[0.21275089 0.19893766 -0.41168855] [0.31912634 0.29840649 -0.61753283]]",
    ):
        assert wanted in printed
    assert printed.count("(784, 100)") == 2


PROVEN = {
    "numerical_gradient at (3, 4)": "[6.00000000 8.00000000]",
    "numerical_gradient at (3, 0)": "[6.00000000 0]",
    "gradient_descent, lr 0.1": "[-6.11110793e-10 8.14814391e-10]",
    "gradient_descent, lr 10": "[-2.25154873e+128 3.00206497e+128]",
    "gradient_descent, lr 1e-10": "[-2.99999994 3.99999992]",
}


def test_what_is_proven_stands_beside_what_is_printed(rows):
    assert {row.what: row.proven for row in rows if row.proven} == PROVEN
    assert len(rows) == len(documents.PRINTED) > len(PROVEN)


@pytest.mark.parametrize("lr", [0.1, 10.0, 1e-10])
def test_a_proven_descent_is_the_closed_form(rows, lr):
    """x - lr 2x a hundred times: (1 - 2 lr)^100 x, here in fractions of the very number lr is in float64."""
    factor = (1 - 2 * Fraction(lr)) ** 100
    row = next(r for r in rows if r.what == f"gradient_descent, lr {lr:g}")
    shown = [float(word) for word in row.proven.strip("[]").split()]
    assert shown == pytest.approx([float(-3 * factor), float(4 * factor)], rel=1e-8, abs=0)


def test_what_is_proven_does_not_come_from_what_is_printed(monkeypatch):
    """A broken numerical gradient changes ours and not the proof."""
    monkeypatch.setattr(documents.reference, "numerical_gradient", lambda f, x: 3.0 * x)
    first = documents.reproduce()[0]
    assert (first.ours, first.equal, first.proven) == ("[9. 12.]", False, "[6.00000000 8.00000000]")


@pytest.mark.parametrize("position", range(len(documents.PRINTED)))
def test_one_changed_digit_is_unequal(position, monkeypatch):
    changed = dataclasses.replace(documents.PRINTED[position])
    digit = next(c for c in changed.documented if c.isdigit())
    text = changed.documented.replace(digit, str(9 - int(digit)), 1)
    printed = (*documents.PRINTED[:position], dataclasses.replace(changed, documented=text))
    monkeypatch.setattr(documents, "PRINTED", printed[position:])
    assert [row.equal for row in documents.reproduce()] == [False]


def test_a_changed_document_is_shown_first_and_an_artefact_is_told_from_the_truth(monkeypatch, capsys):
    """At lr 10 rounding gives numbers 115 orders of magnitude off: reproduced, and shown as untrue."""
    row = run_cell(Cell("relu", "ordinary", "float64", "torch", 0))
    monkeypatch.setattr(command, "run", lambda *_, **__: iter([row]))  # the other rows are not what is asked
    monkeypatch.setattr(learning, "learn", lambda *_: [])
    monkeypatch.setenv("COLUMNS", "200")
    wrong = documents.Printed("a wrong one", "[6. 8.]", lambda: np.array([6.0, 8.1]))
    monkeypatch.setattr(documents, "PRINTED", (*documents.PRINTED, wrong))
    assert run(QUICK) == 1  # and 0 without it, as every quick report of the tests
    table = capsys.readouterr().out.split("digit for digit")[1]
    assert table.splitlines()[2].split() == ["NO", "a", "wrong", "one", "[6.", "8.]", "[6.", "8.1]"]
    (line,) = [line for line in table.splitlines() if "gradient_descent, lr 10 " in line]
    assert line.split()[:5] == ["yes", "gradient_descent,", "lr", "10", "[-2.58983747e+13"]
    assert line.count("[-2.58983747e+13 -1.29524862e+12]") == 2  # the document's, and ours
    assert line.rstrip().endswith("[-2.25154873e+128 3.00206497e+128]")
    assert "proven: with exact gradients, in exact arithmetic" in table


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (np.array([6.0, 8.0]), "[6. 8.]"),
        (np.array([[1.5, -2.0], [-0.25, 10.0]]), "[[1.5 -2. ] [-0.25 10. ]]"),
        ((784, 100), "(784, 100)"),
        (np.array([1e-10, 1.0]), "[1.e-10 1.e+00]"),
    ],
)
def test_printing_is_numpys_without_alignment(value, text):
    assert documents.as_printed(value) == text


def test_printing_does_not_follow_or_change_the_users_print_options():
    with np.printoptions(precision=2, suppress=True):
        assert documents.as_printed(np.array([0.12345678])) == "[0.12345678]"
        assert str(np.array([0.12345678])) == "[0.12]"
