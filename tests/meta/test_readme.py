"""What README and docs/ show is run: Python blocks whole, command lines at least parsed, names looked up."""

import importlib
import inspect
import re
import shlex
import subprocess
import tomllib
from dataclasses import asdict, is_dataclass
from unittest.mock import Mock

import pytest

import gradproof_pytest
import harness
from harness.cases.plugins import CASES, ORACLES
from harness.commands.cli import app, run
from harness.inputs.corpus import CORPUS
from harness.proof.question import Probe
from harness.settings import CASES as LISTED
from harness.settings import TABLE
from harness.verdicts import JUDGED, ExitCode, Outcome
from tests.meta.pages import PAGES, ROOT, STARTS, Block, blocks, failures
from tests.sampling import entire

TEXTS = {page.relative_to(ROOT).as_posix(): page.read_text(encoding="utf-8") for page in PAGES}
TOUR = Block("docs/tour.py", 1, "python", (ROOT / "docs/tour.py").read_text(encoding="utf-8"))
PYTHON = [TOUR, *(block for page in PAGES for block in blocks(page, "python"))]
SHELL = [line for page in PAGES for block in blocks(page, "sh") for line in block.body.splitlines()]
LINES = {tuple(shlex.split(line, comments=True)) for line in SHELL if line.strip()}
COMMANDS = sorted(words[1:] for words in LINES if words[0] == "gradproof")
TARGETS = sorted(words[1] for words in LINES if words[0] == "make")


def first_cells(page, heading):
    """The first column of the table whose heading begins so."""
    (_, table) = TEXTS[page].split(f"\n| {heading} |", 1)
    rows = table.split("\n\n")[0].splitlines()[2:]
    return [row.split(" | ")[0].removeprefix("| ") for row in rows]


def words(cells):
    return [word for cell in cells for word in re.findall(r"`([^`]+)`", cell)]


# -- what runs -----------------------------------------------------------------------------------------------


@entire
@pytest.mark.parametrize("framework", ["numpy", "torch", "jax"])
def test_the_python_blocks_run_as_they_stand(framework, tmp_path):
    of_it = [block for block in PYTHON if block.framework == framework]
    assert len(of_it) > 5
    assert "\n".join(failures(of_it, tmp_path)) == ""


def test_a_block_that_fails_or_prints_otherwise_is_named(tmp_path):
    raises = Block("docs/x.md", 7, "python", "a = 1\nassert a == 2\n")
    prints = Block("docs/y.md", 3, "python", "print('ab', 1.5)\n# ab 2...\n")
    right = Block("docs/z.md", 3, "python", "print('ab', 1.5)\n# ab ...\nassert 'a' not in globals()\n")
    first, second = failures([raises, prints, right], tmp_path)
    assert first.startswith("docs/x.md:7: Traceback")
    assert 'docs_x.md_7.py", line 8' in first
    assert second == "docs/y.md:3 says that it prints\nab 2...\nand it prints\nab 1.5\n"


def test_each_user_has_a_page_with_code():
    assert [page.stem for page in STARTS] == ["book", "kernel", "library"]
    assert all(block.printed for page in STARTS for block in blocks(page, "python")[:1])


def test_every_line_of_a_shell_block_is_known_to_this_test():
    """A line that begins otherwise would be promised and not tested."""
    known = {"gradproof", "make", "pytest", "pip", "dask"}
    assert [line for line in LINES if line[0] not in known] == []
    assert COMMANDS
    assert TARGETS


@pytest.mark.parametrize("tokens", COMMANDS, ids=" ".join)
def test_a_command_line_parses(tokens):
    command, bound, _ = app.parse_args(tokens, exit_on_error=False, print_error=False)
    assert command.__name__.strip("_").split("_")[-1] in tokens[:2] or tokens == ("--version",)
    given = {t.removeprefix("--").replace("-", "_") for t in tokens if t.startswith("--")}
    taken = {k: v for one in bound.arguments.values() if is_dataclass(one) for k, v in asdict(one).items()}
    fields = {*bound.arguments, *taken, *taken.get("scope", ())}
    assert given <= {name.rstrip("_") for name in fields} | {"help", "version"}


@pytest.mark.parametrize("tokens", sorted(words[1:] for words in LINES if words[0] == "dask"), ids=" ".join)
def test_a_line_for_dask_parses(tokens):
    command = importlib.import_module(f"distributed.cli.dask_{tokens[0]}").main
    assert command.make_context(tokens[0], list(tokens[1:])).params


QUICK = [t for t in COMMANDS if t[0] in {"list", "explain", "--version"} or "--case" in t]


@pytest.mark.parametrize("tokens", QUICK, ids=" ".join)
def test_a_quick_command_line_runs(tokens, capsys):
    assert run([*tokens, *(["--quick"] if tokens[0] == "report" and "--quick" not in tokens else [])]) == 0
    assert capsys.readouterr().out


def test_the_configuration_that_is_shown_is_accepted(tmp_path, monkeypatch, capsys):
    (shown,) = blocks(ROOT / "docs/commands.md", "toml")
    (tmp_path / "pyproject.toml").write_text(shown.body)
    monkeypatch.chdir(tmp_path)
    assert run(["explain", "worse"]) == 0


def test_the_settings_and_entry_points_that_are_shown_are_those_that_are_read():
    settings, points = (tomllib.loads(shown.body) for shown in blocks(ROOT / "docs/extending.md", "toml"))
    assert settings == {"tool": {TABLE: {LISTED: ["mypackage.cases:CASES"]}}}
    assert set(points["project"]["entry-points"]) == {ORACLES, CASES}


@pytest.mark.parametrize("target", TARGETS)
def test_a_make_target_exists(target):
    found = subprocess.run(
        ["make", "--dry-run", target], cwd=ROOT, capture_output=True, text=True, timeout=30, check=False
    )
    assert found.returncode == 0, found.stderr


# -- what is listed ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", ExitCode)
def test_the_table_of_exit_codes_has_every_code(code):
    assert str(code.value) in first_cells("docs/commands.md", "exit code")


@pytest.mark.parametrize("page", ["README.md", "docs/verdicts.md"])
def test_the_tables_of_verdicts_have_every_verdict_and_whether_it_passes(page):
    rows = re.findall(r"^\| `(\w+)` \| (yes|no) \|", TEXTS[page], re.MULTILINE)
    assert dict(rows) == {verdict.value: "yes" if verdict.right else "no" for verdict in JUDGED}


def test_the_table_of_outcomes_has_every_outcome():
    assert set(words(first_cells("docs/report.md", "outcome"))) == set(Outcome)


def test_the_table_of_boundary_values_has_every_one():
    (_, table) = TEXTS["docs/checking.md"].split("\n| kind | names |", 1)
    assert set(words([table.split("\n\n")[0]])) == set(CORPUS)


def test_the_table_of_probes_has_every_one():
    assert set(words(first_cells("docs/contract.md", "probe"))) == set(Probe)


def test_the_table_of_commands_has_every_command():
    named = {word.split()[0] for word in words(first_cells("docs/commands.md", "command"))}
    assert named == {name for name in app if not name.startswith("-")}


def test_every_option_of_a_check_is_named():
    options = set(inspect.signature(harness.check_gradient).parameters) - {"f", "args"}
    page = TEXTS["docs/checking.md"]
    assert [name for name in options if f"`{name}`" not in page and f"{name}=" not in page] == []


def test_the_reference_has_every_public_name():
    named = set(re.findall(r"^(?:::: |### )(?:[\w.]+\.)?(\w+)$", TEXTS["docs/api.md"], re.MULTILINE))
    assert set(harness.__all__) - {"__version__"} <= named


def test_the_options_of_the_plugin_that_are_shown_exist():
    group, shown = (
        Mock(),
        {word for text in TEXTS.values() for word in re.findall(r"--gradproof-[a-z-]+", text)},
    )
    gradproof_pytest.pytest_addoption(Mock(getgroup=lambda *names: group))
    known = {name for call in group.addoption.call_args_list for name in call.args}
    assert shown
    assert shown - known == set()


# -- what is said --------------------------------------------------------------------------------------------


def test_the_readme_is_read_in_five_minutes():
    assert len(TEXTS["README.md"].splitlines()) <= 150


def test_the_figures_of_the_readme_are_those_of_the_evidence():
    summary = TEXTS["README.md"].split("\n## What is measured\n")[1].split("\n## ")[0]
    here, there = (set(re.findall(r"\d[\d,.]*\d|\d", text)) for text in (summary, TEXTS["docs/evidence.md"]))
    assert len(here) > 10
    assert here - there == set()


@pytest.mark.parametrize("page", [*TEXTS, "CONTRIBUTING.md"])
def test_every_file_that_a_page_names_or_links_exists(page):
    text = TEXTS.get(page) or (ROOT / page).read_text(encoding="utf-8")
    named = re.findall(r"`((?:harness|oracles|reference|tests|reports|docs)/[\w/.]*)`", text)
    assert [name for name in named if not (ROOT / name).exists()] == []
    linked = [target.split("#")[0] for target in re.findall(r"\]\(([^)]+)\)", text) if "://" not in target]
    here = (ROOT / page).parent
    assert [target for target in linked if target and not (here / target).exists()] == []
