"""A case whose code would end the program: its row is an error, whoever runs it, and the others stay."""

import shlex
import sys

import pytest

from harness.cases import catalogue
from harness.commands.cli import run
from harness.gate.baseline import Baseline, Expected, Update, write
from harness.runs.fingerprint import fingerprint
from harness.runs.journal import code_digest
from harness.runs.record import Row
from harness.runs.runner import plan, run_cell, with_times
from harness.runs.runner import run as rows_of
from harness.verdicts import ExitCode

CASES = """
import sys
from harness import Case, InputMaker

def cube(x):
    return x**3

def cube_vjp(g, x):
    {}
    return 3 * g * x**2

def draw(rng, dtype, shape):
    return (rng.normal(size=shape).astype(dtype),)

{}
CUBE = Case("cube", cube, cube_vjp, ("x",), (0,), (InputMaker("ordinary", draw, (3,)),), "mine")
"""
HOW = {
    "sys.exit": "sys.exit(0)",
    "GeneratorExit": "raise GeneratorExit",
    "pytest.skip": "import pytest; pytest.skip('no')",
    "pytest.exit": "import pytest; pytest.exit('no', 0)",
}
BOTH = ("--case", "cube", "--case", "relu", "--oracle", "numpy", "--quick")


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project whose one case has this in its gradient, and this in its module."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    (tmp_path / "pyproject.toml").write_text('[tool.gradproof]\ncases = ["ending:CUBE"]\n', encoding="utf-8")

    def put(inside="pass", outside=""):
        (tmp_path / "ending.py").write_text(CASES.format(inside, outside), encoding="utf-8")
        forget()

    yield put
    monkeypatch.undo()
    forget()


def forget():
    sys.modules.pop("ending", None)
    catalogue.cache_clear(), code_digest.cache_clear()


@pytest.fixture(scope="module")
def expected():
    """A baseline of one other case."""
    records = [run_cell(cell) for cell in plan(["relu"], ["numpy"], ["float64"], boundary=False)]
    rows = {Row.of(record.cell): Expected.of(record) for record in records}
    return Baseline(0, (Update("first", "", fingerprint()),), rows)


@pytest.fixture
def gate(project, expected, tmp_path, capsys):
    """The gate, compared with a baseline of relu."""
    write(tmp_path / "b.json", expected)
    baseline = ["--baseline", str(tmp_path / "b.json")]
    project()

    def say(*tokens):
        capsys.readouterr()
        code = run(["gate", *BOTH, *baseline, "--timing", "off", *tokens])
        out, err = capsys.readouterr()
        return code, " ".join((out + err).split())

    return say


@pytest.mark.parametrize("how", HOW.values(), ids=HOW)
def test_a_gradient_that_ends_the_program_fails_the_gate(how, gate, project):
    project(how)
    code, text = gate("--jobs", "0")
    assert code is ExitCode.FAILED
    assert "error: cube vs numpy [float64, ordinary]: " in text
    assert "3 rows against" in text
    if "exit('" not in how:  # an Exception like any other
        assert "ending.py,line9wouldendtheprogram" in "".join(text.split())  # a long path is folded


@pytest.mark.parametrize("how", ["sys.exit(0)", "import os; os._exit(0)"])
def test_it_fails_in_another_process_too(how, gate, project):
    project(how)
    code, text = gate("--jobs", "1")
    assert code is ExitCode.FAILED
    assert "error: cube vs numpy [float64, ordinary]: " in text
    assert "3 rows against" in text


def test_it_fails_a_report(project, capsys):
    project("sys.exit(0)")
    assert run(["report", *BOTH, "--format", "jsonl"]) is ExitCode.FAILED
    out = capsys.readouterr().out
    assert "ending.py,line9wouldendtheprogram" in "".join(out.split())
    assert out.count("\n") == 3


def test_what_ends_the_program_only_while_it_is_timed_is_an_error_too(project, capsys):
    project("from harness.runs import timing; timing.busy and sys.exit(0)")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("harness.runs.timing.busy", False, raising=False)
        (record,) = rows_of(plan(["cube"], ["numpy"], ["float64"]), timed=())
        patch.setattr("harness.runs.timing.busy", True)
        again = with_times(record)
    assert record.outcome == "pass"
    assert (again.outcome, "would end the program" in again.diagnosis) == ("error", True)


@pytest.mark.parametrize("how", HOW.values(), ids=HOW)
@pytest.mark.parametrize("command", ["gate --jobs 0", "report", "list", "baseline diff --jobs 0"])
def test_a_list_of_cases_that_ends_the_program_at_its_import_is_no_success(
    command, how, gate, project, capsys
):
    project("pass", how)
    capsys.readouterr()
    more = ["--baseline", "b.json"] if command.startswith(("gate", "baseline")) else []
    assert run([*command.split(), *more]) in {ExitCode.FAILED, ExitCode.USAGE}
    out, err = capsys.readouterr()
    assert out == ""
    told = "".join(err.split())
    assert "ending.py,line15wouldendtheprogram" in told or "exit('no'" in how
    assert "Traceback" not in err


def test_a_saved_run_of_some_rows_says_how_it_is_compared(gate, project, tmp_path):
    saved = str(tmp_path / "run.jsonl")
    project()
    code, _ = gate("--jobs", "0", "--save", saved)
    assert code is ExitCode.OK
    baseline = ["--baseline", str(tmp_path / "b.json")]
    assert run(["gate", "--from", saved, *baseline]) is ExitCode.USAGE
    code, text = gate("--from", saved)
    assert (code, "nothing is worse" in text or "new (warn)" in text) == (ExitCode.OK, True)


def test_the_command_that_it_names_passes(gate, project, tmp_path, capsys):
    saved = str(tmp_path / "run.jsonl")
    gate("--jobs", "0", "--save", saved)
    run(["gate", "--from", saved, "--baseline", str(tmp_path / "b.json"), "--timing", "off"])
    err = capsys.readouterr().err
    assert f"--from {saved} is a run of some rows; compare these alone: gradproof gate " in err
    assert run(shlex.split(err.partition("alone: gradproof ")[2])) is ExitCode.OK


def test_a_run_goes_on_with_the_rows_that_it_was_asked_for(gate, tmp_path):
    saved = str(tmp_path / "run.jsonl")
    gate("--jobs", "0", "--save", saved)
    assert gate("--jobs", "0", "--save", saved, "--resume")[0] is ExitCode.OK
    code, text = gate("--jobs", "0", "--save", saved, "--resume", "--case", "softmax")
    assert code is ExitCode.USAGE
    assert "was asked for other rows: give its options, or run without --resume" in text
