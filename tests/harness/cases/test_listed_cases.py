"""Cases that a project lists in its pyproject.toml, without an installed package."""

import sys

import pytest

from harness.bench.paired import benchmarks
from harness.cases import catalogue
from harness.cases.plugins import listed_files
from harness.commands.cli import run
from harness.runs.journal import code_digest
from harness.runs.record import from_json
from harness.verdicts import ExitCode
from oracles.oracle import WrittenOracle

CASES = """
import numpy as np
from harness import Case, InputMaker


def cube(x):
    return x**3


def cube_vjp(g, x):
    return 3 * g * x**2


def draw(rng, dtype, shape):
    return (rng.normal(size=shape).astype(dtype),)


CUBE = Case("cube", cube, cube_vjp, ("x",), (0,), (InputMaker("ordinary", draw, (3,)),), "mine")
SEVERAL = [CUBE]


def made():
    return iter(SEVERAL)


class Home:
    cases = SEVERAL


NUMBER = 3
"""


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project with a module of cases, asked from a folder inside it."""
    inside = tmp_path / "inside"
    inside.mkdir()
    monkeypatch.chdir(inside)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)  # within a second it would stand for a change
    (tmp_path / "my_cases.py").write_text(CASES, encoding="utf-8")

    def listing(*names):
        sys.modules.pop("my_cases", None)
        catalogue.cache_clear(), code_digest.cache_clear()
        text = f"[tool.gradproof]\ncases = {list(names)!r}\n"
        (tmp_path / "pyproject.toml").write_text(text, encoding="utf-8")
        return tmp_path

    yield listing
    sys.modules.pop("my_cases", None)
    monkeypatch.undo()
    catalogue.cache_clear(), code_digest.cache_clear()


@pytest.mark.parametrize("name", ["CUBE", "SEVERAL", "made", "Home.cases"])
def test_a_case_several_or_a_function_that_gives_them_are_in_the_catalogue(name, project):
    project(f"my_cases:{name}")
    assert list(catalogue())[-1] == "cube"


def test_report_has_its_rows_and_none_in_frameworks_in_which_nobody_has_written_it(project, capsys):
    project("my_cases:CUBE")
    assert run(["report", "--case", "cube", "--format", "jsonl"]) is ExitCode.OK
    found = {(r.oracle, r.dtype): r.verdict for r in map(from_json, capsys.readouterr().out.splitlines())}
    assert {oracle for oracle, _ in found} == {"exact", "numpy", "fd"}
    assert found["numpy", "float32"] == "accurate"
    assert run(["report", "--case", "cube", "--oracle", "jax"]) is ExitCode.NOTHING_COMPARED
    assert "no case of this selection is written for --oracle jax" in capsys.readouterr().err


def test_they_need_no_framework(project, capsys, monkeypatch):
    project("my_cases:CUBE")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)  # JAX and torch are not installed
    monkeypatch.setattr(WrittenOracle, "functions", property(lambda self: {}["imports it"]))
    assert run(["report", "--case", "cube", "--format", "jsonl"]) is ExitCode.OK
    assert {from_json(line).oracle for line in capsys.readouterr().out.splitlines()} == {
        "exact",
        "numpy",
        "fd",
    }


def test_gate_holds_its_rows(project, capsys, monkeypatch):
    monkeypatch.delenv("CI", raising=False)
    folder = project("my_cases:CUBE")
    saved = str(folder / "run.jsonl")
    options = ["--baseline", str(folder / "b.json"), "--jobs", "0"]
    assert run(["baseline", "update", "cube", *options, "--reason", "mine"]) is ExitCode.OK
    gate = ["gate", "--case", "cube", *options, "--save", saved, "--timing", "off"]
    assert run(gate) is ExitCode.OK
    (folder / "my_cases.py").write_text(CASES.replace("3 * g", "2 * g"), encoding="utf-8")
    project("my_cases:CUBE")
    assert run([*gate[:-4], "--from", saved]) is ExitCode.USAGE
    assert "is a run of other code than this" in capsys.readouterr().err
    assert run(gate) is ExitCode.FAILED
    assert "worse: cube/x vs numpy [float64" in capsys.readouterr().out


def test_bench_times_its_gradient_against_its_value(project):
    project("my_cases:CUBE")
    found = benchmarks()[-1]()
    assert (found.name, found.ours, found.other, found.met) == ("cube", "value", "its gradient", True)
    assert found.ratio_low <= found.ratio <= found.ratio_high


def test_the_files_of_a_package_are_all_its_sources(project):
    folder = project("package.sub.mine:CASES", "my_cases:CUBE")
    (folder / "package" / "sub").mkdir(parents=True)
    names = ["package/__init__.py", "package/sub/mine.py"]
    for name in names:
        (folder / name).touch()
    assert listed_files() == [folder / "my_cases.py", *(folder / name for name in names)]


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["my_cases:NOTHING"], "my_cases:NOTHING of cases in [tool.gradproof] of "),
        (["my_cases:NOTHING"], "cannot be loaded: AttributeError: module 'my_cases' has no attribute"),
        (["nowhere:CASES"], "cannot be loaded: ModuleNotFoundError: No module named 'nowhere'"),
        (["my_cases:NUMBER"], "'int' object is not iterable"),
        (["my_cases:CUBE", "my_cases:SEVERAL"], "brings 'cube', which there is already"),
        (["my_cases"], 'it must be a list of names such as "package.module:CASES"'),
        ([3], 'it must be a list of names such as "package.module:CASES"'),
    ],
)  # fmt: skip
def test_what_is_no_list_of_cases_is_a_usage_error(names, said, project, capsys):
    project(*names)
    assert run(["list"]) is ExitCode.USAGE
    assert said in capsys.readouterr().err


def test_a_mistyped_key_is_near_it(project, capsys):
    folder = project()
    (folder / "pyproject.toml").write_text("[tool.gradproof]\ncasess = []\n", encoding="utf-8")
    assert run(["list"]) is ExitCode.USAGE
    assert "near matches: cases" in capsys.readouterr().err
