"""The name of the distribution: `import ast
import gradproof`, `python -m gradproof`, the script; and who hides ours."""

import ast
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import gradproof
import gradproof.dropin
import gradproof.strategies
import harness.dropin
import harness.strategies
from tests.sampling import long

ROOT = Path(__file__).parents[2]
DOORS = {
    "import": ["-c", "import gradproof"],
    "module": ["-m", "gradproof", "list"],
    # What the console script does: it has its own folder first, and adds the current one.
    "script": ["-c", "import sys; sys.path.pop(0); from gradproof.__main__ import main; main()", "list"],
}


def test_the_names_are_those_of_the_harness():
    assert set(gradproof.__all__) == set(harness.__all__)
    assert all(getattr(gradproof, name) is getattr(harness, name) for name in harness.__all__)
    assert set(harness.__all__) <= set(dir(gradproof))
    said = "module 'gradproof' has no attribute 'chekc_gradient'; near matches: check_gradient"
    with pytest.raises(AttributeError, match=said):
        _ = gradproof.chekc_gradient
    with pytest.raises(AttributeError, match=r"near matches: check_gradient, check_layer, check_network$"):
        _ = gradproof.check
    for home in (gradproof, harness):
        with pytest.raises(AttributeError, match=f"gradcheck is in {home.__name__}.dropin"):
            _ = home.gradcheck
    with pytest.raises(AttributeError, match=r"'__nosuch__'$"):
        _ = gradproof.__nosuch__


@pytest.mark.parametrize("name", ["dropin", "strategies"])
def test_the_modules_are_those_of_the_harness(name):
    ours, theirs = getattr(gradproof, name), getattr(harness, name)
    assert all(getattr(ours, each) is getattr(theirs, each) for each in theirs.__all__)


def test_type_checkers_see_each_name():
    """They do not run `__getattr__`, and cannot compute `__all__`."""
    tree = ast.parse((ROOT / "gradproof/__init__.py").read_text(encoding="utf-8"))
    checking, hidden = (node for node in tree.body if isinstance(node, ast.If))
    seen = {alias.asname for node in checking.body for alias in node.names}
    assert seen == {name for name in harness.__all__ if name != "__version__"}
    assert ast.unparse(hidden.test) == "not TYPE_CHECKING"
    assert "__getattr__" in {getattr(node, "name", "") for node in hidden.body}


USER = """import numpy as np

import gradproof


def f(x: float) -> float:
    return x


found = gradproof.check_gradient(f, (np.ones(3),))
reveal_type(found)
if found.worst:
    reveal_type(found.worst.error_ulp)
gradproof.check_gradient(f, (np.ones(3),), cotangnt=3)
gradproof.nosuch
"""


@long
def test_a_type_checker_knows_the_names_and_no_others(tmp_path):
    (tmp_path / "user.py").write_text(USER, encoding="utf-8")
    asked = ["--strict", "--config-file=", "--follow-imports=silent", f"--cache-dir={tmp_path}", "user.py"]
    said = subprocess.run(
        [sys.executable, "-m", "mypy", *asked], cwd=tmp_path, env={"MYPYPATH": str(ROOT)},
        capture_output=True, text=True, check=False, timeout=300,
    ).stdout.splitlines()  # fmt: skip
    told = [line.removeprefix("user.py:") for line in said]
    assert told[0] == '11: note: Revealed type is "harness.result.Result"'
    assert told[1] == '13: note: Revealed type is "float"'
    assert told[2].startswith('14: error: Unexpected keyword argument "cotangnt" for "check_gradient"')
    assert '15: error: Module has no attribute "nosuch"  [attr-defined]' in told
    assert said[-1].startswith("Found 2 errors")


def test_the_script_is_the_command_line():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["scripts"] == {"gradproof": "gradproof.__main__:main"}


def test_a_usage_line_names_what_was_called(tmp_path):
    for name in ("gradproof", "harness"):
        called = "gradproof" if name == "gradproof" else "python -m harness"
        assert run(tmp_path, "-m", name, "check", "--help").stdout.startswith(f"Usage: {called} check ")


def run(folder, *command):
    return subprocess.run(
        [sys.executable, *command], cwd=folder, env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True,
        check=False, timeout=60,
    )  # fmt: skip


@pytest.mark.parametrize("door", DOORS)
def test_each_door_opens(door, tmp_path):
    found = run(tmp_path, *DOORS[door])
    assert (found.returncode, found.stderr) == (0, "")


@pytest.mark.parametrize("kind", ["package", "module"])
@pytest.mark.parametrize(
    ("door", "name"), [(d, n) for d in DOORS for n in ("harness", "oracles", "reference")]
)
def test_a_package_that_hides_ours_is_named_with_both_places_and_the_remedy(door, name, kind, tmp_path):
    theirs = tmp_path / name if kind == "package" else tmp_path / f"{name}.py"
    if kind == "package":
        theirs.mkdir()
    (theirs / "__init__.py" if kind == "package" else theirs).write_text("", encoding="utf-8")
    if (door, name) == ("import", "reference"):  # only the book's cases need it
        found = run(tmp_path, "-c", "import gradproof; gradproof.catalogue()")
    else:
        found = run(tmp_path, *DOORS[door])
    said = found.stderr.splitlines()[-1]
    assert f"gradproof needs its own package `{name}` ({ROOT / name}), and {theirs} hides it" in said
    assert "Rename that one" in said
    assert found.returncode == (1 if door == "import" else 2)
    assert (door == "import") == ("Traceback" in found.stderr)


@pytest.mark.parametrize("door", ["module", "script"])
def test_a_folder_that_is_gone_is_said(door, tmp_path):
    leave = "import os, sys; os.mkdir('gone'); os.chdir('gone'); os.rmdir('../gone'); "
    enter = f"os.execv(sys.executable, [sys.executable, *{DOORS[door]!r}])"
    found = run(tmp_path, "-c", leave + enter)
    said = "gradproof: the current folder: No such file or directory; go to one that is there\n"
    assert (found.returncode, found.stderr) == (2, said)


@pytest.mark.parametrize("code", ["harness.check_gradient", "harness.catalogue()", "harness.confirm()"])
def test_a_package_gradproof_of_the_user_s_is_named(code, tmp_path):
    (tmp_path / "gradproof.py").write_text("", encoding="utf-8")
    said = run(tmp_path, "-c", f"import harness; {code}").stderr.splitlines()[-1]
    assert f"`gradproof` ({ROOT / 'gradproof'}), and {tmp_path / 'gradproof.py'} hides it. Rename" in said


@pytest.mark.parametrize("code", ["import gradproof", "import harness; harness.check_gradient"])
def test_a_folder_without_code_hides_nothing(code, tmp_path):
    for name in ("harness", "oracles", "reference"):
        (tmp_path / name).mkdir()
    assert run(tmp_path, "-c", code).stderr == ""


def test_the_harness_itself_says_who_hides_the_oracles(tmp_path):
    (tmp_path / "oracles.py").write_text("", encoding="utf-8")
    said = run(tmp_path, "-c", "import harness; harness.check_gradient").stderr.splitlines()[-1]
    assert f"`oracles` ({ROOT / 'oracles'}), and {tmp_path / 'oracles.py'} hides it" in said


def test_a_distribution_that_overwrote_ours_is_named(tmp_path):
    for name in ("gradproof", "oracles"):
        (tmp_path / name).symlink_to(ROOT / name)
    (tmp_path / "harness").mkdir()
    (tmp_path / "harness" / "__init__.py").write_text("theirs = True", encoding="utf-8")
    code = f"import sys; sys.path.remove({str(ROOT)!r}); import gradproof"
    said = run(tmp_path, "-c", code).stderr.splitlines()[-1]
    assert "was overwritten by another distribution's; uninstall that one, then run `pip install" in said


def test_tests_in_a_folder_with_the_name_of_our_package_are_told_what_to_do(tmp_path):
    folder = tmp_path / "tests" / "harness"
    folder.mkdir(parents=True)
    (folder / "__init__.py").touch()
    (folder / "test_x.py").write_text("def test_a(): pass", encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--gradproof-swap"]
    said = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False).stdout
    assert f"pytest takes {folder} for the package `harness`" in said, said
    (tmp_path / "tests" / "__init__.py").touch()
    assert subprocess.run(command, cwd=tmp_path, capture_output=True, check=False).returncode == 0
