"""The command `search`: a check that looks for the worst input, and prints it as code."""

import pytest

from harness.commands.cli import run

SUBJECTS = "tests.harness.search.subjects"


@pytest.fixture(autouse=True)
def _somewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_it_draws_an_argument_and_prints_a_line_and_a_test(capsys):
    options = ["--vjp", f"{SUBJECTS}:softplus_vjp", "--evaluations", "40", "--probes", "none"]
    assert run(["search", f"{SUBJECTS}:softplus", *options]) == 1
    text = capsys.readouterr().out
    assert "[float64, (1,), seed 0, search]: miscomputed" in text
    assert "gradproof.check_gradient(softplus, (np.array([710.0], np.float64),), vjp=softplus_vjp)" in text
    assert "\ndef test_the_gradient_of_softplus():\n    gradproof.assert_gradient(" in text


def test_a_layer_is_searched_by_the_input_that_is_named(capsys):
    options = ["--layer", "--shape", "1,3", "--evaluations", "60", "--probes", "none"]
    assert run(["search", f"{SUBJECTS}:Affine", *options]) == 1
    assert "layer.b[...] = " in capsys.readouterr().out


def test_a_search_of_nothing_is_refused(capsys):
    assert run(["search", f"{SUBJECTS}:softplus", "--evaluations", "0"]) == 2
    assert "--evaluations must be an integer >= 1, got 0" in capsys.readouterr().err
    assert run(["search", "builtins:max"]) == 2
    assert "add --shape 32,64 for each argument" in capsys.readouterr().err
