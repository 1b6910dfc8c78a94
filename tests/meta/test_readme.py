"""What the README shows is run: Python blocks whole, command lines at least parsed."""

import os
import re
import shlex
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import pytest

from harness.commands.cli import app, run
from harness.verdicts import ExitCode

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PYTHON = [body for kind, body in BLOCK.findall(README) if kind == "python"]
SHELL = [
    line
    for kind, body in BLOCK.findall(README)
    if kind in {"sh", "bash", "shell"}
    for line in body.splitlines()
]
COMMANDS = [shlex.split(line, comments=True)[3:] for line in SHELL if line.startswith("python -m harness")]
TARGETS = [shlex.split(line, comments=True)[1] for line in SHELL if line.startswith("make ")]


def test_the_readme_has_code_to_run():
    assert PYTHON
    assert COMMANDS
    assert TARGETS


def test_every_line_of_a_shell_block_is_known_to_this_test():
    """A line that begins otherwise would be promised and not tested."""
    known = ("python -m harness", "make ", "pip install", "#", "git clone", "cd ")
    assert [line for line in SHELL if line.strip() and not line.startswith(known)] == []


@pytest.mark.parametrize("block", PYTHON, ids=[f"block-{i}" for i in range(len(PYTHON))])
def test_a_python_block_runs_as_it_stands(block, tmp_path):
    command = [sys.executable, "-W", "error", "-c", block]
    path = {"PYTHONPATH": str(ROOT), "PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    found = subprocess.run(
        command, cwd=tmp_path, env=path, capture_output=True, text=True, timeout=120, check=False
    )
    assert found.returncode == 0, found.stderr


@pytest.mark.parametrize("tokens", COMMANDS, ids=" ".join)
def test_a_command_line_parses(tokens):
    command, bound, _ = app.parse_args(tokens, exit_on_error=False, print_error=False)
    assert command.__name__.strip("_") in tokens[:2]
    given = {t.removeprefix("--").replace("-", "_") for t in tokens if t.startswith("--")}
    taken = asdict(bound.arguments["options"]) if "options" in bound.arguments else {}
    fields = {*bound.arguments, *taken, *taken.get("scope", ())}
    assert given <= {name.rstrip("_") for name in fields} | {"help", "version"}


QUICK = [t for t in COMMANDS if t[0] == "list" or "--version" in t or ("--case" in t and "--output" not in t)]


@pytest.mark.parametrize("tokens", QUICK, ids=" ".join)
def test_a_quick_command_line_runs(tokens, capsys):
    assert run([*tokens, *(["--quick"] if tokens[0] == "report" and "--quick" not in tokens else [])]) == 0
    assert capsys.readouterr().out


def test_the_configuration_that_is_shown_is_accepted(tmp_path, monkeypatch, capsys):
    (shown,) = (body for kind, body in BLOCK.findall(README) if kind == "toml")
    (tmp_path / "pyproject.toml").write_text(shown)
    monkeypatch.chdir(tmp_path)
    assert run(["explain", "worse"]) == 0


@pytest.mark.parametrize("target", TARGETS)
def test_a_make_target_exists(target):
    found = subprocess.run(
        ["make", "--dry-run", target], cwd=ROOT, capture_output=True, text=True, timeout=30, check=False
    )
    assert found.returncode == 0, found.stderr


@pytest.mark.parametrize("code", ExitCode)
def test_the_table_of_exit_codes_has_every_code(code):
    assert re.search(rf"^\| {code.value} \| \S", README, re.MULTILINE)


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md"])
def test_every_file_that_a_page_names_exists(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    named = re.findall(r"`((?:harness|oracles|reference|tests|reports)/[\w/.]*)`", text)
    assert named
    assert [name for name in named if not (ROOT / name).exists()] == []
