"""Every word of a table or a message has an explanation, and no explanation is of a word that is gone."""

import dataclasses
import os

import pytest

from harness.bench import exact as bench_exact
from harness.bench import gate as bench_gate
from harness.bench import paired as bench
from harness.book import documents, learning
from harness.cases import catalogue
from harness.commands import bench as bench_command
from harness.commands.cli import run
from harness.commands.explain import WORDS, explanations
from harness.commands.listing import case_table, oracle_table
from harness.gate import findings
from harness.report import tables
from harness.report.columns import COLUMNS, RECORD
from harness.runs.record import Record
from harness.runs.runner import oracles
from harness.selection import UsageError
from harness.verdicts import ExitCode, Outcome, Verdict

ALL = [(kind, word) for kind, named in WORDS.items() for word in named]


def blank(kind):
    return kind(**dict.fromkeys((field.name for field in dataclasses.fields(kind)), 0))


def shown_columns():
    """The columns of every table, except the verdicts that head the table of counts."""
    record = Record(case="relu", input="zeros", dtype="float64", oracle="jax", seed=0, outcome=Outcome.FAIL)
    frame = tables.records_frame([record])
    every = [
        *(make(frame, True) for make in (tables.gradients, tables.finite_differences, tables.timings)),
        tables.problems(frame),
        documents.table_of([blank(documents.Reproduced)]),
        learning.table_of([learning.Learned("jax")]),
        bench_command.benchmarks([blank(bench.Benchmark)]),
        bench_command.measurements([blank(bench_exact.Measurement)]),
        bench_command.powers([bench_gate.Power("", 0, 0, 0, 0, 0)]),
        findings.table_of(findings.Told([], 0, "", "")),
        case_table(catalogue().values()),
        oracle_table(oracles().values()),
    ]
    return {column for table in every for column in table.columns}


def test_every_field_of_a_record_is_a_column_and_no_other():
    assert [column.name for column in RECORD] == list(Record.__struct_fields__)


def test_every_column_of_every_table_has_an_entry_and_no_other():
    assert set(COLUMNS) == shown_columns() | set(Record.__struct_fields__)


def test_every_short_heading_leads_to_its_column():
    for column in COLUMNS.values():
        assert column.name in {word for _, word, _ in explanations(column.title)}


@pytest.mark.parametrize(("kind", "word"), ALL, ids=["-".join(one) for one in ALL])
def test_a_word_is_explained_with_an_example(kind, word):
    (entry,) = [e for k, w, e in explanations(word) if (k, w) == (kind, word)]
    assert all((entry.meaning, entry.how, entry.example))
    assert "\n" not in "".join(entry)


def test_what_fails_says_what_to_do():
    failing = [o for o in Outcome if o.failing] + [c for c in ExitCode if c]
    bad = [v for v in Verdict if v not in {Verdict.ACCURATE, Verdict.TRUTH, Verdict.ESTIMATE}]
    assert all(one.entry.advice for one in failing + bad)


@pytest.mark.parametrize("asked", ["exit 3", "3", "exit code 3", "Exit  Code 3"])
def test_an_exit_code_has_several_names(asked):
    assert explanations(asked) == [("exit code", "exit 3", ExitCode.NOTHING_COMPARED.entry)]


@pytest.mark.parametrize(
    ("asked", "near"), [("imprecice", "imprecise"), ("exit 4", "exit 1"), ("bitslost", "bits_lost")]
)
def test_an_unknown_word_has_near_matches(asked, near):
    with pytest.raises(UsageError, match=rf"explain: no '{asked}'; near matches: .*{near}"):
        explanations(asked)


@pytest.mark.parametrize("asked", ["", " ", ","])
def test_an_empty_word_is_refused_where_one_is_given(asked, capsys):
    assert run(["explain", asked]) == ExitCode.USAGE
    said = f"explain takes a word of a table or a message, got {asked!r}; alone it lists them"
    assert said in capsys.readouterr().err


def test_the_command_explains(capsys):
    assert run(["explain", "imprecise"]) == ExitCode.OK
    out = " ".join(capsys.readouterr().out.split())
    for words in (
        "imprecise (verdict)",
        "how: ",
        "for example: ",
        "2.1096702884774950491e-18",
        "what to do: ",
    ):
        assert words in out


def test_the_command_takes_a_word_with_a_blank_quoted_or_not(capsys):
    assert run(["explain", "exit 3"]) == run(["explain", "exit", "3"]) == ExitCode.OK
    first, second = capsys.readouterr().out.split("exit 3\n")[1:]
    assert first == second


def test_the_command_alone_lists_every_word_and_asked_for_them_the_columns(capsys, monkeypatch):
    monkeypatch.setitem(os.environ, "COLUMNS", "80")
    for asked, kinds in ([], {*WORDS} - {"column"}), (["columns"], {"column"}):
        assert run(["explain", *asked]) == ExitCode.OK
        out = capsys.readouterr().out
        listed = {word.strip() for line in out.splitlines() for word in line.split(",")}
        assert {word for kind, word in ALL if kind in kinds} <= listed
        assert {f"{kind}s" for kind in WORDS} & listed == {f"{kind}s" for kind in kinds}
    assert out.startswith("columns\n")


@pytest.mark.parametrize(
    "asked",
    ["attainable", "program bound", "bits lost", "ulp", "budget", "kink", "cotangent", "direction", "probe",
     "value", "seed", "T", "a", "E", "C", "B", "exit 143"],
)  # fmt: skip
def test_the_words_of_a_message_are_explained(asked, capsys):
    assert run(["explain", *asked.split()]) == ExitCode.OK
    assert f"{asked} (message word)" in capsys.readouterr().out or asked.startswith("exit")


@pytest.mark.parametrize("word", ["nosuch", ",", "exit"])
def test_the_command_refuses_an_unknown_word(word, capsys):
    assert run(["explain", word]) == ExitCode.USAGE
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("gradproof: explain")
