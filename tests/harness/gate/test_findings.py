"""What a gate says: the worst first, what is the same once, nothing lost, and commands that can be pasted."""

import io
import re
import shlex

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.commands.schema import KINDS as SCHEMAS
from harness.commands.schema import print_schema
from harness.gate.delivery import (
    MOST_ANNOTATIONS,
    format_of,
    print_findings,
    workflow_commands,
)
from harness.gate.finding import Finding, Kind, Level
from harness.gate.findings import (
    KINDS,
    LEVELS,
    Line,
    Told,
    grouped,
    line_of,
    summary,
    table_of,
    texts,
    worst_first,
)
from harness.gate.words import Words
from harness.report.screen import Screen
from harness.runs.record import Row
from harness.selection import UsageError
from harness.verdicts import ExitCode, Outcome, Verdict
from tests.harness.rows import NAMES, record, records


def finding(kind=Kind.WORSE, level=Level.FAIL, before="accurate", now="wrong", with_record=True, **fields):
    fields = {"verdict": Verdict.WRONG, "outcome": Outcome.FAIL, **fields}
    one = record(**fields)
    return Finding(level, kind, Row.of(one.cell), before, now, one if with_record else None)


def told(*findings, **fields):
    return Told(findings, **{"rows": 7, "past": "b.json", "said": "0123: why", **fields})


@st.composite
def found(draw):
    words = NAMES.map(lambda name: "".join(filter(str.isprintable, name)) or "x")  # what is said in one line
    one = draw(records(input=draw(words)))
    kind, level = draw(st.sampled_from(Kind)), draw(st.sampled_from(Level))
    has = kind not in {Kind.MISSING, Kind.STALE, Kind.UNTIMED}
    return Finding(level, kind, Row.of(one.cell), draw(words), draw(words), one if has else None)


FOUND = st.lists(found(), max_size=8)


@given(found=FOUND)
def test_the_worst_comes_first_and_none_is_lost(found):
    order = worst_first(found)
    assert sorted(map(id, order)) == sorted(map(id, found))
    keys = [(LEVELS.index(f.level), KINDS.index(f.kind)) for f in order]
    assert keys == sorted(keys)


@given(found=FOUND)
def test_groups_hold_every_finding_once(found):
    groups = grouped(found)
    assert sorted(id(f) for group in groups for f in group) == sorted(map(id, found))
    assert all(len({(f.level, f.kind) for f in group}) == 1 for group in groups)


def test_bits_lost_order_what_has_the_same_verdict_with_nan_first():
    lost = [finding(bits_lost=b, input=str(b)) for b in (1.0, 30.0, None, float("nan"), 2.0)]
    assert [f.row.input for f in worst_first(lost)] == ["nan", "30.0", "2.0", "1.0", "None"]


@given(found=FOUND)
def test_a_line_of_json_is_read_back_as_it_was(found):
    for one in found:
        line = line_of(one, Words())
        assert msgspec.json.decode(msgspec.json.encode(line), type=Line) == line
        assert (line.level, line.kind, line.input) == (one.level, one.kind, one.row.input)


@given(found=FOUND)
def test_a_table_has_a_row_for_each(found):
    table = table_of(told(*found))
    assert len(table.frame) == len(found)
    assert list(table.frame.columns) == list(Line.__struct_fields__)


@given(found=st.lists(found(), min_size=1, max_size=8), width=st.sampled_from([40, 80, 160]))
def test_a_screen_shows_the_name_of_every_case_and_its_conclusion(found, width):
    console = Screen(file=io.StringIO(), width=width)
    print_findings(console, told(*found), ExitCode.FAILED)
    text = console.file.getvalue()
    assert text.rstrip().endswith("gate: FAILED (exit code 1)")
    assert "relu" in text or any(f.kind is Kind.UNAVAILABLE for f in found)
    assert not any(line.endswith(" ") for line in text.split("\n") if "gradproof" not in line)


# -- in words ----------------------------------------------------------------------------------------------


def test_rows_that_are_worse_in_the_same_way_are_said_once():
    fields = {
        "diagnosis": "the formula gives 2 at x[0]",
        "computed": 2.0,
        "true": 1.0,
        "true_digits": "1.0000",
    }
    many = [
        finding(input=name, where="x[0]", shapes="(3,)", **fields) for name in ("ordinary", "large", "ties")
    ]
    (group,) = grouped(many)
    title, *rest = texts(group, Words())
    assert title == "worse: relu/x vs jax [float64, (3,), seed 0]: wrong"
    assert rest[0] == "was: accurate"
    assert any(line.startswith("worst element [0]: computed 2, true 1.0000") for line in rest)
    assert "the same at 2 rows more: large [0], ties [0]" in rest
    reproduce, accept = rest[-2:]
    assert reproduce.startswith("reproduce: python -m gradproof report --case relu --oracle jax")
    assert reproduce.count("--input") == 3
    assert accept == "accept: python -m gradproof baseline update 'relu/jax/float64/*' --reason \"why\""


def test_an_oracle_that_is_not_installed_is_said_once_with_what_to_do():
    missing = "jax is not installed: pip install jax"
    many = [
        finding(Kind.UNAVAILABLE, now=missing, case=case, verdict=Verdict.NONE, outcome=Outcome.UNAVAILABLE)
        for case in ("relu", "softmax", "sigmoid")
    ]
    (group,) = grouped(many)
    assert texts(group, Words()) == ["unavailable: jax, 3 rows of the baseline", missing]


@pytest.mark.parametrize("kind", [Kind.ERROR, Kind.UNAVAILABLE, Kind.CONFLICT, Kind.MISSING])
def test_what_nobody_can_agree_to_has_no_command_that_does(kind):
    assert Words().accept([finding(kind)]) == ""


@given(name=NAMES)
def test_a_command_that_accepts_names_the_row_whatever_its_name(name):
    one = finding(input=name)
    words = shlex.split(Words().accept([one]))
    assert words[:6] == ["python", "-m", "gradproof", "baseline", "update", "/".join(one.row)]
    assert words[6:] == ["--reason", "why"]


def test_a_command_that_accepts_names_another_baseline(tmp_path):
    words = shlex.split(Words(tmp_path / "my baseline.json").accept([finding()]))
    assert words[6:8] == ["--baseline", str(tmp_path / "my baseline.json")]


@pytest.mark.parametrize(
    ("found", "said"),
    [
        ((), "7 rows against b.json (0123: why): nothing is worse"),
        (
            (finding(), finding(Kind.NEW, Level.WARN), finding(Kind.NEW, Level.WARN)),
            "7 rows against b.json (0123: why): 1 worse (fail), 2 new (warn)",
        ),
    ],
)
def test_the_summary_counts_what_was_found(found, said):
    assert summary(told(*found)) == said


def test_the_summary_of_a_run_against_a_run_has_no_reason():
    assert summary(told(said="")) == "7 rows against b.json: nothing is worse"


def test_the_last_line_says_the_exit_code():
    assert Words().conclusion(ExitCode.OK) == "gate: passed (exit code 0)"
    assert Words().conclusion(ExitCode.FAILED) == "gate: FAILED (exit code 1)"
    assert Words().conclusion(ExitCode.NOTHING_COMPARED) == (
        "gate: nothing was compared, which is not a success (exit code 3)"
    )


def test_a_screen_is_not_flooded_and_says_what_it_hides():
    many = [finding(Kind.SLOWER, Level.WARN, case=f"case-{k}", with_record=False) for k in range(15)]
    console = Screen(file=io.StringIO(), width=160)
    print_findings(console, told(*many), ExitCode.OK)
    assert "and 5 more (warn); --format csv or jsonl shows all" in console.file.getvalue()


# -- GitHub ------------------------------------------------------------------------------------------------


@given(found=FOUND)
def test_an_annotation_is_one_line_whatever_it_says(found):
    for line in workflow_commands(told(*found)):
        assert not {"\r", "\n"} & set(line)  # what ends a line for the runner
        assert re.match(r"::(error|warning) (file=[^,]+,line=\d+,)?title=", line)


def test_github_shows_ten_of_each_kind_so_no_more_are_written():
    many = [finding(case=f"case-{k}") for k in range(30)]
    assert len(workflow_commands(told(*many))) == MOST_ANNOTATIONS == 10


def test_the_format_is_githubs_where_it_asks_for_a_summary(monkeypatch):
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)
    assert (format_of(""), format_of("csv")) == ("text", "csv")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", "summary.md")
    assert (format_of(""), format_of("text")) == ("github", "text")
    with pytest.raises(UsageError, match="githb"):
        format_of("githb")


@pytest.mark.parametrize("kind", SCHEMAS)
def test_a_schema_is_json_that_names_every_field(kind, capsys):
    assert print_schema(kind) is ExitCode.OK
    schema = msgspec.json.decode(capsys.readouterr().out)
    top = schema["$defs"][schema["$ref"].rpartition("/")[2]]
    names = msgspec.structs.fields(SCHEMAS[kind])
    assert set(top["properties"]) == {field.encode_name for field in names}
