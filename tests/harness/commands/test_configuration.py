"""Options from the environment and from pyproject.toml: which value wins, and what is said of a wrong one."""

from pathlib import Path
from typing import Literal

import pytest
from cyclopts import App

from harness.commands import cli
from harness.commands import report as command
from harness.commands.configuration import ConfiguredApp
from harness.selection import NothingSelected, UsageError
from harness.settings import FILE


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """An empty current directory, with an empty environment of ours."""
    for option in ("JOBS", "SEED", "CASE", "QUICK", "OUTPUT", "MODE", "LIMIT"):
        monkeypatch.delenv(f"GRADPROOF_{option}", raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def app():
    """Two commands and a group that share some options; each returns what it was given."""
    app = ConfiguredApp(result_action="return_value")

    @app.command
    def run(
        *,
        jobs: int = 1,
        case: tuple[str, ...] = ("*",),
        quick: bool = False,
        output: Path | None = None,
        mode: Literal["on", "off"] = "on",
        limit: float = 1.0,
    ):
        if jobs < 0:
            raise UsageError(f"--jobs is {jobs}; it is 0 or more")
        if case == ("nosuch",):
            raise NothingSelected("no case matches 'nosuch'; near matches: relu")
        return locals()

    @app.command
    def other(what: str = "all", *, seed: int = 0):
        return seed

    group = App(name="baseline")
    app.command(group)

    @group.command
    def update(*glob: str, jobs: int = 1, dry_run: bool = False):
        return jobs, dry_run

    @app.command
    def gate(*, baseline: Path | None = None):
        return baseline

    def call(line):
        return app(line, exit_on_error=False, print_error=False)

    return call


def write(text, folder=Path()):
    (folder / FILE).write_text(text)


def test_flags_win_over_the_environment_and_that_over_the_file_and_that_over_the_default(app, monkeypatch):
    assert app("run")["jobs"] == 1
    write("[tool.gradproof]\njobs = 2")
    assert app("run")["jobs"] == 2
    monkeypatch.setenv("GRADPROOF_JOBS", "3")
    assert app("run")["jobs"] == 3
    assert app("run --jobs 4")["jobs"] == 4


def test_the_command_line_of_the_harness_itself_is_configured(monkeypatch):
    given = []
    monkeypatch.setattr(command, "run_report", lambda options: given.append(options))
    write("[tool.gradproof]\njobs = 2\nformat = 'csv'")
    monkeypatch.setenv("GRADPROOF_ORACLE", "torch,fd")
    assert cli.run(["report", "--format", "md"]) == 0
    assert (given[0].jobs, given[0].format, given[0].scope.oracle) == (2, "md", "torch,fd")


def test_every_type_of_option_can_be_set(app):
    write("[tool.gradproof]\ncase = ['relu', 'soft*']\nquick = true\nmode = 'off'\nlimit = 2\nseed = 3")
    found = app("run")
    assert (found["case"], found["quick"], found["mode"]) == (("relu", "soft*"), True, "off")
    assert found["limit"] == 2.0
    assert app("other") == 3


def test_patterns_take_one_string(app):
    write("[tool.gradproof]\ncase = 'soft max'")
    assert app("run")["case"] == ("soft max",)


def test_a_flag_that_the_file_sets_can_be_unset(app, monkeypatch):
    write("[tool.gradproof]\nquick = true")
    assert app("run --quick=false")["quick"] is False
    monkeypatch.setenv("GRADPROOF_QUICK", "false")
    assert app("run")["quick"] is False


@pytest.mark.parametrize("text", ["relu,soft*", "relu soft*", "relu, soft*"])
def test_patterns_in_the_environment_are_separated_by_commas_or_blanks(text, app, monkeypatch):
    monkeypatch.setenv("GRADPROOF_CASE", text)
    assert app("run")["case"] == ("relu", "soft*")


def test_an_empty_variable_is_no_value(app, monkeypatch):
    monkeypatch.setenv("GRADPROOF_JOBS", "")
    assert app("run")["jobs"] == 1


@pytest.mark.parametrize("key", ["dry-run", "dry_run"])
def test_dashes_and_underscores_are_the_same(key, app, monkeypatch):
    write(f"[tool.gradproof]\n{key} = true")
    assert app("baseline update") == (1, True)
    monkeypatch.setenv("GRADPROOF_DRY_RUN", "false")
    assert app("baseline update") == (1, False)


def test_a_key_of_another_command_is_not_used_now(app):
    write("[tool.gradproof]\nseed = 5")
    assert app("run")["jobs"] == 1
    assert app("other") == 5


def test_a_table_is_for_one_command_and_wins_over_the_common_ones(app):
    write("[tool.gradproof.run]\njobs = 3\n[tool.gradproof]\njobs = 2")
    assert app("run")["jobs"] == 3
    assert app("baseline update")[0] == 2


def test_a_table_of_a_group_is_for_its_commands_and_theirs_wins(app):
    write("[tool.gradproof.baseline]\njobs = 3\ndry-run = true\n[tool.gradproof.baseline.update]\njobs = 4")
    assert app("baseline update") == (4, True)
    assert app("run")["jobs"] == 1


def test_an_option_may_have_the_name_of_a_group(app, folder):
    write("[tool.gradproof]\nbaseline = 'b.json'\n")
    assert app("gate") == folder / "b.json"
    write("[tool.gradproof.baseline]\njobs = 3")
    assert app("gate") is None
    assert app("baseline update")[0] == 3
    write("[tool.gradproof]\nbaseline = 3\n")
    with pytest.raises(UsageError, match=r"baseline = 3 in .*: it must be a path"):
        app("run")


def test_the_nearest_file_upwards_with_our_table_counts(app, folder, monkeypatch):
    inner = folder / "a" / "b"
    inner.mkdir(parents=True)
    write("[tool.gradproof]\njobs = 2")
    write("[project]\nname = 'x'", folder / "a")
    monkeypatch.chdir(inner)
    assert app("run")["jobs"] == 2
    write("[tool.gradproof]\nseed = 1", inner)
    assert app("run")["jobs"] == 1


def test_a_path_in_a_file_starts_at_the_file_and_one_in_the_environment_here(app, folder, monkeypatch):
    (folder / "a").mkdir()
    write("[tool.gradproof]\noutput = 'reports'")
    monkeypatch.chdir(folder / "a")
    assert app("run")["output"] == folder / "reports"
    monkeypatch.setenv("GRADPROOF_OUTPUT", "reports")
    assert app("run")["output"] == Path("reports")


@pytest.mark.parametrize("line", ["run", "other", "baseline update", "run --jobs 4"])
@pytest.mark.parametrize(
    ("text", "messages"),
    [
        (
            "[tool.gradproof]\njobbs = 2",
            ["unknown key 'jobbs' in [tool.gradproof] of ", "near matches: jobs"],
        ),
        ("[tool.gradproof]\nwhat = 'x'", ["unknown key 'what' in [tool.gradproof] of "]),
        (
            "[tool.gradproof.rum]\njobs = 2",
            ["unknown key 'rum' in [tool.gradproof] of ", "near matches: run"],
        ),
        (
            "[tool.gradproof.run]\njbos = 2",
            ["unknown key 'jbos' in [tool.gradproof.run] of ", "near matches: jobs"],
        ),
        (
            "[tool.gradproof.baseline]\nudpate = 2",
            ["unknown key 'udpate' in [tool.gradproof.baseline] of ", ": update"],
        ),
        (
            "[tool.gradproof]\njobs = 'two'",
            ['jobs = "two" in [tool.gradproof] of ', ": it must be a whole number"],
        ),
        ("[tool.gradproof]\njobs = 2.5", ["jobs = 2.5 in ", ": it must be a whole number"]),
        ("[tool.gradproof]\njobs = true", ["jobs = true in ", ": it must be a whole number"]),
        ("[tool.gradproof.jobs]\nx = 1", ['jobs = {"x": 1} in ', ": it must be a whole number"]),
        ("[tool.gradproof]\nquick = 'yes'", ['quick = "yes" in ', ": it must be true or false"]),
        ("[tool.gradproof]\nlimit = '2'", ['limit = "2" in ', ": it must be a number"]),
        ("[tool.gradproof]\nmode = 'of'", ['mode = "of" in ', ": it must be one of on, off"]),
        ("[tool.gradproof]\noutput = 3", ["output = 3 in ", ": it must be a path, as a string"]),
        ("[tool.gradproof]\ncase = []", ["case = [] in ", ": it must be a string or a list of strings"]),
        ("[tool.gradproof]\ncase = ['a', 1]", ['case = ["a", 1] in ', ": it must be a string or a list of"]),
        ("[tool.gradproof]\njobs = 2020-01-01", ['jobs = "2020-01-01" in ', ": it must be a whole number"]),
        ("[tool.gradproof]\nrun = 2", ["[tool.gradproof.run] of ", " is 2: it must be a table of options"]),
        ("[tool]\ngradproof = 2", ["[tool.gradproof] of ", " is 2: it must be a table of options"]),
        ("[tool.gradproof]\njobs 2", [" cannot be read as TOML: ", "at line 2"]),
    ],
)
def test_what_is_wrong_in_a_file_is_said_whatever_the_command(line, text, messages, app, folder):
    write(text)
    with pytest.raises(UsageError) as raised:
        app(line)
    assert all(message in str(raised.value) for message in [*messages, str(folder / FILE)])
    assert "set by" not in str(raised.value)


def test_a_file_that_is_no_text_is_an_error(app, folder):
    (folder / FILE).write_bytes(b"[tool.gradproof]\ncase = '\xff'")
    with pytest.raises(UsageError, match=r"pyproject\.toml cannot be read as TOML: .*utf-8"):
        app("run")


def test_a_file_without_our_table_is_none_of_our_business(app):
    write("tool = 3")
    assert app("run")["jobs"] == 1


@pytest.mark.parametrize(
    ("variable", "text", "message"),
    [
        ("GRADPROOF_JOBBS", "2", "GRADPROOF_JOBBS is set and there is no --jobbs; near matches: jobs"),
        (
            "GRADPROOF_OTHER_SEED", "9",
            "GRADPROOF_OTHER_SEED is set, and a variable is for all commands: set GRADPROOF_SEED, or seed in "
            "[tool.gradproof.other] of pyproject.toml",
        ),
        (
            "GRADPROOF_BASELINE_UPDATE_DRY_RUN", "true",
            "GRADPROOF_BASELINE_UPDATE_DRY_RUN is set, and a variable is for all commands: set "
            "GRADPROOF_DRY_RUN, or dry_run in [tool.gradproof.baseline.update] of pyproject.toml",
        ),
        ("GRADPROOF_JOBS", "two", "GRADPROOF_JOBS=two: it must be a whole number"),
        ("GRADPROOF_JOBS", "2.5", "GRADPROOF_JOBS=2.5: it must be a whole number"),
        ("GRADPROOF_QUICK", "yes", "GRADPROOF_QUICK=yes: it must be true or false"),
        ("GRADPROOF_CASE", " ,", "GRADPROOF_CASE= ,: it must be a string or a list of strings"),
    ],
)  # fmt: skip
def test_what_is_wrong_in_the_environment_is_said(variable, text, message, app, monkeypatch):
    monkeypatch.setenv(variable, text)
    for line in ("run", "other"):
        with pytest.raises(UsageError) as raised:
            app(line)
        assert str(raised.value).startswith(message)


@pytest.mark.parametrize("variable", ["GRADPROOF_VERSION", "HARNESS_TIMER", "HARNESS_STAGE", "HARNESS_JOBS"])
def test_a_variable_that_is_none_of_our_options_is_left_alone(variable, app, monkeypatch):
    """Perl's prove and Harness CI have the prefix HARNESS_, which was ours too."""
    monkeypatch.setenv(variable, "2")
    assert app("run")["jobs"] == 1


def test_what_a_command_says_against_a_setting_names_its_place(app, folder, monkeypatch):
    write("[tool.gradproof]\njobs = -2\nquick = true\ncase = 'nosuch'")
    with pytest.raises(UsageError) as raised:
        app("run")
    place = f"[tool.gradproof] of {folder / FILE}"
    assert str(raised.value) == f"--jobs is -2; it is 0 or more (set by jobs = -2 in {place})"
    with pytest.raises(UsageError, match=r"^--jobs is -3; it is 0 or more$"):
        app("run --jobs -3")
    monkeypatch.setenv("GRADPROOF_JOBS", "1")
    with pytest.raises(NothingSelected) as nothing:
        app("run")
    assert str(nothing.value).endswith(f'near matches: relu (set by case = "nosuch" in {place})')


def test_a_wrong_file_is_a_usage_error_on_stderr_and_help_still_works(capsys):
    write("[tool.gradproof]\njobbs = 2\n")
    assert cli.run(["list"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("gradproof: unknown key 'jobbs'")
    assert len(err.splitlines()) == 1
    for tokens in (["--help"], ["report", "--help"], ["--version"], []):
        assert cli.run(tokens) == 0
        out, err = capsys.readouterr()
        assert out
        assert err == ""


def test_every_option_of_the_harness_has_one_type_with_words_for_what_is_allowed():
    from harness.commands.configuration import _allowed, _commands

    types = {}
    for options in dict(_commands(cli.app)).values():
        for name, hint in options.items():
            assert _allowed(hint)
            assert types.setdefault(name, hint) == hint
    assert "jobs" in types
