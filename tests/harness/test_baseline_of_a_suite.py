"""`pytest --gradproof-baseline`: what is worse, missing, new or stale, and what a session may agree to."""

import json
import re

import msgspec
import pytest

import gradproof.session
from harness.gate import baseline as baselines
from harness.gate import clock
from harness.runs.record import Row
from harness.runs.timing import Ratio
from tests.sampling import long

pytest_plugins = ["tests.harness.sessions"]

SUITE = """
import numpy as np
import pytest
from harness import check_gradient

X = np.array([0.5, -1.25, 2.0])

def square(x):
    return x * x

def back(g, x):
    return 2 * g * x

def test_one():
    check_gradient(square, (X,), vjp=back, probes=False)

@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_two(dtype):
    check_gradient(square, (X.astype(dtype),), vjp=back, probes=False)
"""
BASELINE = "--gradproof-baseline=b.json"
UPDATE = "--gradproof-update-baseline"
ONE = Row("test_mine.py::test_one", "check_gradient(back)", "float64", "x")


first: list[bytes] = []  # the baseline of the suite, once it was made


@pytest.fixture
def session(inside, pytester, monkeypatch):
    """Run pytest on a suite, against the baseline of the first one, by default without times."""
    monkeypatch.setenv("COLUMNS", "160")

    def run(text, *options, times=False):
        return inside(text, *options, *([] if times else ["--gradproof-no-times"]))

    path = pytester.path / "b.json"
    if first:
        path.write_bytes(first[0])
    else:
        assert run(SUITE, BASELINE, f"{UPDATE}=the first").ret == pytest.ExitCode.OK
        first.append(path.read_bytes())
    return run


def rows(pytester):
    return baselines.read(pytester.path / "b.json").rows


def test_a_session_is_saved_by_test_check_dtype_and_argument(session, pytester):
    assert set(rows(pytester)) == {
        ONE,
        *(
            Row(f"test_mine.py::test_two[{d}]", "check_gradient(back)", d, "x")
            for d in ("float32", "float64")
        ),
    }
    found = session(SUITE, BASELINE)
    assert found.ret == pytest.ExitCode.OK
    assert "3 rows against b.json (no git: the first): nothing is worse" in found.stdout.str()


ADDED = "def test_one():", "def test_one():\n    assert not X"
SKIPPED = "def test_one", "@pytest.mark.skip(reason='no torch')\ndef test_one"
LEFT_OUT = "import pytest", "import pytest\npytest.skip('no jax', allow_module_level=True)"


@pytest.mark.parametrize(
    ("change", "options", "said"),
    [
        (
            ("2 * g", "3 * g"),
            (),
            "worse: test_mine.py::test_one: check_gradient(back) [float64, x, (3,)]: wro",
        ),
        (SKIPPED, (), "the test was skipped: no torch"),
        (LEFT_OUT, (), "test_mine.py was skipped: no jax"),
        (("_one", "_other"), (), "stale: test_mine.py::test_one: check_gradient(back) [float64], 1 row"),
        (("check_gradient(square, (X,),", "dict("), (), "the test does not make this check any more"),
        (ADDED, (), "the test failed before this check"),
        (("x * x", "x * np.frexp(x)[0]"), ("-k", "one"), "check_gradient(back) [float64, x]: un"),
    ],
)
def test_what_is_worse_missing_or_stale_fails_the_session(change, options, said, session):
    found = session(SUITE.replace(*change, 1), BASELINE, *options)
    assert found.ret == pytest.ExitCode.TESTS_FAILED
    assert said in found.stdout.str()
    assert "gradients against the baseline: FAILED" in found.stdout.str()


@pytest.mark.parametrize(
    "options", [("-k", "one"), ("test_mine.py::test_one",), ("--deselect", "test_mine.py::test_two")]
)
def test_what_was_not_asked_for_is_neither_missing_nor_stale(options, session):
    found = session(SUITE, BASELINE, *options)
    assert found.ret == pytest.ExitCode.OK
    assert "2 rows of the baseline are of tests that were not asked for" in found.stdout.str()


def test_a_file_that_is_gone_is_stale_where_its_folder_is_asked_for(session, pytester):
    pytester.path.joinpath("test_other.py").write_text(SUITE, encoding="utf-8")
    session(SUITE, BASELINE, f"{UPDATE}=two files")
    pytester.path.joinpath("test_other.py").unlink()
    assert session(SUITE, BASELINE, "test_mine.py").ret == pytest.ExitCode.OK
    assert "3 stale (fail)" in session(SUITE, BASELINE).stdout.str()


def test_an_update_says_what_it_changes_and_leaves_what_failed_or_was_skipped(session, pytester):
    text = SUITE.replace("def test_one():", "def test_one():\n    assert not X").replace('"float32", ', "")
    found = session(text + "\ndef test_new():\n    test_two('float32')\n", BASELINE, f"{UPDATE}=because")
    said = found.stdout.str()
    assert "2 of 4 rows changed in b.json: 1 created, 1 trimmed" in said
    assert rows(pytester)[ONE].verdict == "accurate"
    assert "because" in pytester.path.joinpath("b.json").read_text()


def test_an_update_takes_a_check_that_was_made_whatever_it_found(session, pytester):
    text = SUITE.replace("2 * g", "3 * g").replace("    check_gradient(", "    assert check_gradient(")
    found = session(text, BASELINE, f"{UPDATE}=because", "--gradproof-sarif=out.sarif")
    assert found.ret == pytest.ExitCode.TESTS_FAILED
    assert {row.verdict for row in rows(pytester).values()} == {"wrong"}
    (run,) = json.loads(pytester.path.joinpath("out.sarif").read_text(encoding="utf-8"))["runs"]
    assert run["results"] == []


def test_rows_of_a_skipped_test_go_where_it_is_named(session, pytester):
    text = SUITE.replace(*SKIPPED, 1)
    assert (
        "accept: pytest test_mine.py::test_one --gradproof-baseline=b.json"
        in session(text, BASELINE).stdout.str()
    )
    said = session(text, BASELINE, f"{UPDATE}=no torch here").stdout.str()
    assert "0 of 3 rows changed in b.json: none" in said
    assert "left as they are:\n✗ unavailable: test_mine.py::test_one, 1 row of the baseline" in said
    assert ONE in rows(pytester)
    named = session(text, BASELINE, f"{UPDATE}=no torch here", "test_mine.py::test_one")
    assert "1 of 3 rows changed in b.json: 1 trimmed" in named.stdout.str()
    assert ONE not in rows(pytester)
    assert session(text, BASELINE).ret == pytest.ExitCode.OK


ENDING = "def test_one():", "def test_one():\n    {}\n"
ENDS = ["pytest.exit('enough')", "pytest.exit('enough', returncode=0)"]  # Ctrl-C takes the same way


@pytest.mark.parametrize("how", ENDS)
def test_a_session_that_is_interrupted_agrees_to_nothing(how, session, pytester):
    text = SUITE.replace(ENDING[0], ENDING[1].format(how)).replace("2 * g", "3 * g")
    found = session(text, BASELINE, f"{UPDATE}=because")
    assert "the session was interrupted: nothing was updated" in found.stdout.str()
    assert pytester.path.joinpath("b.json").read_bytes() == first[0]
    said = session(SUITE.replace(ENDING[0], ENDING[1].format(how)), BASELINE).stdout.str()
    assert "3 rows of the baseline are of tests that did not run (the session was interrupted)" in said
    assert "missing" not in said
    assert "gradients against the baseline: nothing was compared" in said


def test_a_session_that_does_not_begin_agrees_to_nothing(session, pytester):
    for options in ((f"{UPDATE}=because",), ()):
        found = session(SUITE, BASELINE, *options, "test_none.py")
        assert found.ret == pytest.ExitCode.USAGE_ERROR
        done = "updated" if options else "compared"
        assert f"pytest could not begin: nothing was {done}" in found.stdout.str()
        assert pytester.path.joinpath("b.json").read_bytes() == first[0]


def test_what_stops_at_the_first_failure_compares_what_ran(session):
    found = session(SUITE.replace(*ADDED), BASELINE, "-x").stdout.str()
    assert "2 rows of the baseline are of tests that did not run (stopping after 1 failures)" in found
    assert "the test failed before this check" in found


def test_a_link_to_a_baseline_stays_one(session, pytester):
    path = pytester.path / "b.json"
    path.rename(real := pytester.path / "real.json")
    path.symlink_to(real)
    session(SUITE.replace("2 * g", "3 * g"), BASELINE, f"{UPDATE}=because")
    assert path.is_symlink()
    assert rows(pytester)[ONE].verdict == "wrong"


def test_the_same_tests_in_another_file_are_told_as_such(session, pytester):
    pytester.mkdir("in").joinpath("test_mine.py").write_text(SUITE, encoding="utf-8")
    said = session("", BASELINE, "--import-mode=importlib").stdout.str()
    assert "3 stale (fail)" in said
    assert "3 of the stale rows are new under another path: has a file moved, or pytest's rootdir" in said


def test_a_baseline_of_the_gate_is_no_suites(session, pytester):
    old = baselines.read(pytester.path / "b.json")
    others = {Row("relu", *row[1:]): msgspec.structs.replace(e, case="relu") for row, e in old.rows.items()}
    baselines.write(pytester.path / "b.json", msgspec.structs.replace(old, rows=others))
    found = session(SUITE, BASELINE)
    assert found.ret == pytest.ExitCode.USAGE_ERROR
    assert (
        "b.json is the baseline of `gradproof gate`, not of tests; create another: pytest"
        in found.stderr.str()
    )


@pytest.mark.parametrize(
    ("options", "ci", "said"),
    [
        ((BASELINE, f"{UPDATE}= "), "", f"{UPDATE} is empty"),
        ((BASELINE, f"{UPDATE}=why"), "true", "a baseline that CI updates agrees with everything"),
        ((f"{UPDATE}=why",), "", f"{UPDATE} needs --gradproof-baseline=FILE"),
        (("--gradproof-sarif=a.sarif",), "", "--gradproof-sarif needs --gradproof-baseline=FILE"),
        ((BASELINE, "--gradproof-sarif=no/a.sarif"), "", "that is there, got no/a.sarif: make "),
        (("--gradproof-baseline=no.json",), "", "create it: pytest --gradproof-baseline=no.json"),
        (("--gradproof-baseline=bad.json",), "", "bad.json is damaged"),
        (("--gradproof-baseline=bad.json", f"{UPDATE}=why"), "", "bad.json is damaged"),
        (("--gradproof-baseline=.",), "", "--gradproof-baseline=.: "),
        (("--gradproof-baseline=/proc/b.json", f"{UPDATE}=why"), "", "nothing can be written in /proc"),
        ((BASELINE, "--gradproof-seed=5"), "", "is of --gradproof-seed=0, and this session's is 5"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_a_usage_error_before_any_test(options, ci, said, session, pytester, monkeypatch):
    monkeypatch.setenv("CI", ci)
    pytester.path.joinpath("bad.json").write_text("{}", encoding="utf-8")
    found = session("raise SystemExit('it ran')", *options)
    assert found.ret == pytest.ExitCode.USAGE_ERROR
    assert said in found.stderr.str()


def test_github_gets_annotations_and_a_summary_of_the_step(session, pytester, monkeypatch):
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(pytester.path / "step.md"))
    text = session(SUITE.replace("2 * g", "3 * g"), BASELINE).stdout.str()
    assert "\n::error file=test_mine.py,line=12,title=worse%3A test_mine.py%3A%3Atest_one" in text
    step = pytester.path.joinpath("step.md").read_text(encoding="utf-8")
    assert step.startswith("## gradients against the baseline: FAILED")


def test_a_summary_of_the_step_that_cannot_be_written_is_said(session, pytester, monkeypatch):
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(pytester.path))
    found = session(SUITE, BASELINE)
    assert found.ret == pytest.ExitCode.OK
    assert "gradients against the baseline: passed" in found.stdout.str()
    assert "\ngradproof: GITHUB_STEP_SUMMARY: [Errno 21] Is a directory" in f"\n{found.stderr.str()}"


@pytest.mark.parametrize(
    ("change", "kind", "lines", "message"),
    [
        (("2 * g", "3 * g"), "worse", [12, 12, 12], {"message": {"text": "multiply"}}),
        (("x * x", "x * np.frexp(x)[0]"), "worse", [9, 9, 9], {}),
        ((" check_gradient(", " (lambda *_, **__: 0)("), "missing", [14, 18, 18], {}),
    ],
)
def test_sarif_names_the_line_of_the_guilty_operation_else_the_test(
    change, kind, lines, message, session, pytester
):
    session(SUITE.replace(*change), "--gradproof-sarif=out.sarif", BASELINE)
    (run,) = json.loads(pytester.path.joinpath("out.sarif").read_text(encoding="utf-8"))["runs"]
    assert {(one["ruleId"], one["level"]) for one in run["results"]} == {(kind, "error")}
    found = [one["locations"][0] for one in run["results"]]
    assert sorted(one["physicalLocation"]["region"]["startLine"] for one in found) == lines
    assert found[0]["physicalLocation"]["artifactLocation"] == {"uri": "test_mine.py"}
    assert {"message": found[0]["message"]} == message if message else "message" not in found[0]


def test_sarif_of_an_update_has_what_is_left_beside_the_new_baseline(session, pytester):
    text = SUITE.replace("2 * g", "3 * g").replace("def test_one():", "def test_one():\n    assert not X")
    session(text, BASELINE, f"{UPDATE}=because", "--gradproof-sarif=out.sarif")
    (run,) = json.loads(pytester.path.joinpath("out.sarif").read_text(encoding="utf-8"))["runs"]
    assert [one["ruleId"] for one in run["results"]] == ["error"]
    assert "the test failed before this check" in run["results"][0]["message"]["text"]


@pytest.fixture
def clocked(session, monkeypatch):
    """A session on the suite in which each gradient takes so many times as long; in the baseline it is 2."""

    def run(ratio, *options):
        look = ratio and Ratio(ratio, 0.95 * ratio, 1.05 * ratio)
        monkeypatch.setattr(clock, "quick", lambda *_, **__: look)
        return session(SUITE, BASELINE, *options, times=True)

    assert "3 renewed" in run(2.0, f"{UPDATE}=times").stdout.str()
    return run


@pytest.mark.parametrize(
    ("ratio", "options", "said"),
    [
        (2.9, (), "nothing is worse"),
        (3.1, (), "slower: test_mine.py::test_one: check_gradient(back) [float64, x]: 2 (1.9 to 2.1) → 3.1"),
        (None, (), "not timed: test_mine.py::test_one: check_gradient(back) [float64], 1 row: not timed"),
        (9.0, ("--gradproof-no-times",), "nothing is worse"),
    ],
)
def test_a_slower_gradient_fails_as_in_the_gate_unless_times_are_not_wanted(ratio, options, said, clocked):
    found = clocked(ratio, *options)
    assert said in found.stdout.str()
    assert found.ret == (pytest.ExitCode.OK if "nothing" in said else pytest.ExitCode.TESTS_FAILED)


def test_an_update_without_times_keeps_them(clocked, pytester):
    clocked(9.0, "--gradproof-no-times", f"{UPDATE}=because")
    assert [row.time_ratio for row in rows(pytester).values()] == [2.0] * 3


def test_on_another_machine_a_slower_gradient_warns(clocked, monkeypatch):
    there = msgspec.structs.replace(gradproof.session.fingerprint(), processor="another")
    monkeypatch.setattr(gradproof.session, "fingerprint", lambda: there)
    found = clocked(4.0)
    assert (found.ret, "3 slower (warn)" in found.stdout.str()) == (pytest.ExitCode.OK, True)


def test_times_are_measured_and_kept_by_test(session, pytester, monkeypatch):
    monkeypatch.setattr(clock, "BUDGET_S", 0.5)  # no call of a busy machine is so slow
    session(SUITE, BASELINE, f"{UPDATE}=times", times=True)
    assert all(row.time_ratio_low <= row.time_ratio <= row.time_ratio_high for row in rows(pytester).values())


@long
def test_workers_of_xdist_hand_over_what_they_have_collected(session, pytester):
    pytester.path.joinpath("test_mine.py").write_text(
        SUITE.replace("test_one", "test_zero"), encoding="utf-8"
    )
    options = ("-p", "no:cacheprovider", "-p", "no:hypothesispytest", BASELINE, "--gradproof-report=out.csv")
    found = pytester.runpytest_subprocess("-n", "2", *options)
    assert found.ret == pytest.ExitCode.TESTS_FAILED
    assert "3 rows against b.json (no git: the first): 1 stale (fail), 1 new (warn)" in found.stdout.str()
    assert "3 checked: 3 accurate" in found.stdout.str()
    text = pytester.path.joinpath("out.csv").read_text(encoding="utf-8")
    assert re.findall(r"test_mine.py::(\w+)", text) == ["test_two", "test_two", "test_zero"]


def test_the_file_is_plain_json(session, pytester):
    found = json.loads(pytester.path.joinpath("b.json").read_text(encoding="utf-8"))
    assert [row["verdict"] for row in found["rows"]] == ["accurate"] * 3
