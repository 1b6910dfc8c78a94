"""What a long check shows on a terminal, and that it shows nothing elsewhere."""

from __future__ import annotations

import io
from contextlib import redirect_stderr

import pytest
import torch

from harness import waiting
from harness.check import check_gradient
from harness.report.progress import announced
from oracles.exact.core import library


class Terminal(io.StringIO):
    """A stream that says it is one."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def terminal(monkeypatch) -> Terminal:
    monkeypatch.setattr(waiting, "EVERY_S", 0.0)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")
    return Terminal()


def check() -> bool:
    return check_gradient(torch.tanh, (torch.linspace(-3, 3, 20_000),), probes=False).passed


def test_a_long_check_says_what_it_does_and_how_far_it_is(terminal, monkeypatch):
    monkeypatch.setattr(waiting, "PATIENCE_S", 0.0)
    with redirect_stderr(terminal):
        assert check()
    said = terminal.getvalue()
    if library.loaded() is not None:
        assert "gradproof: exact values nearby" in said
        assert "gradproof: rounding bounds" in said
    with library.without(), redirect_stderr(terminal):
        assert check()
    assert "gradproof: values ball by ball" in terminal.getvalue()
    assert terminal.getvalue().endswith("\x1b[2K")  # and the bar is gone


def test_a_short_one_says_nothing(terminal):
    with redirect_stderr(terminal):
        assert check()
    assert terminal.getvalue() == ""


def test_nothing_is_said_where_there_is_no_terminal(monkeypatch, capsys):
    monkeypatch.setattr(waiting, "PATIENCE_S", 0.0)
    assert check()
    assert capsys.readouterr() == ("", "")


def test_a_command_s_own_bar_shows_it_instead(terminal, monkeypatch):
    monkeypatch.setattr(waiting, "PATIENCE_S", 0.0)
    with redirect_stderr(terminal):
        assert announced(check, "tanh")
    assert "gradproof" not in terminal.getvalue()
    with redirect_stderr(terminal):  # and afterwards nobody listens any more
        assert check()
    assert "gradproof" in terminal.getvalue()
