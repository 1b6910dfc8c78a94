"""The command `search`: a check that looks for the worst input, and prints it as code."""

import re
import sys
from pathlib import Path

import pytest

from harness.commands.cli import run
from tests.sampling import long

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


def test_a_rule_of_torch_is_imported_by_the_name_that_is_given(capsys):
    home = "tests.harness.search.torch_subjects"
    assert run(["search", f"{home}:applied", "--shape", "2", "--evaluations", "3"]) == 1
    text = capsys.readouterr().out
    assert f"from {home} import applied\n" in text
    assert "gradproof.assert_gradient(applied, (torch.tensor([" in text


def test_a_search_of_nothing_is_refused(capsys):
    assert run(["search", f"{SUBJECTS}:softplus", "--evaluations", "0"]) == 2
    assert "--evaluations must be an integer >= 1, got 0" in capsys.readouterr().err
    assert run(["search", "builtins:max"]) == 2
    assert "add --shape 32,64 for each argument" in capsys.readouterr().err


@long
def test_many_hunts_find_the_same_here_and_in_processes(capsys):
    options = ["--vjp", f"{SUBJECTS}:softplus_vjp", "--evaluations", "40", "--probes", "none"]
    hunts = ["search", f"{SUBJECTS}:softplus", *options, "--hunts", "2"]
    assert run(hunts) == 1
    here = capsys.readouterr().out
    assert re.match(r"seed 0: number \d+ of 40 inputs failed first; .* bits lost at \[710\.", here)
    assert "\nseed 1: number " in here
    assert "search: the worst one of 80 inputs in 2 hunts, shrunk, is 'search'" in here
    database = next(Path(".gradproof/search").iterdir())
    database.unlink()
    assert run([*hunts, "--jobs", "1"]) == 1
    assert capsys.readouterr().out == here
    assert database.exists()


def test_hunts_that_find_nothing_say_how_many_inputs_they_asked(capsys):
    options = ["--vjp", f"{SUBJECTS}:right_softplus_vjp", "--evaluations", "20", "--probes", "none"]
    assert run(["search", f"{SUBJECTS}:softplus", *options, "--hunts", "2"]) == 0
    out = capsys.readouterr().out
    assert re.findall(r"seed \d: (\d+) inputs", out) == ["20", "20"]
    assert "search: 40 inputs in 2 hunts, none of which fails" in out
    assert run(["search", f"{SUBJECTS}:softplus", "--hunts", "0"]) == 2
    assert "--hunts must be an integer >= 1, got 0" in capsys.readouterr().err


def test_one_input_is_one(capsys):
    options = ["--vjp", f"{SUBJECTS}:right_softplus_vjp", "--evaluations", "1", "--probes", "none"]
    assert run(["search", f"{SUBJECTS}:softplus", *options]) == 0
    assert "search: 1 input, none of which fails" in capsys.readouterr().out


def test_many_hunts_of_what_cannot_be_checked_say_so(capsys):
    assert run(["search", f"{SUBJECTS}:softplus", "--hunts", "2"]) == 2
    assert (
        "NumPy has no gradients of its own: give --vjp, --grad or --residual-vjp" in capsys.readouterr().err
    )


def test_how_many_are_asked_is_said_by_one_option(capsys):
    assert run(["search", f"{SUBJECTS}:softplus", "--evaluations", "50", "--search", "70"]) == 2
    assert "--search 70 is for `check`; here --evaluations says how many" in capsys.readouterr().err


def test_the_help_lists_no_option_that_is_refused(capsys):
    run(["search", "--help"])
    out = capsys.readouterr().out
    assert "--evaluations" in out
    assert "--search" not in out


@pytest.mark.parametrize("jobs", ["0", "1"])
def test_a_hunt_whose_input_ends_the_program_has_failed(jobs, tmp_path, monkeypatch, capsys):
    text = (
        "def sq(x): return x * x\n\ndef back(g, x):\n    return 2 * g * x if max(abs(x)) < 1e9 else exit(0)\n"
    )
    (tmp_path / "myending.py").write_text(text, encoding="utf-8")
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    hunts = ["search", "myending:sq", "--vjp", "myending:back", "--evaluations", "40", "--hunts", "2"]
    assert run([*hunts, "--jobs", jobs]) == 1
    out, err = capsys.readouterr()
    place = "myending.py, line 4 would end the program"
    assert f"seed 0: SystemExit(0) in {tmp_path}/{place}" in out
    assert place in err
