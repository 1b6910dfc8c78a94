"""`baseline diff` and `baseline update`: what changes is shown by kind, and nothing else changes."""

import subprocess

import pytest

from harness.cases import catalogue
from harness.commands import baseline as baseline_command
from harness.commands.baseline import is_chosen
from harness.commands.cli import run
from harness.gate import baseline as baselines
from harness.runs.journal import Journal
from harness.runs.record import Record, Row
from harness.runs.runner import cells_of, run_cell
from harness.selection import Scope
from harness.verdicts import ExitCode, Outcome, Verdict

SCOPE = Scope(("relu", "softmax"), ("ordinary",), "numpy,torch", "float64")
ROWS = {"/".join(Row.of(cell)) for cell in cells_of(SCOPE, 0)}


@pytest.fixture(scope="module")
def measured():
    return [run_cell(cell) for cell in cells_of(SCOPE, 0)]


@pytest.fixture
def said(tmp_path, monkeypatch, capsys):
    """Run a command of `baseline` on files of its own; `saved` holds what the run found."""
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.setenv("COLUMNS", "160")
    path = tmp_path / "baseline.json"

    def say(command, *tokens, saved=None, reason="because"):
        if saved is not None:
            with Journal(tmp_path / "run.jsonl") as journal:
                for record in saved:
                    journal.write(record)
            tokens = (*tokens, "--from", str(tmp_path / "run.jsonl"))
        reasons = ["--reason", reason] if command == "update" else []
        code = run(["baseline", command, *tokens, "--baseline", str(path), "--jobs", "0", *reasons])
        out, err = capsys.readouterr()
        return code, out + err

    say.path = path
    return say


def rows(said):
    return {"/".join(row): expected for row, expected in baselines.read(said.path).rows.items()}


def changed(measured, **fields):
    """The rows of a run, the last of them changed."""
    last = measured[-1]
    return [*measured[:-1], Record(**{n: getattr(last, n) for n in last.__struct_fields__} | fields)]


def test_the_first_update_creates_every_row(said, measured):
    code, text = said("update", saved=measured)
    assert code == 0
    assert "created\n  relu/numpy/float64/ordinary: accurate" in text
    assert f"4 of 4 rows changed in {said.path}: 4 created" in text.replace("\n", " ")
    assert set(rows(said)) == ROWS


def test_a_diff_shows_what_an_update_would_change_and_changes_nothing(said, measured):
    said("update", saved=measured)
    before = said.path.read_bytes()
    worse = changed(measured, bits_lost=9.0)
    code, text = said("diff", saved=worse)
    assert code == 0
    assert "worse\n  softmax/torch/float64/ordinary: 1.37 bits lost → 9 bits lost" in text
    assert "1 of 4 rows would change" in text
    assert said.path.read_bytes() == before
    assert "1 of 4 rows changed" in said("update", saved=worse)[1]
    assert "0 of 4 rows would change in" in said("diff", saved=worse)[1]
    assert rows(said)["softmax/torch/float64/ordinary"].bits_lost == 9.0


def test_each_kind_of_change_has_its_heading(said, measured):
    wrong = {"verdict": Verdict.WRONG, "outcome": Outcome.FAIL, "bits_lost": 40.0}
    said("update", saved=changed(measured, **wrong))
    assert "fixed\n  softmax/torch/float64/ordinary: wrong → accurate" in said("diff", saved=measured)[1]
    said("update", saved=measured)
    _, text = said("diff", saved=changed(measured, **wrong))
    assert "worse\n  softmax/torch/float64/ordinary: accurate → wrong" in text


def test_a_row_that_the_catalogue_has_not_any_more_is_trimmed(said, measured, monkeypatch):
    said("update", saved=measured)
    left = {name: case for name, case in catalogue().items() if name != "relu"}
    monkeypatch.setattr("harness.runs.runner.catalogue", lambda: left)
    code, text = said("update", saved=[r for r in measured if r.case != "relu"])
    assert code == 0
    assert "trimmed\n  relu/numpy/float64/ordinary: accurate" in text
    assert set(rows(said)) == {name for name in ROWS if not name.startswith("relu")}


@pytest.mark.parametrize(
    ("globs", "names"),
    [
        (("relu",), {name for name in ROWS if name.startswith("relu/")}),
        (("*/torch/*",), {name for name in ROWS if "/torch/" in name}),
        (("relu/numpy/*/*", "softmax/numpy/*/*"), {name for name in ROWS if "/numpy/" in name}),
        (("softmax/torch/float64/ordinary",), {"softmax/torch/float64/ordinary"}),
    ],
)
def test_only_the_chosen_rows_are_changed(globs, names, said, measured):
    assert said("update", *globs, saved=measured)[0] == 0
    assert set(rows(said)) == names


@pytest.mark.parametrize(
    ("glob", "chosen"),
    [
        ("relu", True),
        ("re*", True),
        ("relu/*", True),
        ("*/zeros", True),
        ("lu", False),
        ("relu/torch/*", False),
    ],
)
def test_a_pattern_without_a_slash_is_a_case(glob, chosen):
    assert is_chosen(Row("relu", "numpy", "float64", "zeros"), (glob,)) is chosen


def test_a_row_that_is_not_in_the_run_stays(said, measured):
    said("update", saved=measured)
    assert said("update", saved=measured[:1])[0] == 0
    assert set(rows(said)) == ROWS


def test_the_reason_the_commit_and_the_machine_are_kept(said, measured, monkeypatch):
    monkeypatch.setattr(baseline_command, "commit", lambda: "0123456789ab+")
    said("update", saved=measured, reason="  the first\n of   all ")
    (update,) = baselines.read(said.path).updates
    assert (update.reason, update.commit) == ("the first of all", "0123456789ab+")
    assert update.fingerprint.versions["numpy"]
    said("update", saved=changed(measured, bits_lost=9.0), reason="known")
    found = baselines.read(said.path)
    assert [u.reason for u in found.updates] == ["the first of all", "known"]
    assert [found.updates[row.update].reason for _, row in sorted(found.rows.items())][-1] == "known"


def test_the_commit_says_where_files_differ_from_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert baseline_command.commit() == "no git"
    git = ["git", "-c", "user.name=x", "-c", "user.email=x@x"]
    (tmp_path / "file").write_text("1", encoding="utf-8")
    for command in (["init", "-q"], ["add", "file"], ["commit", "-qm", "one"]):
        subprocess.run([*git, *command], check=True)
    clean = baseline_command.commit()
    assert len(clean) == 12
    (tmp_path / "file").write_text("2", encoding="utf-8")
    assert baseline_command.commit() == f"{clean}+"


def test_an_update_anew_forgets_a_damaged_baseline(said, measured):
    said.path.write_text("{", encoding="utf-8")
    code, text = said("update", saved=measured)
    assert (code, "--anew" in text) == (1, True)
    assert said("update", "--anew", saved=measured)[0] == 0
    assert set(rows(said)) == ROWS
    code, text = said("update", "relu", "--anew", saved=measured)
    assert (code, "--anew writes every row; leave out relu" in text) == (2, True)


def test_many_rows_are_shown_in_groups_and_the_rest_is_counted(said, measured):
    many = [
        Record(case=f"case-{k}", input=f"i{j}", dtype="float64", oracle="jax", seed=0,
               verdict=Verdict.ACCURATE, outcome=Outcome.PASS)
        for k in range(25) for j in range(3)
    ]  # fmt: skip
    _, text = said("diff", saved=many)
    assert "case-0/jax/float64, 3 inputs: accurate" in text
    assert "and 15 more rows" in text
    assert "75 of 75 rows would change" in text


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("--jobs=-1", "--jobs must be an integer >= 0"),
        ("--timeout=nan", "--timeout must be a number of seconds > 0"),
    ],
)
def test_a_number_out_of_range_is_a_usage_error(option, message, capsys):
    assert run(["baseline", "diff", option]) == ExitCode.USAGE
    assert message in capsys.readouterr().err
