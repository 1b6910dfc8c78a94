"""A long command says what it does: a line now and then where nobody looks at a terminal."""

import time

import pytest

from harness.report import progress
from harness.report.progress import announced, with_progress


@pytest.fixture
def hurried(monkeypatch):
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    monkeypatch.setattr(progress, "EVERY_S", 0.01)


def slowly(count):
    for k in range(count):
        time.sleep(0.03)
        yield k


def test_without_a_terminal_a_line_says_how_far_it_is_and_names_the_case(hurried, capsys):
    assert list(with_progress(slowly(3), 2, ["relu", "softmax"])) == [0, 1, 2]
    out, err = capsys.readouterr()
    assert out == ""
    lines = err.splitlines()
    assert lines[0] == "gradproof: 0 of 2 done in 0 s, now relu"
    assert lines[-1] == "gradproof: 2 of 2 done in 0 s, now timing"


def test_a_step_is_named_and_its_error_is_its_own(hurried, capsys):
    assert announced(lambda: time.sleep(0.03) or 5, "learning") == 5
    assert "now learning" in capsys.readouterr().err
    with pytest.raises(ZeroDivisionError):
        announced(lambda: 1 / 0, "learning")


def test_what_is_quick_says_nothing(capsys):
    assert list(with_progress(iter("ab"), None)) == ["a", "b"]
    assert capsys.readouterr().err == ""


def test_a_reader_that_goes_away_ends_the_lines(hurried):
    rows = with_progress(slowly(3), 3)
    next(rows)
    rows.close()
    assert "gradproof-progress" not in [thread.name for thread in progress.threading.enumerate()]
