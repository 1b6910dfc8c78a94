"""The command line: exit codes, messages, and what reaches the screen and the files."""

import io
import json
import os
import re
import signal
import subprocess
import sys
import time

import msgspec
import pandas as pd
import pytest

from harness.book import learning
from harness.cases import catalogue
from harness.commands import report as command
from harness.commands.cli import run
from harness.report import progress
from harness.runs import runner
from harness.runs.journal import Journal, read_records
from harness.runs.record import Record, from_json
from harness.verdicts import ExitCode, Outcome, Verdict
from harness.version import __version__

SMALL = ["report", "--case", "relu", "--case", "softmax", "--oracle", "torch,fd", "--quick"]
HARNESS = [sys.executable, "-m", "harness"]
ANSI = "\x1b["


@pytest.fixture(autouse=True)
def quiet(monkeypatch):
    """On a slow machine too."""
    monkeypatch.setattr(progress, "EVERY_S", 1e6)


def harness(*tokens, **options):
    return subprocess.run(
        [*HARNESS, *tokens], capture_output=True, text=True, timeout=60, check=False, **options
    )


def words(line):
    return line.split()


def missing(monkeypatch, *names):
    from importlib.util import find_spec

    monkeypatch.setattr(
        "importlib.util.find_spec", lambda name, *a: None if name in names else find_spec(name, *a)
    )


def test_the_exit_codes_are_the_promised_numbers():
    assert {code.name: code.value for code in ExitCode} == {
        "OK": 0,
        "FAILED": 1,
        "USAGE": 2,
        "NOTHING_COMPARED": 3,
        "INTERRUPTED": 130,
        "PIPE_CLOSED": 141,
        "TERMINATED": 143,
    }


@pytest.mark.parametrize(
    ("tokens", "code", "message"),
    [
        ("report --case nosuch", 3, "no case matches 'nosuch'; allowed are function_2, "),
        ("report --case sigmiod", 3, "no case matches 'sigmiod'; near matches: sigmoid, "),
        ("report --case relu --case nosuch", 3, "no case matches 'nosuch'"),
        ("report --case relu --input nosuch", 3, "no input matches 'nosuch'; allowed are ordinary, "),
        (
            "report --case relu --input saturated-2",
            3,
            "no input matches 'saturated-2'; near matches: saturated-20",
        ),
        ("report --case relu --input ties --quick", 3, "no input matches 'ties'"),
        ("report --allow undecidable", 2, "--allow: no 'undecidable'; near matches: undecided"),
        ("report --allow undecided,wrong", 2, "--allow: no 'wrong'; allowed are undecided, unsupported"),
        ("report --allow ,", 2, "--allow is empty; allowed are undecided, unsupported"),
        ("report --oracle nosuch", 2, "--oracle: no 'nosuch'; near matches: "),
        ("report --oracle toch", 2, "near matches: torch"),
        (
            "report --oracle ,",
            2,
            "--oracle is empty; allowed are exact, numpy, jax, jax-jit, torch, torch-compile, fd",
        ),
        ("report --dtype float16", 2, "--dtype: no 'float16'; near matches: float"),
        ("report --jobs -2", 2, "--jobs must be an integer >= 0 (0 runs in this process), got -2"),
        ("report --jobs two", 2, "two"),
        ("report --seed -1", 2, "--seed must be an integer >= 0, got -1"),
        ("report --format pdf", 2, "--format: no 'pdf'; allowed are text, csv, md, jsonl, html, svg, png"),
        ("report --format csv,md", 2, "--format csv,md needs --output DIR"),
        ("report --nosuch", 2, "--nosuch"),
        ("report --empty-case", 2, "--empty-case"),
        ("report --empty-input", 2, "--empty-input"),
        (
            "report relu",
            2,
            " report` takes no 'relu'; `",
        ),
        ("check", 2, " check` needs FUNCTION; `"),
        ("report --seed", 2, "--seed requires an argument"),
        ("nosuch", 2, "nosuch"),
        ("report --oracle exact --case relu --quick", 3, "nothing was compared"),
        ("report --oracle exact,fd --case relu --quick", 3, "nothing was compared"),
        ("report --oracle fd --case relu --quick", 3, "nothing was compared"),
        ("report --oracle fd --case step_function --quick", 3, "nothing was compared"),
    ],
)
def test_a_run_that_compares_nothing_or_is_misused_says_why_on_stderr(tokens, code, message, capsys):
    assert run(tokens.split()) == code
    out, err = capsys.readouterr()
    assert message in err
    assert len(err.strip().splitlines()) == 1
    if code == 2 or "nosuch" in tokens:
        assert out == ""


def test_the_hand_derived_gradient_alone_is_compared(capsys):
    assert run(words("report --oracle numpy --case relu --quick --format jsonl")) == 0
    rows = [from_json(line) for line in capsys.readouterr().out.splitlines()]
    assert {(r.oracle, r.outcome) for r in rows} == {("numpy", "pass")}


def test_inputs_are_chosen_by_pattern_in_the_catalogues_order(capsys):
    tokens = "report --case relu --oracle numpy --dtype float32 --input sat* --input zeros --format jsonl"
    assert run(words(tokens)) == 0
    rows = [from_json(line) for line in capsys.readouterr().out.splitlines()]
    assert [r.input for r in rows] == ["zeros", "saturated-20", "saturated-40", "saturated-710"]


@pytest.mark.parametrize("chosen", [["--case", "relu"], ["--input", "strided"]])
def test_a_chosen_case_or_input_runs_neither_the_document_nor_the_learning(chosen, monkeypatch, capsys):
    monkeypatch.setattr(command, "run", lambda cells, *_, **__: runner.run(cells[:1], timed=()))
    assert run(["report", "--oracle", "numpy", *chosen]) == 0
    out = capsys.readouterr().out
    assert "Learning:" not in out
    assert "printed outputs" not in out


@pytest.fixture
def found(monkeypatch):
    """Put rows with these verdicts in the place of what a run finds."""

    def put(*outcomes):
        cells = runner.plan(["relu"], ["numpy"], ["float64"])[: len(outcomes)]
        rows = [
            Record(**msgspec.structs.asdict(cell), verdict=verdict, outcome=outcome, diagnosis="why")
            for cell, (verdict, outcome) in zip(cells, outcomes, strict=True)
        ]
        monkeypatch.setattr(command, "run", lambda *_, **__: iter(rows))

    return put


OPEN = [(Verdict.UNDECIDED, Outcome.FAIL), (Verdict.UNSUPPORTED, Outcome.FAIL)]


@pytest.mark.parametrize(
    ("option", "code", "outcomes"),
    [
        ([], 1, ["fail", "fail"]),
        (["--allow", "undecided"], 1, ["allowed", "fail"]),
        (["--allow", "unsupported"], 1, ["fail", "allowed"]),
        (["--allow", "undecided, unsupported"], 0, ["allowed", "allowed"]),
    ],
)
def test_undecided_and_unsupported_fail_unless_they_are_allowed(option, code, outcomes, found, capsys):
    found(*OPEN)
    assert run([*words("report --case relu --format jsonl"), *option]) == code
    assert [from_json(line).outcome for line in capsys.readouterr().out.splitlines()] == outcomes


def test_allow_changes_no_other_row(found, capsys):
    others = [
        (Verdict.WRONG, Outcome.FAIL), (Verdict.UNDECIDED, Outcome.KNOWN),
        (Verdict.UNSUPPORTED, Outcome.INFO), (Verdict.NONE, Outcome.ERROR), (Verdict.ACCURATE, Outcome.PASS),
    ]  # fmt: skip
    found(*others)
    assert run(words("report --case relu --format jsonl --allow undecided,unsupported")) == 1
    rows = [from_json(line) for line in capsys.readouterr().out.splitlines()]
    assert [(r.verdict, r.outcome) for r in rows] == others


def test_what_stays_open_is_named_in_a_line_of_its_own(found, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "160")
    found(*OPEN)
    run(words("report --case relu"))
    assert capsys.readouterr().out.splitlines()[-2:] == [
        "2 rows: 2 fail",
        "undecided: 1 row, unsupported: 1 row (failures; --allow undecided,unsupported lets them pass)",
    ]


def test_the_help_names_every_oracle(capsys):
    run(["report", "--help"])
    assert ", ".join(runner.oracles()) in " ".join(capsys.readouterr().out.replace("│", "").split())


def test_a_mistyped_case_in_a_real_shell():
    found = harness("report", "--case", "nosuch")
    assert (found.returncode, found.stdout) == (3, "")
    assert "allowed are function_2, " in found.stderr
    assert "Traceback" not in found.stderr


def test_the_help_shows_defaults_that_say_something(capsys):
    assert run(["report", "--help"]) == 0
    shown = " ".join(capsys.readouterr().out.replace("│", " ").split())
    assert "[default: *]" in shown
    assert "[default: 0]" in shown
    assert not re.search(r"\[default: (\"\"|\(|False|None)", shown)


def test_version_and_help(capsys):
    assert run(["--version"]) == 0
    assert capsys.readouterr().out.strip() == __version__
    assert run(["--help"]) == 0
    out = capsys.readouterr().out
    for word in ("report", "list", "explain", "bench", "Exit codes"):
        assert word in out
    codes = " ".join(out.split()).partition("Exit codes: ")[2]
    assert [int(n) for n in re.findall(r"(\d+) ", codes.partition(".")[0])] == list(ExitCode)


def test_list_shows_every_case_input_and_oracle(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "160")
    assert run(["list"]) == 0
    out = capsys.readouterr().out
    for case in catalogue().values():
        assert case.name in out
        assert all(maker.name in out for maker in case.inputs)
    assert all(name in out for name in ("exact", "numpy", "jax", "torch", "fd"))


@pytest.mark.parametrize("kinds", ["md", "jsonl"])
def test_where_a_report_writes_files_alone_it_says_where(kinds, tmp_path, capsys):
    said = words("report --oracle numpy --case relu --quick --format")
    assert run([*said, kinds, "--output", str(tmp_path)]) == 0
    assert f"written to {tmp_path}: {kinds}\n" in capsys.readouterr().err


def test_list_says_of_each_oracle_in_a_line_what_it_does():
    said = [oracle.summary for oracle in runner.oracles().values()]
    assert len({*said}) == len(said)
    assert all(re.fullmatch(r"[^\n`]+\.", one) for one in said)


def test_list_says_how_to_install_what_is_missing(capsys, monkeypatch):
    missing(monkeypatch, "jax")
    monkeypatch.setenv("COLUMNS", "250")
    assert run(["list"]) == 0
    assert "pip install 'gradproof[jax]'" in capsys.readouterr().out


@pytest.fixture(scope="module")
def small_run(tmp_path_factory):
    """One report with every format."""
    directory = tmp_path_factory.mktemp("reports")
    code = run([*SMALL, "--full", "--output", str(directory)])
    return code, directory


def test_a_right_selection_exits_with_zero(small_run):
    assert small_run[0] == ExitCode.OK


def test_output_holds_each_table_in_each_format_and_the_rows(small_run):
    tables = ("gradients", "finite_differences", "timings", "verdicts")
    wanted = {f"{table}.{kind}" for table in tables for kind in ("csv", "md")} | {"records.jsonl"}
    assert {path.name for path in small_run[1].iterdir()} == wanted


def test_the_formats_agree_with_each_other(small_run):
    directory = small_run[1]
    records = {(r.case, r.input, r.oracle): r for r in read_records(directory / "records.jsonl")}
    csv = pd.read_csv(directory / "gradients.csv", dtype=str, keep_default_na=False)
    assert (
        len(csv)
        == len(records)
        == sum(not m.boundary for c in ("relu", "softmax") for m in catalogue()[c].inputs) * 2
    )
    lines = (directory / "gradients.md").read_text().splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")]
    markdown = pd.DataFrame(cells[2:], columns=cells[0])
    assert len(markdown) == len(csv)
    for (_, row), (_, shown) in zip(csv.iterrows(), markdown.iterrows(), strict=True):
        record = records[row["case"], row["input"], row["oracle"]]
        assert shown["case"] == row["case"]
        assert (shown["input"], shown["where"]) == (record.input, record.where)
        for name in ("bits_lost", "error_ulp", "attainable_ulp", "bound_ulp"):
            value = getattr(record, name)
            assert row[name] == shown[name] == "" if value is None else float(row[name]) == value
            assert value is None or float(shown[name]) == pytest.approx(value, rel=1e-5, abs=0)
        assert float(row["gradient_time_s"]) == record.gradient_time_s


def test_the_timing_table_agrees_with_the_rows(small_run):
    records = {(r.case, r.input, r.oracle): r for r in read_records(small_run[1] / "records.jsonl")}
    csv = pd.read_csv(small_run[1] / "timings.csv", dtype=str)
    assert len(csv) == len(records)
    for _, row in csv.iterrows():
        record = records[row["case"], row["input"], row["oracle"]]
        assert float(row["gradient_time_ratio"]) == record.gradient_time_ratio


def test_a_second_run_leaves_no_table_of_the_first(tmp_path, capsys):
    run(["report", "--case", "relu", "--oracle", "torch,fd", "--quick", "--output", str(tmp_path)])
    assert (tmp_path / "finite_differences.csv").exists()
    run(["report", "--case", "relu", "--oracle", "torch", "--quick", "--output", str(tmp_path)])
    assert not (tmp_path / "finite_differences.csv").exists()


def test_quick_means_ordinary_inputs_in_float64(capsys):
    assert run([*SMALL, "--format", "jsonl"]) == 0
    records = [from_json(line) for line in capsys.readouterr().out.splitlines()]  # and nothing else on stdout
    ordinary = {(c, m.name) for c in ("relu", "softmax") for m in catalogue()[c].inputs if not m.boundary}
    assert {(r.case, r.input) for r in records} == ordinary
    assert {r.dtype for r in records} == {"float64"}


def test_options_choose_the_rows(capsys):
    assert run(words("report --case function_2 --oracle torch --dtype float32 --seed 5 --format jsonl")) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row["input"] for row in rows] == [m.name for m in catalogue()["function_2"].inputs]
    assert {(r["case"], r["oracle"], r["dtype"], r["seed"]) for r in rows} == {
        ("function_2", "torch", "float32", 5)
    }


def test_each_row_is_on_the_disk_before_the_next_one_is_computed(tmp_path, monkeypatch, capsys):
    """So that a killed run keeps them: nothing waits in a buffer."""
    done = list(runner.run(runner.plan(["relu"], ["torch"], ["float64"], boundary=False), timed=()))
    on_disk = []

    def run_slowly(*_, **__):
        for record in done:
            yield record
            on_disk.append(list(read_records(tmp_path / "records.jsonl")))

    monkeypatch.setattr(command, "run", run_slowly)
    run([*words("report --case relu --quick --output"), str(tmp_path)])
    assert len(done) > 1
    assert on_disk == [done[: n + 1] for n in range(len(done))]


@pytest.mark.parametrize(("kind", "start"), [("csv", "case,input"), ("md", "## Verdicts on gradients")])
def test_one_format_goes_to_stdout_alone(kind, start, capsys):
    assert run(["report", "--case", "function_2", "--oracle", "torch", "--quick", "--format", kind]) == 0
    out, err = capsys.readouterr()
    assert out.startswith(start)
    assert err == ""


@pytest.fixture(scope="module")
def one_run():
    """The rows and the learners of one quick run, to be shown at several widths."""
    cells = runner.plan(catalogue(), ["torch"], ["float64"], boundary=False)
    cells += runner.plan(["softmax"], ["fd"], ["float64"], boundary=False)
    cells = [cell for cell in cells if not catalogue()[cell.case].input(cell.input).heavy]
    return list(runner.run(cells)), learning.learn([runner.oracles()["torch"]], 2)


@pytest.mark.parametrize("width", [80, 160])
def test_no_line_is_wider_than_the_screen_and_nothing_is_cut(width, one_run, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setattr(command, "run", lambda *_, **__: iter(one_run[0]))
    monkeypatch.setattr(learning, "learn", lambda *_: one_run[1])
    assert run(["report", "--quick"]) == 0
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= width
    assert "…" not in out
    titles = (
        "Verdicts on gradients",
        "Finite differences",
        "Times of one gradient",
        "printed outputs",
        "Learning:",
    )
    assert all(title in out for title in titles)
    assert all(case in out for case in catalogue())
    assert re.search(r"\d+ rows: ", out)


@pytest.mark.parametrize("columns", ["0", "1", "²", "abc", "-5", "99999999"])
@pytest.mark.parametrize("tokens", ["check --help", "--help", "explain imprecise"])
def test_a_width_that_nothing_fits_in_counts_as_another(columns, tokens):
    found = harness(*words(tokens), env={**os.environ, "COLUMNS": columns, "LINES": columns})
    assert (found.returncode, found.stderr) == (0, "")
    widest = max(map(len, found.stdout.splitlines()))
    assert widest <= {"1": 20, "99999999": 1000}.get(columns, 80)
    assert "imprecise" in found.stdout or "gradient" in found.stdout


def test_the_worst_rows_come_first(monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "160")
    assert run(words("report --case sigmoid --case relu --oracle torch --dtype float64")) == 0
    rows = capsys.readouterr().out.splitlines()[2:4]
    assert [row.split()[2:5] for row in rows] == [
        ["known", "sigmoid", "torch"],
        ["pass", "relu", "torch"],
    ]


def test_piped_output_is_calm_and_plain(monkeypatch, capsys):
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    run(SMALL)
    out, err = capsys.readouterr()
    assert ANSI not in out
    assert err == ""


@pytest.mark.parametrize("no_color", [False, True])
def test_a_terminal_gets_colour_unless_no_color_is_set(no_color, monkeypatch, capsys):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    if no_color:
        monkeypatch.setenv("NO_COLOR", "1")
    run(SMALL)
    out = capsys.readouterr().out
    coloured = re.search(r"\x1b\[([\d;]*;)?(3[1-7]|9[1-7])[;m]", out)
    assert bool(coloured) != no_color
    assert "✓ pass" in re.sub(r"\x1b\[[\d;]*m", "", out)  # the mark does not need the colour


def test_a_terminal_gets_a_progress_bar_on_stderr(monkeypatch, capsys):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    run(SMALL)
    out, err = capsys.readouterr()
    assert "softmax" in err
    assert "timing" not in out.splitlines()[0]


def test_every_framework_missing_and_no_numpy_means_nothing_was_compared(monkeypatch, capsys):
    missing(monkeypatch, "jax", "torch")
    assert run(words("report --case relu --quick --oracle exact,jax,torch,fd")) == 3
    out, err = capsys.readouterr()
    for name in ("jax", "torch"):
        assert f"pip install 'gradproof[{name}]'" in out
    assert "nothing was compared" in err


def test_without_any_framework_the_hand_derived_gradient_is_still_compared(monkeypatch, capsys):
    missing(monkeypatch, "jax", "torch")
    assert run(words("report --case relu --quick --format jsonl")) == 0
    rows = [from_json(line) for line in capsys.readouterr().out.splitlines()]
    assert {r.oracle: r.outcome for r in rows} == {
        "exact": "info", "numpy": "pass", "jax": "unavailable", "jax-jit": "unavailable",
        "torch": "unavailable", "torch-compile": "skipped", "fd": "info",
    }  # fmt: skip


def test_one_framework_missing_is_a_row_and_the_run_goes_on(monkeypatch, capsys):
    missing(monkeypatch, "jax")
    assert run(words("report --case relu --quick --oracle jax,torch --format jsonl")) == 0
    rows = [from_json(line) for line in capsys.readouterr().out.splitlines()]
    outcomes = {r.oracle: r.outcome for r in rows}
    assert outcomes == {"jax": "unavailable", "torch": "pass"}
    assert all("pip install 'gradproof[jax]'" in r.diagnosis for r in rows if r.oracle == "jax")


def test_an_impossible_output_folder_is_a_usage_error(tmp_path, capsys):
    (tmp_path / "file").touch()
    assert run([*SMALL, "--output", str(tmp_path / "file")]) == ExitCode.USAGE
    assert "--output must be a folder, which may be new, got the file " in capsys.readouterr().err


@pytest.fixture(scope="module")
def closed_pipe():
    """A command into a pipe that nobody reads; `explain` imports the least."""
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    process = subprocess.Popen([*HARNESS, "explain"], **pipes)
    process.stdout.close()
    err = process.stderr.read()
    process.stderr.close()
    return process.wait(60), err


def test_a_reader_that_goes_away_causes_no_noise(closed_pipe):
    assert closed_pipe[1] == ""


def test_a_reader_that_goes_away_is_no_failed_check(closed_pipe):
    assert closed_pipe[0] != ExitCode.FAILED


def test_head_of_a_command_is_its_head():
    command = f"{' '.join(HARNESS)} explain | head -1"
    found = subprocess.run(command, shell=True, capture_output=True, text=True, timeout=60, check=False)
    assert (found.stdout, found.stderr) == ("verdicts\n", "")


# Tests that run in the background may ignore Ctrl-C, and so would what they start.
HEARS = """
import os, signal, sys
signal.signal(signal.SIGINT, signal.SIG_DFL)
os.execv(sys.argv[1], sys.argv[1:])
"""


@pytest.fixture(scope="module")
def interrupted(tmp_path_factory):
    """A report that gets Ctrl-C after its third row."""
    directory = tmp_path_factory.mktemp("interrupted")
    path = directory / "records.jsonl"
    cases = words("--case relu --case softmax --case sigmoid --oracle numpy")
    tokens = ["report", *cases, "--output", str(directory)]
    heard = [sys.executable, "-c", HEARS, *HARNESS, *tokens]
    process = subprocess.Popen(heard, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    for _ in range(6000):
        if path.exists() and path.read_bytes().count(b"\n") >= 4:  # a header, and three rows
            break
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    return process.returncode, err, out, list(read_records(path))


def test_ctrl_c_gives_130_and_keeps_the_rows_written_so_far(interrupted):
    code, err, out, records = interrupted
    assert code == ExitCode.INTERRUPTED
    assert len(records) >= 3
    assert "Traceback" not in err
    assert "rows:" not in out


def test_ctrl_c_says_how_many_rows_stay_and_where(interrupted):
    _, err, _, records = interrupted
    found = re.search(r"gradproof: interrupted; (\d+) rows in \S+records.jsonl stay", err)
    assert int(found[1]) == len(records)


@pytest.mark.parametrize("when", ["import", "run"])
def test_ctrl_c_before_anything_was_written_says_so(when, monkeypatch, capsys):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(Journal, "begun", [])
    monkeypatch.setattr(command, "run" if when == "run" else "run_report", interrupt)
    assert run(SMALL) is ExitCode.INTERRUPTED
    assert capsys.readouterr().err == "gradproof: interrupted; nothing was written\n"


STOPPED = """
import runpy, sys

class Stop:
    def find_spec(self, name, *_):
        if name == "harness.commands.cli":
            raise KeyboardInterrupt

sys.meta_path.insert(0, Stop())
runpy.run_module(sys.argv[1], run_name="__main__")
"""


@pytest.mark.parametrize("module", ["harness", "gradproof"])
def test_ctrl_c_while_the_command_line_is_imported_is_no_traceback(module):
    tokens = [sys.executable, "-c", STOPPED, module]
    found = subprocess.run(tokens, capture_output=True, text=True, timeout=60, check=False)
    assert (found.returncode, found.stderr) == (130, "gradproof: interrupted; nothing was written\n")


@pytest.mark.parametrize(
    ("tokens", "start"),
    [
        ((), "case,input,dtype,oracle"),
        (("--table", "verdicts"), "oracle,dtype"),
        (("--table", "timings"), "case,"),
    ],
)
def test_csv_on_a_screen_is_one_table(tokens, start, capsys):
    run([*words("report --case function_2 --oracle torch --quick --format csv"), *tokens])
    out = capsys.readouterr().out
    assert out.startswith(start)
    frame = pd.read_csv(io.StringIO(out))
    assert len(frame) == len(out.splitlines()) - 1


@pytest.mark.parametrize(
    ("tokens", "code", "said"),
    [
        ("--table verdict", ExitCode.USAGE, "near matches: verdicts"),
        ("--table timings --output out", ExitCode.USAGE, "--output DIR takes all tables"),
        ("--table learning", ExitCode.NOTHING_COMPARED, "this run has no rows in that table"),
    ],
)
def test_a_table_that_there_is_not_says_so(tokens, code, said, capsys):
    assert run(words(f"report --case function_2 --oracle torch --quick {tokens}")) is code
    assert said in capsys.readouterr().err


# -- what ends the program, or cannot be written ----------------------------------------------------------


def test_a_closed_stdout_changes_no_exit_code(tmp_path):
    text = (
        "def square(x): return x * x\ndef right(g, x): return 2 * g * x\ndef wrong(g, x): return 3 * g * x\n"
    )
    (tmp_path / "mysquare.py").write_text(text, encoding="utf-8")
    for name, code in (("right", 0), ("wrong", 1)):
        given = ["mysquare:square", "--vjp", f"mysquare:{name}", "--shape", "3"]
        command = f"{' '.join(HARNESS)} check {' '.join(given)} >&-"
        environment = {**os.environ, "PYTHONPATH": os.getcwd()}
        found = subprocess.run(
            command, shell=True, capture_output=True, text=True, timeout=60, check=False, cwd=tmp_path,
            env=environment,
        )  # fmt: skip
        assert (found.returncode, found.stderr) == (code, "")


def test_sigterm_ends_a_run_with_a_message_and_leaves_nothing(tmp_path):
    tokens = ["report", *words("--case relu --case softmax --case sigmoid --oracle numpy --jobs 1")]
    path = tmp_path / "records.jsonl"
    process = subprocess.Popen(
        [*HARNESS, *tokens, "--output", str(tmp_path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    for _ in range(6000):
        if path.exists() and path.read_bytes().count(b"\n") >= 2:
            break
        time.sleep(0.01)
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 128 + signal.SIGTERM
    assert re.fullmatch(r"gradproof: ended by SIGTERM; \d+ rows? in \S+ stay; .*\n", err)
    assert out == ""


@pytest.mark.parametrize(
    ("tokens", "said"),
    [
        ("baseline diff --case x", "Options are --baseline, --anew, --from, --jobs, --timeout."),
        ("baseline diff --jops 1", "Did you mean --jobs?"),
        ("report --xyzzy", " report --help` lists all."),
    ],
)
def test_an_unknown_option_is_told_what_there_is(tokens, said, capsys):
    assert run(words(tokens)) is ExitCode.USAGE
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("tokens", "said"),
    [
        (
            "report --case relu --quick --output /proc/x",
            "--output /proc/x: nothing can be written in /proc/x",
        ),
        (
            "atlas --functions torch.sin --output /proc/x",
            "--output /proc/x: nothing can be written in /proc/x",
        ),
        (
            "gate --case relu --save {folder}",
            "--save must be a file, such as {folder}/run",
        ),
        ("gate --case relu --save /proc/x/y", "the rows cannot be written to /proc/x/y"),
        ("baseline update --reason why --baseline /proc/x/y", "--baseline /proc/x/y: nothing can be written"),
        ("atlas diff {folder}/a {folder}/b", "there is no atlas at {folder}/a; `atlas --output DIR` writes"),
        ("atlas diff {folder} {folder}", "there is no atlas at {folder}; `atlas --output DIR` writes"),
    ],
)
def test_what_cannot_be_written_or_read_is_said_before_the_work(tokens, said, tmp_path, capsys, monkeypatch):
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.setattr(runner, "run_cell", lambda *_: pytest.fail("it was begun"))
    options = ["--baseline", "reports/baseline.json", "--jobs", "0"] if tokens.startswith("gate") else []
    assert run([*words(tokens.format(folder=tmp_path)), *options]) is ExitCode.USAGE
    assert said.format(folder=tmp_path) in capsys.readouterr().err


def test_a_full_disk_is_no_traceback(monkeypatch, capsys):
    def full(*_, **__):
        raise OSError(28, "No space left on device", "somewhere")

    monkeypatch.setattr(command, "deliver", full)
    assert run([*SMALL, "--format", "text"]) is ExitCode.FAILED
    text = capsys.readouterr().err
    assert text == (
        "gradproof: [Errno 28] No space left on device: 'somewhere': nothing more can be written there\n"
    )


def test_what_cannot_be_read_is_not_said_to_be_unwritten(monkeypatch, capsys):
    def unread(*_, **__):
        raise OSError(5, "Input/output error", "somewhere")

    monkeypatch.setattr(command, "run", unread)
    assert run(SMALL) is ExitCode.FAILED
    # The line that raises is of this file: whoever's it is, it is shown.
    assert "written" not in capsys.readouterr().err
